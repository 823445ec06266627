/** Until when a registered instance may act. */
import { expect, it } from "vitest";
import { fleetKeys } from "../../../src/coordination/fleet-view.ts";
import type { KeyStore } from "../../../src/coordination/key-store.ts";
import { LeaseKeeper } from "../../../src/coordination/lease-keeper.ts";
import { Mirror } from "../../../src/coordination/mirror.ts";
import type { Clock } from "../../../src/domain/clock.ts";
import type { Instant } from "../../../src/domain/ids.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import { logInto } from "../../support/kept-log.ts";

const TTL_MS = 10_000;
const STALL_MS = 300;

it("does not act after a pause of its own on what it asked before the pause", async () => {
  const time = new VirtualClock(1_000_000 as Instant);
  let pausedMs = 0;
  const clock: Clock = {
    now: () => (time.now() + pausedMs) as Instant,
    monotonic: () => time.monotonic() + pausedMs,
    after: (delayMs, run) => time.after(delayMs, run),
  };
  /** Listings that are asked for and not answered. */
  const asked: (() => void)[] = [];
  let isAway = false;
  const store = {
    list: async () => {
      await new Promise<void>((answer) => asked.push(answer));
      return { revision: 1, entries: [] };
    },
    write: async () => 1,
    grantLease: async () => ({ id: "1", ttlMs: TTL_MS }),
    keepLease: async () => {
      if (isAway) throw new Error("away");
      return true;
    },
  } as unknown as KeyStore;
  const log = logInto([]);
  const keys = fleetKeys("f");
  const mirror = new Mirror({
    store,
    prefix: keys.prefix,
    clock,
    log,
    listIntervalMs: 1,
    changed: () => undefined,
  });
  const keeper = new LeaseKeeper({
    store,
    keys,
    mirror,
    clock,
    log,
    me: { id: "a", incarnation: "1-a" },
    ttlMs: TTL_MS,
    stallMs: STALL_MS,
    describe: () => ({}) as ReturnType<ConstructorParameters<typeof LeaseKeeper>[0]["describe"]>,
  });
  /** Lets time pass, timer after timer, each with all that follows from it. */
  const pass = async (ms: number): Promise<void> => {
    const end = time.now() + ms;
    for (let at = time.nextTimerAt(); at !== undefined && at <= end; at = time.nextTimerAt()) {
      time.advanceTo(at);
      time.runDueTimer();
      await settle();
    }
    time.advanceTo(end as Instant);
  };
  const opening = keeper.open();
  await settle();
  asked.shift()?.();
  await settle();
  asked.shift()?.();
  await opening;
  expect(keeper.isValid()).toBe(true);
  isAway = true;
  await pass(TTL_MS);
  isAway = false;
  await pass(TTL_MS / 10);
  expect([keeper.isValid(), asked.length]).toEqual([false, 1]);

  // No timer runs in the pause. The listing was answered before it, and is read after it.
  pausedMs = 2 * STALL_MS;
  await pass(STALL_MS / 2);
  asked.shift()?.();
  await settle();

  expect([keeper.isValid(), asked.length]).toEqual([false, 1]);
  asked.shift()?.();
  await settle();
  expect(keeper.isValid()).toBe(true);
});

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
