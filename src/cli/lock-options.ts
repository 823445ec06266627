/** From the config of the lock to the lock. */
import type { Config } from "../config/schema.ts";
import { hasCode } from "../domain/errors.ts";
import type { Log } from "../domain/log.ts";
import type { LockOptions } from "../lock/create-lock.ts";
import type { LockProvider } from "../lock/lock.ts";
import type { RedisAddress, RedisLayout, RedisLockOptions } from "../lock/open-redis.ts";
import type { Storage } from "../storage/storage.ts";

type LockConfig = Config["distributed_lock"];

export function lockOptions(config: LockConfig, storage: Storage): LockOptions {
  const { prefix, etcd } = config;
  const maxTtlMs = config.default_ttl * 1000;
  switch (config.enabled ? config.type : "memory") {
    case "memory":
      return { type: "memory" };
    case "database":
      return { type: "database", storage, prefix, maxTtlMs };
    case "redis":
      return redisOptions(config);
    case "etcd": {
      const { endpoints: hosts, username, password } = etcd;
      const login = username === undefined ? {} : { username, password };
      return { type: "etcd", hosts, prefix, maxTtlMs, ...login };
    }
  }
}

export function redisOptions({ prefix, redis, default_ttl: seconds }: LockConfig): RedisLockOptions {
  return {
    type: "redis",
    layout: redisLayout(redis),
    prefix,
    maxTtlMs: seconds * 1000,
    ...redisCredentials(redis),
  };
}

/** Who we are there, and how it is spoken to. */
export function redisCredentials({ username, password, db, tls }: LockConfig["redis"]) {
  return {
    db,
    tls,
    ...(username === undefined ? {} : { username }),
    ...(password === "" ? {} : { password }),
  };
}

/** Tells at the start whether anything can be placed; a service that is away may come later. */
export async function reportLock(lock: LockProvider, backend: string, log: Log): Promise<void> {
  try {
    await lock.ping();
  } catch (error) {
    if (!hasCode(error, "LOCK_UNAVAILABLE")) throw error;
    log.warn({ backend, reason: error.message }, "lock.nothing_is_placed_without_it");
  }
}

export function redisLayout({
  addr,
  sentinels,
  master_name,
  cluster,
  nodes,
  pool_size,
}: LockConfig["redis"]): RedisLayout {
  if (sentinels.length > 0) {
    return { kind: "sentinel", sentinels: sentinels.map(parseAddress), master: master_name };
  }
  if (cluster.length > 0) return { kind: "cluster", seeds: cluster.map(parseAddress) };
  if (nodes.length > 0) return { kind: "quorum", nodes: nodes.map(parseAddress) };
  return { kind: "single", address: parseAddress(addr), connections: pool_size };
}

function parseAddress(text: string): RedisAddress {
  const [host = "", port] = text.split(":");
  return { host, port: Number(port) };
}
