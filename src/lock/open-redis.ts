/** Opens the locks of a Redis installation: one server, Sentinel, Cluster, or a quorum of independent servers. */
import type { RedisOptions } from "ioredis";
import type { Clock } from "../domain/clock.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { LockProvider } from "./lock.ts";
import { RedisLock } from "./redis-lock.ts";
import type { RedisTimes } from "./redis-service.ts";
import { RedisServer } from "./redis-service.ts";

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export type RedisLayout =
  | { readonly kind: "single"; readonly address: RedisAddress; readonly connections?: number }
  | { readonly kind: "sentinel"; readonly sentinels: readonly RedisAddress[]; readonly master: string };

export interface RedisLockOptions {
  readonly type: "redis";
  readonly layout: RedisLayout;
  readonly prefix: string;
  /** The longest time that a lock is held without being extended, by anybody on this service. */
  readonly maxTtlMs: number;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly tls?: boolean;
}

/** A command that takes longer than this share of the TTL counts as unanswered. */
const TIMEOUT_SHARE = 4;
const LONGEST_OPENING_MS = 5_000;

export async function openRedisLock(options: RedisLockOptions, clock: Clock): Promise<LockProvider> {
  const { layout, prefix, maxTtlMs } = options;
  const times: RedisTimes = { timeoutMs: Math.floor(maxTtlMs / TIMEOUT_SHARE), maxTtlMs };
  const credentials = credentialsOf(options);
  switch (layout.kind) {
    case "single": {
      const { address, connections = 1 } = layout;
      const connection = { ...credentials, ...address };
      return opened(new RedisServer(connection, nameOf(address), prefix, connections, times), times, clock);
    }
    case "sentinel": {
      const { sentinels, master } = layout;
      const connection: RedisOptions = {
        ...credentials,
        sentinels: sentinels.map((address) => ({ ...address })),
        name: master,
        failoverDetector: true,
        sentinelCommandTimeout: times.timeoutMs,
        sentinelRetryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), 1_000),
      };
      return opened(new RedisServer(connection, `${master} (Sentinel)`, prefix, 1, times), times, clock);
    }
  }
}

async function opened(server: RedisServer, times: RedisTimes, clock: Clock): Promise<LockProvider> {
  await server.opened(Math.min(times.timeoutMs, LONGEST_OPENING_MS));
  return new RedisLock(server, times, clock);
}

function credentialsOf({ username, password, db, tls }: RedisLockOptions): RedisOptions {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(db === undefined ? {} : { db }),
    ...(tls === true ? { tls: {} } : {}),
  };
}

export function nameOf({ host, port }: RedisAddress): string {
  return `${host}:${port}`;
}

export function invalid(message: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", message);
}
