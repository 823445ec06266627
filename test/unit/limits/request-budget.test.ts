/** The request limits: never more than allowed, exits first, and nobody waits for ever. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Instant } from "../../../src/domain/ids.ts";
import { OpenOrders } from "../../../src/exchange/limits/open-orders.ts";
import { SlidingWindow } from "../../../src/exchange/limits/sliding-window.ts";
import type { Urgency } from "../../../src/exchange/limits/urgency.ts";
import { RequestBudget } from "../../../src/exchange/limits/request-budget.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import { scaled } from "../../support/scale.ts";

const MINUTE = 60_000;
const used = (count: number) => ({ counts: "orders" as const, perMs: MINUTE, used: count });
const ONE_ORDER = { weight: 1, orders: 1 };

describe("a request budget", () => {
  it("never lets more than the limit pass in any window of its length, wherever that begins", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 1, max: 9 })), {
          maxLength: 200,
        }),
        (requests) => {
          const clock = new VirtualClock(1_000_000 as Instant);
          const budget = new RequestBudget(clock, () => [
            new SlidingWindow({ counts: "weight", most: 40, perMs: MINUTE }, 1),
          ]);
          const passed: { readonly at: number; readonly weight: number }[] = [];
          for (const [wait, weight] of requests) {
            move(clock, wait);
            if (budget.tryTake({ weight, orders: 0 }, "exit")) passed.push({ at: clock.now(), weight });
          }
          for (const { at } of passed) {
            const within = passed.filter((each) => each.at > at - MINUTE && each.at <= at);
            expect(within.reduce((sum, { weight }) => sum + weight, 0)).toBeLessThanOrEqual(40);
          }
        },
      ),
      { numRuns: scaled(1_000) },
    );
  });

  it("keeps the last fifth of each limit for exits and cancels", () => {
    const { budget } = open(10);

    expect(takeAll(budget, "entry")).toBe(8);
    expect(takeAll(budget, "exit")).toBe(2);
    expect(budget.tryTake(ONE_ORDER, "cancel")).toBe(false);
  });

  it("has room again once a request is a window old", () => {
    const { budget, clock } = open(10);
    takeAll(budget, "exit");
    move(clock, MINUTE - 2_000);
    expect(budget.tryTake(ONE_ORDER, "exit")).toBe(false);

    move(clock, 4_000);

    expect(takeAll(budget, "exit")).toBe(10);
  });

  it("gives room to an exit that came later before an entry that came earlier", async () => {
    const { budget, clock } = open(10);
    takeAll(budget, "exit");
    const order: string[] = [];
    const entry = budget.take(ONE_ORDER, "entry", 2 * MINUTE).then(() => order.push("entry"));
    const exit = budget.take(ONE_ORDER, "exit", 2 * MINUTE).then(() => order.push("exit"));

    await pass(clock, 2 * MINUTE);
    await Promise.all([entry, exit]);

    expect(order).toEqual(["exit", "entry"]);
  });

  it("lets whoever wants other things pass an order that waits, and nobody who wants the same", async () => {
    const clock = new VirtualClock(1_000_000 as Instant);
    const budget = new RequestBudget(clock, () => [
      new SlidingWindow({ counts: "orders", most: 1, perMs: MINUTE }, 1),
      new SlidingWindow({ counts: "weight", most: 100, perMs: MINUTE }, 1),
    ]);
    budget.tryTake(ONE_ORDER, "exit");
    const order = budget.take(ONE_ORDER, "exit", 2 * MINUTE);
    let isSecond = false;
    void budget.take(ONE_ORDER, "entry", 2 * MINUTE).then(() => (isSecond = true));

    expect(await budget.take({ weight: 20, orders: 0 }, "read", MINUTE)).toBe(true);

    await pass(clock, MINUTE + 2_000);
    expect([await order, isSecond]).toEqual([true, false]);
    budget.close();
  });

  it("gives up after the time that the order may wait, and when it is aborted", async () => {
    const { budget, clock } = open(10);
    takeAll(budget, "exit");
    const abort = new AbortController();
    const late = budget.take(ONE_ORDER, "exit", 1_000);
    const aborted = budget.take(ONE_ORDER, "exit", 10 * MINUTE, abort.signal);
    abort.abort();

    await pass(clock, 1_500);

    expect(await late).toBe(false);
    expect(await aborted).toBe(false);
    expect(await budget.take(ONE_ORDER, "exit", 1_000, abort.signal)).toBe(false);
  });

  it("ends every wait when it is closed", async () => {
    const { budget } = open(1);
    takeAll(budget, "exit");
    const waiting = budget.take(ONE_ORDER, "exit", 10 * MINUTE);

    budget.close();

    expect(await waiting).toBe(false);
  });

  it("lets nothing pass while the exchange wants to be left alone", () => {
    const { budget, clock } = open(10);

    budget.block(5_000);

    expect([budget.isBlocked, budget.tryTake(ONE_ORDER, "cancel")]).toEqual([true, false]);
    move(clock, 5_000);
    expect([budget.isBlocked, budget.tryTake(ONE_ORDER, "cancel")]).toEqual([false, true]);
  });

  it("counts what the exchange says that others have used", () => {
    const { budget, clock } = open(10);

    budget.noteUsed(used(7), clock.now());
    budget.noteUsed(used(3), clock.now());

    expect(takeAll(budget, "exit")).toBe(3);
  });

  it("takes an equal share where others use the same limit without being known", () => {
    const { budget, clock } = open(10, 3);

    budget.noteUsed(used(9), clock.now());

    expect(takeAll(budget, "exit")).toBe(3);
  });

  it("does not take its own requests for others' where an answer is read so late that they count no more", () => {
    const { budget, clock } = open(10);
    takeAll(budget, "exit");
    move(clock, MINUTE - 2_000);
    const sentAt = clock.now();

    move(clock, 5_000);
    budget.noteUsed(used(9), sentAt);
    expect(takeAll(budget, "exit")).toBe(10);

    move(clock, 2 * MINUTE);
    budget.noteUsed(used(9), sentAt);
    expect(takeAll(budget, "exit")).toBe(10);
  });

  it("counts what others have used beside its own where an answer is read late", () => {
    const { budget, clock } = open(10);
    budget.tryTake(ONE_ORDER, "exit");
    move(clock, MINUTE - 2_000);
    const sentAt = clock.now();

    move(clock, 5_000);
    budget.noteUsed(used(7), sentAt);

    expect(takeAll(budget, "exit")).toBe(4);
  });
});

describe("the orders that rest", () => {
  it("are counted over all symbols, from answers, streams and lists", () => {
    const open = new OpenOrders();
    open.add("BTC/USDT", "1");
    open.add("BTC/USDT", "1");
    open.add("ETH/USDT", "1");
    open.remove("ETH/USDT", "2");
    expect(open.size).toBe(2);

    open.replace("BTC/USDT", ["3", "4", "5"]);
    open.remove("ETH/USDT", "1");

    expect(open.size).toBe(3);
  });
});

function open(most: number, share = 1): { readonly budget: RequestBudget; readonly clock: VirtualClock } {
  const clock = new VirtualClock(1_000_000 as Instant);
  return {
    clock,
    budget: new RequestBudget(clock, () => [
      new SlidingWindow({ counts: "orders", most, perMs: MINUTE }, share),
    ]),
  };
}

function takeAll(budget: RequestBudget, urgency: Urgency): number {
  let taken = 0;
  while (budget.tryTake(ONE_ORDER, urgency)) taken += 1;
  return taken;
}

/** Moves time past timers, running none. */
function move(clock: VirtualClock, ms: number): void {
  clock.advanceTo((clock.now() + ms) as Instant);
}

/** Moves time from timer to timer, each in its turn. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  const end = clock.now() + ms;
  for (let at = clock.nextTimerAt(); at !== undefined && at <= end; at = clock.nextTimerAt()) {
    clock.advanceTo(at);
    clock.runDueTimer();
    await Promise.resolve();
  }
  clock.advanceTo(end as Instant);
}
