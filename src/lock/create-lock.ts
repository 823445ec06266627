/** Makes the lock that the options name. */
import type { Clock } from "../domain/clock.ts";
import type { LockProvider } from "./lock.ts";
import { MemoryLock } from "./memory-lock.ts";

export interface LockOptions {
  readonly type: "memory";
}

/** `memory` guards one process only: enough where one process owns the account. */
export function createLock(_options: LockOptions, clock: Clock): LockProvider {
  return new MemoryLock(clock);
}
