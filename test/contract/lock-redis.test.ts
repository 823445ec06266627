/** The lock contract on real Redis servers: one, several connections, Sentinel, Cluster, and a quorum of three. */
import { afterAll, beforeAll } from "vitest";
import type { RedisLayout } from "../../src/lock/open-redis.ts";
import { realLockService } from "../support/lock-service.ts";
import type { PrivateServer } from "../support/servers/private-server.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import type { WatchedRedis } from "../support/servers/redis-cluster.ts";
import { startRedisCluster, startWatchedRedis } from "../support/servers/redis-cluster.ts";
import { aged, startRedis } from "../support/servers/redis.ts";
import { describeLock } from "./describe-lock.ts";

/** A quarter of it is the limit of a call: long enough for a busy machine. */
const TTL_MS = 4_000;
const LAG_MS = 50;

const at = ({ port }: PrivateServer) => ({ host: "127.0.0.1", port });

describeOn("redis", async () => {
  const server = await startRedis();
  return { servers: [server], layout: { kind: "single", address: at(server), connections: 3 } };
});

describeOn("redis quorum of three", async () => {
  const servers = await Promise.all([startRedis(), startRedis(), startRedis()]);
  return { servers, layout: { kind: "quorum", nodes: servers.map(at) } };
});

describeOn("redis cluster of three masters", async () => {
  const servers = await startRedisCluster();
  return { servers, layout: { kind: "cluster", seeds: servers.slice(0, 1).map(at) } };
});

describeWithServers(["redis-server"], "locks in a Redis under Sentinel", () => {
  let watched: WatchedRedis;
  beforeAll(async () => {
    watched = await startWatchedRedis();
    await aged(watched.master, TTL_MS);
  });
  afterAll(() => watched.stop());

  describeLock("redis sentinel", async () => {
    const { sentinels, masterName } = watched;
    return service({ kind: "sentinel", sentinels: sentinels.map(at), master: masterName });
  });
});

interface Started {
  readonly servers: readonly PrivateServer[];
  readonly layout: RedisLayout;
}

function describeOn(name: string, start: () => Promise<Started>): void {
  describeWithServers(["redis-server"], `on private servers: ${name}`, () => {
    let started: Started;
    beforeAll(async () => {
      started = await start();
      await Promise.all(started.servers.map((server) => aged(server, TTL_MS)));
    });
    afterAll(async () => {
      await Promise.all(started.servers.map((server) => server.stop()));
    });

    describeLock(name, async () => service(started.layout));
  });
}

function service(layout: RedisLayout) {
  return realLockService((prefix) => ({ type: "redis", layout, prefix, maxTtlMs: TTL_MS }), LAG_MS);
}
