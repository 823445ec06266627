/** Makes the lock that the options name. */
import type { Clock } from "../domain/clock.ts";
import type { DatabaseLockOptions } from "./database-lock.ts";
import { DatabaseLock } from "./database-lock.ts";
import type { EtcdLockOptions } from "./etcd-lock.ts";
import { EtcdLock } from "./etcd-lock.ts";
import type { LockProvider } from "./lock.ts";
import { MemoryLock } from "./memory-lock.ts";
import type { RedisLockOptions } from "./open-redis.ts";
import { openRedisLock } from "./open-redis.ts";

export type LockOptions =
  | { readonly type: "memory" }
  | RedisLockOptions
  | EtcdLockOptions
  | DatabaseLockOptions;

/**
 * `memory` guards one process only: enough where one process owns the account. The others wait a moment for their
 * service and then open in any case: what cannot be asked grants nothing until it can. Throws CONFIG_INVALID.
 */
export async function createLock(options: LockOptions, clock: Clock): Promise<LockProvider> {
  switch (options.type) {
    case "memory":
      return new MemoryLock(clock);
    case "redis":
      return openRedisLock(options, clock);
    case "etcd":
      return new EtcdLock(options, clock);
    case "database":
      return new DatabaseLock(options, clock);
  }
}
