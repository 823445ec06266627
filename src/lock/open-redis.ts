/** Opens the locks of a Redis installation: one server, Sentinel, Cluster, or a quorum of independent servers. */
import type { RedisOptions } from "ioredis";
import type { Clock } from "../domain/clock.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { LockProvider } from "./lock.ts";
import { RedisCluster } from "./redis-cluster.ts";
import { RedisLock } from "./redis-lock.ts";
import { RedisNode } from "./redis-node.ts";
import { RedisQuorum } from "./redis-quorum.ts";
import type { RedisTimes } from "./redis-service.ts";
import { RedisServer } from "./redis-service.ts";

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export type RedisLayout =
  | { readonly kind: "single"; readonly address: RedisAddress; readonly connections?: number }
  | { readonly kind: "sentinel"; readonly sentinels: readonly RedisAddress[]; readonly master: string }
  | { readonly kind: "cluster"; readonly seeds: readonly RedisAddress[] }
  | { readonly kind: "quorum"; readonly nodes: readonly RedisAddress[] };

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
/** Servers that are away refuse at once; only one that hangs is waited for. */
const OPENING_LIMIT_MS = 5_000;

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
    case "cluster": {
      const connect = (address: string, isJoining: boolean): RedisNode =>
        new RedisNode({
          connection: { ...credentials, ...addressOf(address) },
          name: address,
          ...times,
          quarantineMs: isJoining ? maxTtlMs : 0,
        });
      return opened(new RedisCluster({ prefix, seeds: layout.seeds.map(nameOf), connect }), times, clock);
    }
    case "quorum": {
      const nodes = quorumOf(layout.nodes).map(
        (address) =>
          new RedisNode({ connection: { ...credentials, ...address }, name: nameOf(address), ...times }),
      );
      await Promise.all(nodes.map((node) => node.opened(OPENING_LIMIT_MS)));
      return new RedisQuorum(nodes, prefix, times, clock);
    }
  }
}

async function opened(
  service: RedisServer | RedisCluster,
  times: RedisTimes,
  clock: Clock,
): Promise<LockProvider> {
  await service.opened(OPENING_LIMIT_MS);
  return new RedisLock(service, times, clock);
}

/** With an even number neither side may have a majority; two servers are less safe than one. */
function quorumOf(nodes: readonly RedisAddress[]): readonly RedisAddress[] {
  const different = new Set(nodes.map(nameOf)).size;
  if (different === nodes.length && (different === 3 || different === 5)) return nodes;
  throw new QuantmeshError(
    "CONFIG_INVALID",
    `distributed_lock.redis.nodes: a majority needs three or five different servers, not ${different}`,
  );
}

/** Who we are at each server. */
export function credentialsOf({ username, password, db, tls }: RedisLockOptions): RedisOptions {
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

function addressOf(name: string): RedisAddress {
  const at = name.lastIndexOf(":");
  return { host: name.slice(0, at), port: Number(name.slice(at + 1)) };
}
