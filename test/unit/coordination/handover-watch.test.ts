/** Handovers between instances on a virtual clock: how long each symbol paused, and what is taken back. */
import { beforeEach, describe, expect, it } from "vitest";
import { HandoverWatch } from "../../../src/coordination/handover-watch.ts";
import type { Instant } from "../../../src/domain/ids.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import type { KeptLine } from "../../support/kept-log.ts";
import { logInto } from "../../support/kept-log.ts";

const LIMIT_MS = 15_000;
const BTC = "BTC/USDT";

class Peer {
  readonly woken: string[] = [];
  /** Who has let go of what, and what is traded, as the others say. */
  readonly said: string[] = [];
  readonly observed: number[] = [];
  readonly failures: string[] = [];
  readonly lines: KeptLine[] = [];
  /** What the fleet looks like from here. */
  isPinnedAway = false;
  isClaimed = false;
  rollBack: () => Promise<boolean> = async () => {
    if (!this.isPinnedAway) return false;
    this.isPinnedAway = false;
    return true;
  };
  readonly watch: HandoverWatch;
  others: Peer[] = [];

  constructor(clock: VirtualClock) {
    this.watch = new HandoverWatch({
      clock,
      log: logInto(this.lines),
      metrics: {
        count: (name, { reason = "" }) => this.failures.push(`${name} ${reason}`),
        gauge: () => undefined,
        observe: (_, __, seconds) => this.observed.push(seconds),
      },
      limitMs: LIMIT_MS,
      tell: (message) => {
        for (const { watch } of this.others) watch.told(message, "peer 1");
      },
      wake: (symbols, by) => {
        this.woken.push(...symbols);
        this.said.push(`${by} let go of ${symbols.join(", ")}`);
      },
      traded: (symbol) => this.said.push(`${symbol} traded`),
      isMovedAway: () => this.isPinnedAway,
      isClaimed: async () => this.isClaimed,
      rollBack: async () => this.rollBack(),
    });
  }

  async give(symbol: string, stopping: () => Promise<void> = async () => undefined): Promise<void> {
    await this.watch.give(symbol, stopping);
    this.watch.released(symbol);
  }
}

let clock: VirtualClock;
let old: Peer;
let next: Peer;
let third: Peer;

/** Moves time on, and lets everything that is due happen. */
const pass = async (ms: number): Promise<void> => {
  const end = clock.now() + ms;
  for (let at = clock.nextTimerAt(); at !== undefined && at <= end; at = clock.nextTimerAt()) {
    if (at > clock.now()) clock.advanceTo(at);
    clock.runDueTimer();
    await settle();
  }
  if (end > clock.now()) clock.advanceTo(end as Instant);
  await settle();
};

/** Lets what waits for nothing but its turn come to its end. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

beforeEach(() => {
  clock = new VirtualClock(1_000_000 as Instant);
  [old, next, third] = [new Peer(clock), new Peer(clock), new Peer(clock)];
  for (const one of [old, next, third]) one.others = [old, next, third].filter((other) => other !== one);
});

describe("the pause of a handover", () => {
  it("is counted by the new owner, from the moment on in which the old one began to stop", async () => {
    await old.give(BTC, async () => clock.advanceTo((clock.now() + 120) as Instant));
    await pass(230);
    next.watch.trading(BTC);

    expect(next.woken).toEqual([BTC]);
    expect(next.observed).toEqual([0.35]);
    expect([...old.observed, ...third.observed]).toEqual([]);
  });

  it("is counted once, and not where nobody gave the symbol away", async () => {
    await old.give(BTC);
    next.watch.trading(BTC);
    await pass(5000);
    third.watch.trading(BTC);
    next.watch.trading("ETH/USDT");

    expect([next.observed, third.observed]).toEqual([[0], []]);
  });

  it("is none where a bot stops and starts again at the same instance", async () => {
    await old.give(BTC);
    await pass(100);
    old.watch.trading(BTC);

    expect([...old.observed, ...next.observed]).toEqual([]);
    expect(old.failures).toEqual([]);
  });
});

describe("what the others are told", () => {
  it("is who has let go of what, and what is traded again", async () => {
    await old.give(BTC);
    next.watch.trading(BTC);

    expect(next.said).toEqual([`peer 1 let go of ${BTC}`, `${BTC} traded`]);
    expect(third.said).toEqual([`peer 1 let go of ${BTC}`, `${BTC} traded`]);
  });

  it("is also what was lost, which is no handover", () => {
    old.watch.lost([BTC, "ETH/USDT"]);
    next.watch.trading(BTC);

    expect(third.said).toEqual([`peer 1 let go of ${BTC}, ETH/USDT`, `${BTC} traded`]);
    expect(next.observed).toEqual([]);
  });
});

describe("a symbol that was moved", () => {
  beforeEach(() => {
    old.isPinnedAway = true;
  });

  it("is left alone once its new owner trades it", async () => {
    await old.give(BTC);
    await pass(LIMIT_MS - 1);
    next.watch.trading(BTC);
    await pass(10 * LIMIT_MS);

    expect(old.isPinnedAway).toBe(true);
    expect(old.failures).toEqual([]);
  });

  it("is taken back and counted once it was not claimed within the limit", async () => {
    await old.give(BTC);
    await pass(LIMIT_MS - 1);
    expect(old.isPinnedAway).toBe(true);
    await pass(1);

    expect(old.isPinnedAway).toBe(false);
    expect(old.failures).toEqual(["quantmesh_failed_handovers_total not_claimed"]);
    old.watch.trading(BTC);
    await pass(10 * LIMIT_MS);
    expect(old.failures).toHaveLength(1);
  });

  it("is given the limit a second time once it is claimed, and taken back where it is not traded then", async () => {
    await old.give(BTC);
    old.isClaimed = true;
    await pass(2 * LIMIT_MS - 1);
    expect(old.failures).toEqual([]);
    await pass(1);

    expect(old.failures).toEqual(["quantmesh_failed_handovers_total not_trading"]);
  });

  it("is looked after until it can be judged, where the database or etcd is away at the limit", async () => {
    let isAway = true;
    const { rollBack } = old;
    old.rollBack = async () => {
      if (isAway) throw new Error("etcd is away");
      return rollBack();
    };
    await old.give(BTC);
    await pass(3 * LIMIT_MS);
    expect(old.failures).toEqual([]);
    isAway = false;
    await pass(LIMIT_MS);

    expect(old.failures).toEqual(["quantmesh_failed_handovers_total not_claimed"]);
  });

  it("comes back because its new seat is gone: the pin goes with it, and that counts as failed", async () => {
    await old.give(BTC);
    await pass(2000);
    old.watch.trading(BTC);
    await pass(0);

    expect(old.isPinnedAway).toBe(false);
    expect(old.failures).toEqual(["quantmesh_failed_handovers_total target_gone"]);
  });

  it("comes back because a person called the move off: that is no failure", async () => {
    await old.give(BTC);
    old.isPinnedAway = false;
    old.watch.trading(BTC);
    await pass(10 * LIMIT_MS);

    expect(old.failures).toEqual([]);
  });

  it("counts as failed where its bot could not be stopped in order, and is given away all the same", async () => {
    const stop = old.watch.give(BTC, async () => {
      throw new Error("the database is away");
    });

    await expect(stop).rejects.toThrow("the database is away");
    old.watch.released(BTC);
    expect(next.woken).toEqual([BTC]);
    expect(old.failures).toEqual(["quantmesh_failed_handovers_total not_released"]);
  });

  it("is nobody's business any more once the instance closes", async () => {
    await old.give(BTC);
    old.watch.close();
    await pass(10 * LIMIT_MS);

    expect(old.isPinnedAway).toBe(true);
    expect(clock.nextTimerAt()).toBeUndefined();
  });
});
