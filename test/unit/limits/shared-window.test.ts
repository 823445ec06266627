/** The limit that instances spend together: never more than it in any of the exchange's intervals, whoever is cut off. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Instant } from "../../../src/domain/ids.ts";
import type { WindowLimit } from "../../../src/exchange/limits/budget-window.ts";
import { RequestBudget } from "../../../src/exchange/limits/request-budget.ts";
import type { CounterStore } from "../../../src/exchange/limits/shared-counters.ts";
import { SharedCounters } from "../../../src/exchange/limits/shared-counters.ts";
import { SharedWindow } from "../../../src/exchange/limits/shared-window.ts";
import type { Urgency } from "../../../src/exchange/limits/urgency.ts";
import { URGENCIES } from "../../../src/exchange/limits/urgency.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import { scaled } from "../../support/scale.ts";

const MOST = 100;
const INTERVAL = 10_000;
const ONE_ORDER = { weight: 0, orders: 1 };

/** Counters that can be lost, cut off from one instance, or carried out without an answer. */
class TestCounters {
  readonly sums = new Map<string, number>();
  state: "up" | "away" | "answers lost" = "up";

  linkedTo(sums: Map<string, number>): CounterStore {
    const change = async (name: string, points: number, most: number): Promise<number | undefined> => {
      if (this.state === "away") throw new Error("not connected");
      const sum = (sums.get(name) ?? 0) + points;
      if (sum <= most) sums.set(name, sum);
      if (this.state === "answers lost") throw new Error("timed out");
      return Promise.resolve(sum <= most ? sum : undefined);
    };
    return {
      take: async (name, points, most) => change(name, points, most),
      add: async (name, points) => (await change(name, points, Number.POSITIVE_INFINITY)) ?? 0,
      count: async (name) => (await change(name, 0, Number.POSITIVE_INFINITY)) ?? 0,
    };
  }
}

describe("a limit that instances spend together", () => {
  it("is never passed in any interval of the exchange, with clocks that are off, late requests and counters that come and go", async () => {
    const passed = { own: 0, all: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: -200, max: 200 }), { minLength: 2, maxLength: 5 }),
        fc.array(
          fc.record({
            wait: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 2_000 })),
            instance: fc.nat(),
            urgency: fc.constantFrom(...URGENCIES),
            burst: fc.integer({ min: 1, max: 40 }),
            delay: fc.integer({ min: 0, max: 250 }),
            state: fc.option(fc.constantFrom("up", "away", "answers lost"), { freq: 12 }),
          }),
          { maxLength: 120 },
        ),
        async (offsets, moves) => {
          const clock = new VirtualClock(1_000_000 as Instant);
          const sums = new Map<string, number>();
          const fleet = offsets.map((offset) => join(clock, sums, offsets.length, offset));
          const arrived = new Map<number, number>();
          for (const { wait, instance, urgency, burst, delay, state } of moves) {
            await pass(clock, wait);
            const one = fleet[instance % fleet.length] ?? fleet[0];
            if (!one) continue;
            if (state !== null) one.counters.state = state;
            const taken = await takeAll(one.budget, urgency, burst);
            const interval = Math.floor((clock.now() + delay) / INTERVAL);
            arrived.set(interval, (arrived.get(interval) ?? 0) + taken);
            passed.all += taken;
            if (one.counters.state !== "up") passed.own += taken;
          }
          for (const count of arrived.values()) expect(count).toBeLessThanOrEqual(MOST);
          for (const { budget } of fleet) budget.close();
        },
      ),
      { numRuns: scaled(1_000) },
    );
    expect(passed.own).toBeGreaterThan(0);
    expect(passed.all).toBeGreaterThan(2 * passed.own);
  });

  it("goes to one instance alone where the others want nothing, but for their own parts", async () => {
    const clock = new VirtualClock(1_001_000 as Instant);
    const [one] = fleetOf(4, clock);

    expect(await takeAll(one.budget, "exit")).toBe(77 + 5);
  });

  it("leaves what is urgent its part of all that is in common, whoever wants less urgent things", async () => {
    const clock = new VirtualClock(1_001_000 as Instant);
    const [one, two] = fleetOf(2, clock);

    expect((await takeAll(one.budget, "read")) + (await takeAll(two.budget, "read"))).toBe(70);
    expect((await takeAll(one.budget, "entry")) + (await takeAll(two.budget, "entry"))).toBe(7);
    expect((await takeAll(one.budget, "exit")) + (await takeAll(two.budget, "cancel"))).toBe(20);
  });

  it("is an equal part of a fifth for an instance that cannot ask, at once and in the middle of an interval", async () => {
    const clock = new VirtualClock(1_001_000 as Instant);
    const [one, two] = fleetOf(2, clock);
    await takeAll(one.budget, "entry");

    two.counters.state = "away";

    expect(await takeAll(two.budget, "exit")).toBe(10);
    expect(two.told).toEqual(["shared", "away"]);
    two.counters.state = "up";
    await pass(clock, INTERVAL);
    expect(await takeAll(two.budget, "entry")).toBeGreaterThan(60);
    expect(two.told).toEqual(["shared", "away", "shared"]);
  });

  it("has room for everybody again in the exchange's next interval, not before and no later than its edge", async () => {
    const clock = new VirtualClock(1_001_000 as Instant);
    const [one, two] = fleetOf(2, clock);
    await takeAll(one.budget, "exit");
    const waiting = two.budget.take(ONE_ORDER, "entry", 2 * INTERVAL);

    await pass(clock, 1_010_000 - clock.now());
    let isGranted = false;
    void waiting.then(() => (isGranted = true));
    await settle();
    expect(isGranted).toBe(false);
    await pass(clock, 800);

    expect(await waiting).toBe(true);
  });

  it("counts what the exchange says that a stranger has used, once, and not what is counted already", async () => {
    const clock = new VirtualClock(1_001_000 as Instant);
    const [one, two] = fleetOf(2, clock);
    await takeAll(one.budget, "read", 10);
    two.budget.noteUsed({ counts: "orders", perMs: INTERVAL, used: 10 }, clock.now());
    await settle();
    expect([...one.sums.values()]).toEqual([10]);

    two.budget.noteUsed({ counts: "orders", perMs: INTERVAL, used: 60 }, clock.now());
    await settle();

    expect([...one.sums.values()]).toEqual([60]);
    expect(await takeAll(one.budget, "read")).toBe(10);
  });

  it("counts nothing in an interval of what the exchange said of the one before, however late it is read", async () => {
    const clock = new VirtualClock(1_011_300 as Instant);
    const [one] = fleetOf(2, clock);

    for (const sentAt of [1_009_300, 1_009_900, 1_010_300]) {
      one.budget.noteUsed({ counts: "orders", perMs: INTERVAL, used: 70 }, sentAt);
      await settle();
    }

    expect(await takeAll(one.budget, "read")).toBe(70);
  });

  it("is fetched in blocks of which a process that ends has lost little, however large a day's limit is", async () => {
    const clock = new VirtualClock(1_001_000 as Instant);
    const one = join(clock, new Map(), 1, 0, { counts: "orders", most: 200_000, perMs: 86_400_000 });

    expect(await takeAll(one.budget, "entry", 1)).toBe(1);

    expect(Math.max(...one.sums.values())).toBeLessThanOrEqual(100);
  });

  it("gives back to counters that were lost what is known of them", async () => {
    const clock = new VirtualClock(1_001_000 as Instant);
    const [one] = fleetOf(2, clock);
    await takeAll(one.budget, "entry", 60);

    one.sums.clear();

    expect(await takeAll(one.budget, "entry")).toBeLessThanOrEqual(20 + 1);
  });

  it("says for how long a place is good: until shortly before the end of the interval that paid for it", async () => {
    const clock = new VirtualClock(1_001_000 as Instant);
    const [one] = fleetOf(1, clock);
    expect(one.budget.placeLastsMs()).toBe(8_750);

    await pass(clock, 8_600);

    expect(one.budget.placeLastsMs()).toBe(10_150);
  });
});

interface Joined {
  readonly budget: RequestBudget;
  readonly counters: TestCounters;
  readonly sums: Map<string, number>;
  readonly told: string[];
}

function join(
  clock: VirtualClock,
  sums: Map<string, number>,
  instances: number,
  offset = 0,
  limit: WindowLimit = { counts: "orders", most: MOST, perMs: INTERVAL },
): Joined {
  const counters = new TestCounters();
  const told: string[] = [];
  const budget = new RequestBudget(clock, (roomHasCome) => [
    new SharedWindow({
      limit,
      name: "orders",
      instances,
      counters: new SharedCounters(counters.linkedTo(sums), clock, (isAway) => {
        told.push(isAway ? "away" : "shared");
      }),
      exchangeOffset: () => clock.now() - clock.monotonic() + offset,
      roomHasCome,
      tellUsed: () => undefined,
    }),
  ]);
  return { budget, counters, sums, told };
}

function fleetOf(instances: number, clock: VirtualClock): readonly [Joined, Joined] {
  const sums = new Map<string, number>();
  return [join(clock, sums, instances), join(clock, sums, instances)];
}

async function takeAll(
  budget: RequestBudget,
  urgency: Urgency,
  most = Number.POSITIVE_INFINITY,
): Promise<number> {
  let taken = 0;
  while (taken < most) {
    const abort = new AbortController();
    const waiting = budget.take(ONE_ORDER, urgency, 60_000, abort.signal);
    await settle();
    abort.abort();
    if (!(await waiting)) return taken;
    taken += 1;
  }
  return taken;
}

/** Lets everything that is under way come to where it waits for time. */
async function settle(): Promise<void> {
  for (let i = 0; i < 30; i += 1) await Promise.resolve();
}

/** Moves time from timer to timer, each in its turn. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  const end = clock.now() + ms;
  for (let at = clock.nextTimerAt(); at !== undefined && at <= end; at = clock.nextTimerAt()) {
    clock.advanceTo(at);
    clock.runDueTimer();
    await settle();
  }
  clock.advanceTo(end as Instant);
}
