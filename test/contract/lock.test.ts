/** The lock contract on the memory lock, over a clock that only moves when it is told to. */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/domain/clock.ts";
import { instant } from "../../src/domain/ids.ts";
import { realClock } from "../../src/exchange/sim/real-clock.ts";
import { createLock } from "../../src/lock/create-lock.ts";
import type { LockService } from "./describe-lock.ts";
import { describeLock } from "./describe-lock.ts";

describe("the memory lock", () => {
  it("leaves no timer behind when nobody waits any more", async () => {
    const clock = new ManualClock();
    const lock = await createLock({ type: "memory" }, clock);
    const owner = { fleet: "fleet-a", epoch: 1 };
    const held = await lock.tryAcquire(["a"], { fleet: "fleet-b", epoch: 1 }, 1_000);
    const abort = new AbortController();
    const limits = { timeoutMs: 60_000, signal: abort.signal };
    const aborted = lock.acquire(["a", "b"], owner, 1_000, limits);
    const served = lock.acquire(["a"], owner, 1_000, patient);
    expect(clock.timers).toBeGreaterThan(0);

    abort.abort();
    if (held) await lock.release(held);
    expect(await Promise.all([aborted, served])).toMatchObject([undefined, { keys: ["a"] }]);

    expect(clock.timers).toBe(0);
  });

  it("wakes one who waits whose key expired between the question and the answer", async () => {
    const clock = new ManualClock();
    const lock = await createLock({ type: "memory" }, clock);
    await lock.tryAcquire(["a"], { fleet: "fleet-b", epoch: 1 }, 1_000);
    clock.driftMs = 600;

    const waiting = lock.acquire(["a"], { fleet: "fleet-a", epoch: 1 }, 1_000, patient);
    clock.driftMs = 0;
    await clock.pass(0);

    expect(await waiting).toMatchObject({ keys: ["a"] });
  });
});

const patient = { timeoutMs: 60_000, signal: new AbortController().signal };

describeLock("memory", async () => inMemory(new ManualClock()), {
  startInRealTime: async () => inMemory({ ...realClock, pass: (ms) => delay(ms) }),
});

async function inMemory(clock: Clock & { pass(ms: number): Promise<void> }): Promise<LockService> {
  const lock = await createLock({ type: "memory" }, clock);
  return {
    connect: async () => lock,
    monotonic: () => clock.monotonic(),
    pass: (ms) => clock.pass(ms),
    lagMs: 0,
    end: () => lock.close(),
  };
}

class ManualClock implements Clock {
  /** How far the clock moves by being read. */
  driftMs = 0;
  #now = 1_000;
  #timers: readonly { readonly at: number; readonly run: () => void }[] = [];

  now() {
    return instant(this.#now);
  }

  get timers(): number {
    return this.#timers.length;
  }

  monotonic(): number {
    this.#now += this.driftMs;
    return this.#now;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#now + delayMs, run };
    this.#timers = [...this.#timers, timer].sort((a, b) => a.at - b.at);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (let next = this.#timers[0]; next && next.at <= end; next = this.#timers[0]) {
      this.#timers = this.#timers.slice(1);
      this.#now = next.at;
      next.run();
      await Promise.resolve();
    }
    this.#now = end;
  }
}
