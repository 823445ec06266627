/** What the exchange told one instance, all with the same key keep to. */
import { describe, expect, it } from "vitest";
import type { Instant } from "../../../src/domain/ids.ts";
import { RequestBudget } from "../../../src/exchange/limits/request-budget.ts";
import { SharedBan } from "../../../src/exchange/limits/shared-ban.ts";
import { SlidingWindow } from "../../../src/exchange/limits/sliding-window.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";

const ONE_ORDER = { weight: 1, orders: 1 };
/** The longest until a ban is heard of. */
const LOOK_MS = 250;

describe("a ban that instances share", () => {
  it("holds every instance back that has the key, also one that wants nothing yet, until it ends", async () => {
    const { clock, one, other, news } = await openTwo();

    one.budget.blockAll(30_000);
    await pass(clock, LOOK_MS);

    expect([other.budget.isBlocked, other.budget.tryTake(ONE_ORDER, "cancel")]).toEqual([true, false]);
    await pass(clock, 29_500);
    expect([one.budget.isBlocked, other.budget.isBlocked]).toEqual([true, true]);
    await pass(clock, 500);
    expect([one.budget.isBlocked, other.budget.isBlocked]).toEqual([false, false]);
    expect(other.budget.tryTake(ONE_ORDER, "cancel")).toBe(true);
    expect(news).toEqual(["other"]);
  });

  it("lasts as long as the longest that anybody was told, and no longer because others heard of it late", async () => {
    const { clock, one, other, store } = await openTwo();
    store.answersAfterMs = 100;

    one.budget.blockAll(10_000);
    other.budget.blockAll(2_000);
    await pass(clock, 9_900);
    expect([one.budget.isBlocked, other.budget.isBlocked]).toEqual([true, true]);
    // Each answer is on its way for a tenth of a second; those who hear tell nobody.
    await pass(clock, 400);

    expect([one.budget.isBlocked, other.budget.isBlocked]).toEqual([false, false]);
  });

  it("is everybody's own while the store is away, and told of once it is back", async () => {
    const { clock, one, other, store, news } = await openTwo();
    store.isAway = true;

    one.budget.blockAll(30_000);
    await pass(clock, 5_000);
    expect([one.budget.isBlocked, other.budget.isBlocked]).toEqual([true, false]);
    expect(other.budget.tryTake(ONE_ORDER, "entry")).toBe(true);
    store.isAway = false;
    await pass(clock, 2 * LOOK_MS);

    expect([one.budget.isBlocked, other.budget.isBlocked]).toEqual([true, true]);
    await pass(clock, 30_000 - 5_000 - 2 * LOOK_MS);
    expect(other.budget.isBlocked).toBe(false);
    expect(news).toEqual(["other"]);
  });

  it("is not told of where the exchange asked this instance alone", async () => {
    const { clock, one, other } = await openTwo();

    one.budget.block(30_000);
    await pass(clock, 4 * LOOK_MS);

    expect([one.budget.isBlocked, other.budget.isBlocked]).toEqual([true, false]);
  });

  it("is looked for no more by an instance that is closed", async () => {
    const { clock, one, other } = await openTwo();

    one.budget.close();
    other.budget.close();
    await settle();

    expect(clock.nextTimerAt()).toBeUndefined();
  });
});

/** As Redis keeps it. */
class TestStore {
  answersAfterMs = 0;
  isAway = false;
  readonly #clock: VirtualClock;
  #until = Number.NEGATIVE_INFINITY;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async extend(forMs: number): Promise<number> {
    if (this.isAway) throw new Error("not connected");
    const now = this.#clock.monotonic();
    if (forMs > 0) this.#until = Math.max(this.#until, now + forMs);
    const left = Math.max(0, this.#until - now);
    if (this.answersAfterMs > 0) {
      await new Promise<void>((resolve) => this.#clock.after(this.answersAfterMs, resolve));
    }
    return left;
  }
}

async function openTwo() {
  const clock = new VirtualClock(1_000_000 as Instant);
  const store = new TestStore(clock);
  const news: string[] = [];
  const open = (name: string) => ({
    budget: new RequestBudget(
      clock,
      () => [new SlidingWindow({ counts: "orders", most: 100, perMs: 60_000 }, 1)],
      (hear) => new SharedBan({ store, clock, hear, heardFirst: () => news.push(name) }),
    ),
  });
  const [one, other] = [open("one"), open("other")];
  await settle();
  return { clock, store, one, other, news };
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
