/** The counters of shared request limits where Redis is a Cluster, and where it stands under Sentinel. */
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterEach, expect, it } from "vitest";
import { RedisBan } from "../../src/exchange/limits/redis-ban.ts";
import { RedisCounters } from "../../src/exchange/limits/redis-counters.ts";
import { connectRedis } from "../../src/lock/connect-redis.ts";
import type { RedisLayout } from "../../src/lock/open-redis.ts";
import type { PrivateServer } from "../support/servers/private-server.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import { startRedisCluster, startWatchedRedis } from "../support/servers/redis-cluster.ts";

const TIMEOUT_MS = 5_000;
const KEPT_MS = 60_000;
/** As those of an exchange's intervals; enough that every server of a Cluster has some. */
const NAMES = Array.from({ length: 24 }, (_, index) => `binance:0123abcd:weight:60000:${index}`);

const at = ({ port }: PrivateServer) => ({ host: "127.0.0.1", port });

describeWithServers(["redis-server"], "the counters of shared request limits", () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  });

  async function connectClient(layout: RedisLayout): Promise<object> {
    const connection = await connectRedis({ layout, timeoutMs: TIMEOUT_MS });
    ends.push(() => connection.close());
    await connection.ping();
    return connection.client;
  }

  async function connect(layout: RedisLayout): Promise<RedisCounters> {
    return new RedisCounters(await connectClient(layout), "test:rate");
  }

  it("are common to all instances on every master of a Cluster, and fail alone where one is away", async () => {
    const servers = await startRedisCluster();
    ends.push(() => Promise.all(servers.map((server) => server.stop())));
    const layout: RedisLayout = { kind: "cluster", seeds: servers.slice(0, 1).map(at) };
    const [one, other] = await Promise.all([connect(layout), connect(layout)]);

    for (const name of NAMES) await expectCommon(one, other, name);

    const counts = await Promise.all(servers.map(countKeys));
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(counts.reduce((sum, keys) => sum + keys, 0)).toBe(NAMES.length);
    await servers[2]?.crash();
    const sums = await Promise.allSettled(NAMES.map((name) => one.add(name, 1, KEPT_MS)));
    expect(sums.filter(({ status }) => status === "rejected")).toHaveLength(counts[2] ?? 0);
  });

  it("are beside the exchange's ban, which is common too, is never made shorter, and ends by itself", async () => {
    const servers = await startRedisCluster();
    ends.push(() => Promise.all(servers.map((server) => server.stop())));
    const layout: RedisLayout = { kind: "cluster", seeds: servers.slice(0, 1).map(at) };
    const clients = await Promise.all([connectClient(layout), connectClient(layout)]);
    const [one, other] = clients.map((client) => new RedisBan(client, "test:rate:binance:0123abcd:ban"));
    if (!one || !other) throw new Error("two are connected");

    expect(await other.extend(0)).toBe(0);
    expect(await one.extend(KEPT_MS)).toBe(KEPT_MS);
    for (const forMs of [0, 1_000]) {
      const left = await other.extend(forMs);
      expect(left).toBeGreaterThan(KEPT_MS / 2);
      expect(left).toBeLessThanOrEqual(KEPT_MS);
    }
    expect(await other.extend(2 * KEPT_MS)).toBe(2 * KEPT_MS);
    expect(await one.extend(0)).toBeGreaterThan(KEPT_MS);

    const brief = clients.map((client) => new RedisBan(client, "test:rate:binance:4567cdef:ban"));
    await brief[0]?.extend(50);
    while ((await brief[1]?.extend(0)) !== 0) await delay(20);
  });

  it("are common to all instances under Sentinel, and go on at the server that takes over", async () => {
    const watched = await startWatchedRedis();
    ends.push(() => watched.stop());
    const sentinels = watched.sentinels.map(at);
    const layout: RedisLayout = { kind: "sentinel", sentinels, master: watched.masterName };
    const [one, other] = await Promise.all([connect(layout), connect(layout)]);
    await expectCommon(one, other, "before");

    await watched.master.crash();
    for (const counters of [one, other]) {
      const answers = (): Promise<boolean> =>
        counters.count("before").then(
          () => true,
          () => false,
        );
      while (!(await answers())) await delay(50);
    }

    await expectCommon(one, other, "after");
  });
});

/** What one takes, the other cannot; what is added in any case, both see. */
async function expectCommon(one: RedisCounters, other: RedisCounters, name: string): Promise<void> {
  expect(await one.take(name, 3, 5, KEPT_MS)).toBe(3);
  expect(await other.take(name, 2, 5, KEPT_MS)).toBe(5);
  expect(await one.take(name, 1, 5, KEPT_MS)).toBeUndefined();
  expect(await other.add(name, 4, KEPT_MS)).toBe(9);
  expect(await one.count(name)).toBe(9);
}

async function countKeys({ port }: PrivateServer): Promise<number> {
  const client = new Redis(port, "127.0.0.1");
  try {
    return await client.dbsize();
  } finally {
    client.disconnect();
  }
}
