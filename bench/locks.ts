/** Locks against what their client libraries do by themselves, on private servers, side by side in one run. */
import { randomUUID } from "node:crypto";
import { Etcd3 } from "etcd3";
import { Redis } from "ioredis";
import { Pool } from "pg";
import Redlock from "redlock";
import { realClock } from "../src/exchange/sim/real-clock.ts";
import { createLock } from "../src/lock/create-lock.ts";
import type { Grant, LockProvider } from "../src/lock/lock.ts";
import { createStorage } from "../src/storage/create-storage.ts";
import { parseDsn } from "../src/storage/dsn.ts";
import { startEtcd } from "../test/support/servers/etcd.ts";
import { startPostgres } from "../test/support/servers/postgres.ts";
import { aged, startRedis } from "../test/support/servers/redis.ts";
import type { BenchResult } from "./bench.ts";
import { spreadOf } from "./bench.ts";

const TTL_MS = 4_000;
/** Sides take turns every few milliseconds, or after one operation where it takes longer. */
interface Turns {
  readonly rounds: number;
  readonly slices: number;
  readonly sliceMs: number;
}
const FAST: Turns = { rounds: 15, slices: 40, sliceMs: 5 };
const SLOW: Turns = { rounds: 5, slices: 8, sliceMs: 25 };
const IN_FLIGHT = 100;
const LEVELS = 20;
const HELD_LEVELS = 10_000;
const RAW = "raw SET NX PX + Lua";
const OWNER = { fleet: "6f1c9a3e-8f4b-4d43-9c1f-1f3a52a2c7de", epoch: 7 };
const UNLOCK =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

/** What is measured: one pair of acquire and release, of a key of its own. */
type Pair = (key: string) => Promise<void>;

export async function benchLocks(): Promise<readonly BenchResult[]> {
  return [
    ...(await benchRedis()),
    ...(await benchQuorum()),
    ...(await benchEtcd()),
    ...(await benchDatabase()),
  ];
}

async function benchRedis(): Promise<readonly BenchResult[]> {
  const server = await startRedis();
  await aged(server, TTL_MS);
  const raw = new Redis(server.port, "127.0.0.1");
  const lock = await createLock(
    {
      type: "redis",
      layout: { kind: "single", address: { host: "127.0.0.1", port: server.port } },
      prefix: "ours:",
      maxTtlMs: TTL_MS,
    },
    realClock,
  );
  try {
    const rawPair = rawRedis(raw);
    const ours = pairOf(lock, TTL_MS);
    return [
      result("locks: redis 1 node sequential", "pairs/s", RAW, await compare(rawPair, ours, 1, FAST)),
      result("locks: redis 1 node concurrent", "pairs/s", RAW, await compare(rawPair, ours, IN_FLIGHT, FAST)),
      result(
        "locks: redis batch of 20 levels",
        "pairs/s",
        "one level",
        await compare(ours, batchOf(lock, TTL_MS), 1, FAST),
      ),
      await benchExtension(lock, "redis 1 node", TTL_MS),
    ];
  } finally {
    raw.disconnect();
    await lock.close();
    await server.stop();
  }
}

async function benchQuorum(): Promise<readonly BenchResult[]> {
  const servers = await Promise.all([startRedis(), startRedis(), startRedis()]);
  await Promise.all(servers.map((server) => aged(server, TTL_MS)));
  const nodes = servers.map(({ port }) => ({ host: "127.0.0.1", port }));
  const clients = nodes.map(({ host, port }) => new Redis(port, host));
  const redlock = new Redlock(clients);
  const layout = { kind: "quorum", nodes } as const;
  const lock = await createLock({ type: "redis", layout, prefix: "ours:", maxTtlMs: TTL_MS }, realClock);
  try {
    const theirs: Pair = async (key) => {
      const one = await redlock.acquire([`theirs:${key}`], TTL_MS);
      await one.release();
    };
    const ours = pairOf(lock, TTL_MS);
    return [
      result("locks: quorum of 3 sequential", "pairs/s", "redlock", await compare(theirs, ours, 1, FAST)),
      result(
        "locks: quorum of 3 concurrent",
        "pairs/s",
        "redlock",
        await compare(theirs, ours, IN_FLIGHT, FAST),
      ),
    ];
  } finally {
    for (const client of clients) client.disconnect();
    await lock.close();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Against the one statement that a lock cannot do without, on a pool of as many connections. */
async function benchDatabase(): Promise<readonly BenchResult[]> {
  const server = await startPostgres({ isDurable: true });
  const dsn = await server.createDatabase();
  const pool = new Pool({ connectionString: dsn, max: 10 });
  const storage = await createStorage(parseDsn(dsn));
  const lock = await createLock({ type: "database", storage, prefix: "ours:", maxTtlMs: 60_000 }, realClock);
  try {
    await pool.query(
      "create table raw_locks (k text primary key, token text not null, fence bigint not null)",
    );
    const raw: Pair = async (key) => {
      const token = randomUUID();
      await pool.query({
        name: "take",
        text: `insert into raw_locks values ($1, $2, 1) on conflict (k) do update
          set token = excluded.token, fence = raw_locks.fence + 1 where raw_locks.token = '' returning fence`,
        values: [key, token],
      });
      await pool.query({
        name: "free",
        text: "update raw_locks set token = '' where k = $1 and token = $2",
        values: [key, token],
      });
    };
    const ours = pairOf(lock, TTL_MS);
    const name = "raw INSERT ON CONFLICT";
    return [
      result("locks: database sequential", "pairs/s", name, await compare(raw, ours, 1, SLOW)),
      result("locks: database concurrent", "pairs/s", name, await compare(raw, ours, IN_FLIGHT, SLOW)),
      await benchExtension(lock, "database", 60_000),
    ];
  } finally {
    await lock.close();
    await storage.close();
    await pool.end();
    await server.stop();
  }
}

async function benchEtcd(): Promise<readonly BenchResult[]> {
  const servers = await startEtcd(1);
  const hosts = servers.map(({ port }) => `http://127.0.0.1:${port}`);
  const client = new Etcd3({ hosts });
  const lock = await createLock({ type: "etcd", hosts, prefix: "ours:", maxTtlMs: 60_000 }, realClock);
  try {
    const theirs: Pair = async (key) => {
      const one = client.lock(`theirs:${key}`).ttl(TTL_MS / 1000);
      await one.acquire();
      await one.release();
    };
    const ours = pairOf(lock, TTL_MS);
    const one = await compare(theirs, ours, 1, SLOW);
    const batch = await compare(theirs, batchOf(lock, TTL_MS), 1, SLOW);
    const perLevel = { ...batch, ours: batch.ours.map((rate) => rate * LEVELS) };
    return [
      result("locks: etcd sequential", "pairs/s", "etcd3 client.lock", one),
      result(
        "locks: etcd concurrent",
        "pairs/s",
        "etcd3 client.lock",
        await compare(theirs, ours, IN_FLIGHT, SLOW),
      ),
      result("locks: etcd batches of 20", "levels/s", "etcd3 client.lock", perLevel),
      await benchExtension(lock, "etcd", 60_000),
    ];
  } finally {
    client.close();
    await lock.close();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

function rawRedis(redis: Redis): Pair {
  redis.defineCommand("unlock", { numberOfKeys: 1, lua: UNLOCK });
  const { unlock } = redis as unknown as { unlock: (key: string, token: string) => Promise<number> };
  return async (key) => {
    const token = randomUUID();
    if ((await redis.set(`raw:${key}`, token, "PX", TTL_MS, "NX")) !== "OK") throw new Error("busy");
    if ((await unlock.call(redis, `raw:${key}`, token)) !== 1) throw new Error("lost");
  };
}

function pairOf(lock: LockProvider, ttlMs: number): Pair {
  return async (key) => {
    await lock.release(granted(await lock.tryAcquire([key], OWNER, ttlMs)));
  };
}

function batchOf(lock: LockProvider, ttlMs: number): Pair {
  const prices = Array.from({ length: LEVELS }, (_, level) => level);
  return async (key) => {
    const keys = prices.map((price) => `${key}${price}`);
    await lock.release(granted(await lock.tryAcquire(keys, OWNER, ttlMs)));
  };
}

/** How long it takes to extend every level that a large instance holds; the ratio is that of one second to it. */
async function benchExtension(lock: LockProvider, name: string, ttlMs: number): Promise<BenchResult> {
  const grants: Grant[] = [];
  for (let level = 0; level < HELD_LEVELS; level += LEVELS) {
    const some = Array.from({ length: LEVELS }, (_, i) => `order:bench:main:ETH/USDT:${level + i}`);
    grants.push(
      ...(await Promise.all(some.map(async (key) => granted(await lock.tryAcquire([key], OWNER, ttlMs))))),
    );
  }
  let held = grants;
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const started = performance.now();
    held = (await lock.extend(held, ttlMs)).map(granted);
    times.push((performance.now() - started) / 1000);
  }
  await Promise.all(held.map((grant) => lock.release(grant)));
  const { median: value, min, max } = spreadOf(times);
  const reference = { name: "one second", value: 1 };
  return {
    name: `locks: ${name} extends 10,000 levels`,
    value,
    unit: "s",
    min,
    max,
    reference,
    ratio: 1 / value,
  };
}

function granted(grant: Grant | undefined): Grant {
  if (!grant) throw new Error("a lock of the bench's own is busy");
  return grant;
}

interface Rates {
  readonly ours: readonly number[];
  readonly reference: readonly number[];
}

/** Pairs per second of both in each round; they take turns every few milliseconds, so that noise hits both. */
async function compare(
  reference: Pair,
  ours: Pair,
  inFlight: number,
  { rounds, slices, sliceMs }: Turns,
): Promise<Rates> {
  const rates: { readonly ours: number[]; readonly reference: number[] } = { ours: [], reference: [] };
  for (let round = -1; round < rounds; round++) {
    const done = { ours: { pairs: 0, ms: 0 }, reference: { pairs: 0, ms: 0 } };
    for (let slice = 0; slice < slices; slice++) {
      await work(reference, inFlight, sliceMs, done.reference);
      await work(ours, inFlight, sliceMs, done.ours);
    }
    // The compiler optimises while the first round runs.
    if (round < 0) continue;
    rates.reference.push((done.reference.pairs * 1000) / done.reference.ms);
    rates.ours.push((done.ours.pairs * 1000) / done.ours.ms);
  }
  return rates;
}

async function work(
  pair: Pair,
  inFlight: number,
  sliceMs: number,
  done: { pairs: number; ms: number },
): Promise<void> {
  const started = performance.now();
  const end = started + sliceMs;
  const worker = async (_: unknown, index: number): Promise<void> => {
    while (performance.now() < end) {
      await pair(`order:bench:main:BTC/USDT:${index}`);
      done.pairs += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  done.ms += performance.now() - started;
}

/** The ratio is the median of the rounds' own: noise that lasts hits both sides of a round. */
function result(name: string, unit: string, referenceName: string, { ours, reference }: Rates): BenchResult {
  const { median: value, min, max } = spreadOf(ours);
  const { median: ratio } = spreadOf(ours.map((rate, round) => rate / (reference[round] ?? Number.NaN)));
  return {
    name,
    value,
    unit,
    min,
    max,
    reference: { name: referenceName, value: spreadOf(reference).median },
    ratio,
  };
}
