/** Asks each Redis server of the lock what it is; reads only. */
import type { RedisOptions } from "ioredis";
import { Redis } from "ioredis";
import type { Finding } from "../domain/finding.ts";
import { fault, ok } from "../domain/finding.ts";
import type { RoundTrip } from "../domain/round-trip.ts";
import { medianMs } from "../domain/round-trip.ts";
import type { RedisFacts } from "./judge-redis.ts";
import { judgeQuorum, judgeRedis } from "./judge-redis.ts";
import type { RedisAddress, RedisLockOptions } from "./open-redis.ts";
import { credentialsOf, nameOf } from "./open-redis.ts";
import { parseInfo } from "./redis-info.ts";
import { reasonOf } from "./unavailable.ts";

const PINGS = 5;

/** `limitMs` bounds each connection and command. What fails is a finding, not an error. */
export async function checkRedis(options: RedisLockOptions, limitMs: number): Promise<readonly Finding[]> {
  const { layout, maxTtlMs } = options;
  const servers = await serversOf(options, limitMs);
  const asked = await Promise.all(servers.addresses.map(async (each) => askServer(options, each, limitMs)));
  const answering = asked.filter((one): one is RedisFacts => "info" in one);
  const needs = { maxTtlMs, isVoter: layout.kind === "quorum", isCluster: layout.kind === "cluster" };
  return [
    ...servers.findings,
    ...asked.flatMap((one) => ("info" in one ? judgeRedis(one, needs) : [one])),
    ...(layout.kind === "quorum" ? judgeQuorum(servers.addresses.map(nameOf), answering) : []),
  ];
}

interface Servers {
  readonly addresses: readonly RedisAddress[];
  readonly findings: readonly Finding[];
}

async function serversOf({ layout, ...options }: RedisLockOptions, limitMs: number): Promise<Servers> {
  switch (layout.kind) {
    case "single":
      return { addresses: [layout.address], findings: [] };
    case "cluster":
      return { addresses: layout.seeds, findings: [] };
    case "quorum":
      return { addresses: layout.nodes, findings: [] };
    case "sentinel": {
      const { sentinels, master } = layout;
      const ask = async (sentinel: RedisAddress) =>
        askSentinel(sentinel, master, options.tls ?? false, limitMs);
      const answers = await Promise.all(sentinels.map(ask));
      const addresses = answers.flatMap(({ master: found }) => found ?? []);
      // Each Sentinel names the same master, except amid a failover.
      const different = new Map(addresses.map((address) => [nameOf(address), address]));
      return { addresses: [...different.values()], findings: answers.map(({ finding }) => finding) };
    }
  }
}

async function askSentinel(
  sentinel: RedisAddress,
  master: string,
  tls: boolean,
  limitMs: number,
): Promise<{ readonly finding: Finding; readonly master?: RedisAddress }> {
  const name = `Sentinel ${nameOf(sentinel)}`;
  try {
    return await connected({ ...sentinel, ...(tls ? { tls: {} } : {}) }, limitMs, async (redis) => {
      const told = await redis.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master);
      if (!Array.isArray(told)) {
        const remedy =
          "set distributed_lock.redis.master_name to the name in sentinel.conf (sentinel monitor)";
        return { finding: fault("redis.reach", `${name} knows no master "${master}"`, remedy) };
      }
      const [host, port] = told as readonly unknown[];
      const found = { host: String(host), port: Number(port) };
      return { finding: ok("redis.reach", `${name} names ${nameOf(found)}`), master: found };
    });
  } catch (error) {
    return { finding: unreachable(name, error, "distributed_lock.redis.sentinels") };
  }
}

async function askServer(
  options: RedisLockOptions,
  address: RedisAddress,
  limitMs: number,
): Promise<RedisFacts | Finding> {
  const name = nameOf(address);
  try {
    return await connected({ ...credentialsOf(options), ...address }, limitMs, async (redis) => {
      const trips: RoundTrip[] = [];
      for (let asked = 0; asked < PINGS; asked += 1) {
        const sent = performance.now();
        await redis.ping();
        trips.push({ sent, received: performance.now() });
      }
      return { name, info: parseInfo(await redis.info()), pingMs: medianMs(trips) };
    });
  } catch (error) {
    return unreachable(name, error, "distributed_lock.redis");
  }
}

/** One connection that is never made again. */
async function connected<Answer>(
  connection: RedisOptions,
  limitMs: number,
  work: (redis: Redis) => Promise<Answer>,
): Promise<Answer> {
  const redis = new Redis({
    ...connection,
    lazyConnect: true,
    connectTimeout: limitMs,
    commandTimeout: limitMs,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let trouble: unknown;
  redis.on("error", (error: unknown) => {
    trouble = error;
  });
  try {
    await redis.connect();
    return await work(redis);
  } catch (error) {
    // ioredis says that the connection is closed; why, it has said before.
    throw trouble ?? error;
  } finally {
    redis.disconnect();
  }
}

function unreachable(name: string, error: unknown, key: string): Finding {
  const says = `${name}: ${reasonOf(error)}`;
  if (/NOAUTH|WRONGPASS|NOPERM|invalid password/i.test(says)) {
    return fault(
      "redis.reach",
      says,
      `correct username and password in ${key}, and what that user may do (docs/locks.md)`,
    );
  }
  return fault("redis.reach", says, `start the server, or correct its host and port in ${key}`);
}
