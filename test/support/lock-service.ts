/** A lock service on real servers for the lock contract: each test gets keys of its own and providers to them. */
import { setTimeout as delay } from "node:timers/promises";
import { realClock } from "../../src/exchange/sim/real-clock.ts";
import type { LockOptions } from "../../src/lock/create-lock.ts";
import { createLock } from "../../src/lock/create-lock.ts";
import type { LockProvider } from "../../src/lock/lock.ts";
import type { LockService } from "../contract/describe-lock.ts";

let tests = 0;

/** `options` are those of a provider whose keys begin with `prefix`. */
export function realLockService(options: (prefix: string) => LockOptions, lagMs: number): LockService {
  tests += 1;
  const prefix = `test-${tests}:`;
  const open: LockProvider[] = [];
  return {
    connect: async () => {
      const lock = await createLock(options(prefix), realClock);
      open.push(lock);
      return lock;
    },
    monotonic: () => performance.now(),
    pass: (ms) => delay(ms),
    lagMs,
    end: async () => {
      await Promise.all(open.map((lock) => lock.close()));
    },
  };
}
