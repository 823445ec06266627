/** Locks whose servers freeze, die, forget and answer late: never two holders, no ghost, no call without an end. */
import { cpSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Etcd3 } from "etcd3";
import { Redis } from "ioredis";
import { afterEach, expect, it } from "vitest";
import { realClock } from "../../src/exchange/sim/real-clock.ts";
import type { LockOptions } from "../../src/lock/create-lock.ts";
import { createLock } from "../../src/lock/create-lock.ts";
import type { Grant, LockProvider } from "../../src/lock/lock.ts";
import type { RedisLayout } from "../../src/lock/open-redis.ts";
import type { LockHistory } from "../support/lock-history.ts";
import { contend, overlaps } from "../support/lock-history.ts";
import { LinkProxy } from "../support/servers/link-proxy.ts";
import { startEtcd } from "../support/servers/etcd.ts";
import type { PrivateServer } from "../support/servers/private-server.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import { aged, startRedis } from "../support/servers/redis.ts";
import { startTcpProxy } from "../support/servers/tcp-proxy.ts";

const TTL_MS = 2_000;
const CALL_LIMIT_MS = 5_000;
const KEYS = ["order:sim:main:BTC/USDT:1", "order:sim:main:BTC/USDT:2", "order:sim:main:BTC/USDT:3"];
const [KEY = "", ...OTHER_KEYS] = KEYS;
const OURS = { fleet: "fleet-a", epoch: 1 };
const OTHERS = { fleet: "fleet-b", epoch: 1 };

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end; end = ends.pop()) await end();
});

const at = ({ port }: { readonly port: number }) => ({ host: "127.0.0.1", port });

function redisOptions(layout: RedisLayout, maxTtlMs = TTL_MS): LockOptions {
  return { type: "redis", layout, prefix: "", maxTtlMs };
}

async function connect(options: LockOptions): Promise<LockProvider> {
  const lock = await createLock(options, realClock);
  ends.push(() => lock.close());
  return lock;
}

async function servers(count: number, ageMs: number): Promise<readonly PrivateServer[]> {
  const started = await Promise.all(Array.from({ length: count }, () => startRedis()));
  for (const server of started) ends.push(() => server.stop());
  await Promise.all(started.map((server) => aged(server, ageMs)));
  return started;
}

async function freeze(frozen: readonly PrivateServer[], ms: number): Promise<void> {
  for (const server of frozen) server.signal("SIGSTOP");
  await delay(ms);
  for (const server of frozen) server.signal("SIGCONT");
}

/** Resolves once `lock` grants the key; throws after `limitMs`. */
async function grantedWithin(
  limitMs: number,
  lock: LockProvider,
  owner = OTHERS,
  key = KEY,
  ttlMs = 1_000,
): Promise<Grant> {
  const until = performance.now() + limitMs;
  for (;;) {
    const grant = await lock.tryAcquire([key], owner, ttlMs).catch(() => undefined);
    if (grant) return grant;
    if (performance.now() > until) throw new Error(`not granted within ${limitMs} ms`);
    await delay(20);
  }
}

/** What the server says, asked again until there is a connection to it. */
async function answerOf<T>(ask: () => Promise<T>): Promise<T> {
  const until = performance.now() + CALL_LIMIT_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!String(error).includes("not connected yet") || performance.now() > until) throw error;
    }
    await delay(20);
  }
}

/** Each key can be had again, and the history holds no moment with two holders. */
async function expectSound(history: LockHistory, lock: LockProvider): Promise<void> {
  expect(overlaps(history)).toEqual([]);
  expect(history.longestCallMs).toBeLessThan(CALL_LIMIT_MS);
  expect(history.granted).toBeGreaterThan(3);
  expect(history.extended).toBeGreaterThan(0);
  expect(history.unavailable).toBeGreaterThan(0);
  for (const key of KEYS) {
    const limits = { timeoutMs: 4 * TTL_MS, signal: new AbortController().signal };
    const grant = await lock.acquire([key], { fleet: "judge", epoch: 1 }, 500, limits);
    expect(grant, `${key} is held by nobody who lives`).toBeDefined();
  }
}

describeWithServers(["redis-server"], "a Redis lock whose server fails", () => {
  it("has one holder at most while the server is frozen for twice the TTL, again and again", async () => {
    const [server] = await servers(1, TTL_MS);
    if (!server) throw new Error("no server");
    const options = redisOptions({ kind: "single", address: at(server) });
    const providers = await Promise.all(Array.from({ length: 6 }, () => connect(options)));

    const history = await contend({ providers, keys: KEYS, ttlMs: TTL_MS }, async () => {
      for (let times = 0; times < 2; times++) {
        await delay(700 + Math.random() * 300);
        await freeze([server], 2 * TTL_MS);
      }
      await delay(1_000);
    });

    await expectSound(history, await connect(options));
  });

  it("has one holder at most while the server dies and comes back empty", async () => {
    const [server] = await servers(1, TTL_MS);
    if (!server) throw new Error("no server");
    const options = redisOptions({ kind: "single", address: at(server) });
    const providers = await Promise.all(Array.from({ length: 6 }, () => connect(options)));

    const history = await contend({ providers, keys: KEYS, ttlMs: TTL_MS }, async () => {
      await delay(1_000);
      await server.restart();
      await delay(TTL_MS + 2_500);
    });

    await expectSound(history, await connect(options));
  });

  it("grants nothing new on a server that has just started, but keeps what is held", async () => {
    const [server] = await servers(1, TTL_MS);
    if (!server) throw new Error("no server");
    const options = redisOptions({ kind: "single", address: at(server) }, 8_000);
    await aged(server, 8_000);
    const ours = await connect(options);
    const others = await connect(options);
    const grant = await grantedWithin(CALL_LIMIT_MS, ours, OURS);
    const long = await ours.extend([grant], 8_000);

    await server.restart();
    let kept: Grant | undefined;
    while (!kept) {
      await delay(20);
      kept = (await ours.extend([required(long[0])], 8_000).catch(() => []))[0];
    }

    await expect(answerOf(() => others.tryAcquire([KEYS[1] ?? ""], OTHERS, 1_000))).rejects.toThrow(
      /grants nothing for another/,
    );
    await expect(others.ping()).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE" });
    await aged(server, 8_000);
    expect(await others.tryAcquire([KEY], OTHERS, 1_000).catch(() => undefined)).toBeUndefined();
  });

  it("leaves no ghost of a request that a frozen server got and nobody waited for", async () => {
    const maxTtlMs = 8_000;
    const [server] = await servers(1, maxTtlMs);
    if (!server) throw new Error("no server");
    const options = redisOptions({ kind: "single", address: at(server) }, maxTtlMs);
    const [ours, others] = [await connect(options), await connect(options)];

    server.signal("SIGSTOP");
    const refused = await Promise.allSettled([
      ours.tryAcquire([KEY], OURS, maxTtlMs),
      ours.tryAcquireEach(OTHER_KEYS, OURS, maxTtlMs),
    ]);
    server.signal("SIGCONT");

    for (const { status } of refused) expect(status).toBe("rejected");
    for (const key of [KEY, ...OTHER_KEYS]) await grantedWithin(maxTtlMs / 3, others, OTHERS, key);
  });

  it("treats a lock whose answer was held up as perhaps its own: freed for others, never used late", async () => {
    const maxTtlMs = 8_000;
    const [server] = await servers(1, maxTtlMs);
    if (!server) throw new Error("no server");
    const proxy = await startTcpProxy(server.port);
    ends.push(() => proxy.stop());
    const ours = await connect(redisOptions({ kind: "single", address: at(proxy) }, maxTtlMs));
    const others = await connect(redisOptions({ kind: "single", address: at(server) }, maxTtlMs));

    proxy.hold();
    const refused = ours.tryAcquire([KEY], OURS, 1_000);
    await expect(refused).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE" });
    const theirs = await grantedWithin(maxTtlMs / 3, others);
    proxy.deliver();

    expect(await ours.tryAcquire([KEY], OURS, 1_000)).toBeUndefined();
    await others.release(theirs);
    await grantedWithin(CALL_LIMIT_MS, ours, OURS);
  });

  it("lets the same owner take a key again whose first answer never came", async () => {
    const maxTtlMs = 8_000;
    const [server] = await servers(1, maxTtlMs);
    if (!server) throw new Error("no server");
    const redis = new Redis(server.port, "127.0.0.1");
    ends.push(async () => redis.disconnect());
    const ours = await connect(redisOptions({ kind: "single", address: at(server) }, maxTtlMs));
    await redis.set(KEY, `${OURS.fleet} ${OURS.epoch} of-an-unanswered-request`, "PX", maxTtlMs);

    expect(await ours.tryAcquire([KEY], OURS, 1_000)).toBeDefined();
  });

  it("fails at once, not late, while there is no server at all, and works again when it is back", async () => {
    const [server] = await servers(1, TTL_MS);
    if (!server) throw new Error("no server");
    const lock = await connect(redisOptions({ kind: "single", address: at(server) }));
    await server.crash();

    while (
      await lock.ping().then(
        () => true,
        () => false,
      )
    )
      await delay(10);
    const started = performance.now();
    await expect(lock.tryAcquire([KEY], OURS, 1_000)).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE" });
    expect(performance.now() - started).toBeLessThan(TTL_MS / 4);
    await server.restart();

    await grantedWithin(TTL_MS + CALL_LIMIT_MS, lock);
  });
});

describeWithServers(["redis-server"], "a quorum of three Redis servers that fail", () => {
  it("has one holder at most with one and two servers frozen, down and back empty", async () => {
    const nodes = await servers(3, TTL_MS);
    const options = redisOptions({ kind: "quorum", nodes: nodes.map(at) });
    const providers = await Promise.all(Array.from({ length: 6 }, () => connect(options)));

    const history = await contend({ providers, keys: KEYS, ttlMs: TTL_MS }, async () => {
      await delay(500);
      await freeze(nodes.slice(0, 1), 2 * TTL_MS);
      await freeze(nodes.slice(1), TTL_MS);
      await nodes[0]?.restart();
      await delay(1_000);
      await nodes[1]?.crash();
      await nodes[2]?.crash();
      await delay(1_000);
      await nodes[1]?.restart();
      await nodes[2]?.restart();
      await delay(TTL_MS + 2_000);
    });

    await expectSound(history, await connect(options));
  });

  it("grants while one of three is down, and nothing while two are", async () => {
    const nodes = await servers(3, TTL_MS);
    const lock = await connect(redisOptions({ kind: "quorum", nodes: nodes.map(at) }));

    await nodes[0]?.crash();
    const grant = await grantedWithin(CALL_LIMIT_MS, lock);
    expect(await lock.extend([grant], 1_000)).toMatchObject([{ keys: [KEY] }]);
    await nodes[1]?.crash();

    await expect(lock.tryAcquire([KEYS[1] ?? ""], OURS, 1_000)).rejects.toMatchObject({
      code: "LOCK_UNAVAILABLE",
    });
    await expect(lock.ping()).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE" });
  });

  it.each([2, 4, 6])("is refused with %i servers, of which neither side may be a majority", async (count) => {
    const nodes = Array.from({ length: count }, (_, index) => ({ host: "127.0.0.1", port: 1 + index }));

    await expect(connect(redisOptions({ kind: "quorum", nodes }))).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });
});

describeWithServers(["etcd"], "an etcd lock whose cluster fails", () => {
  async function cluster(size: 1 | 3 = 3, maxTtlMs = TTL_MS) {
    const nodes = await startEtcd(size);
    for (const node of nodes) ends.push(() => node.stop());
    const hosts = nodes.map(({ port }) => `http://127.0.0.1:${port}`);
    const leaderOf = async (): Promise<PrivateServer> => {
      for (const [index, host] of hosts.entries()) {
        const client = new Etcd3({ hosts: host });
        const status = await client.maintenance.status();
        client.close();
        if (status.leader === status.header.member_id) return nodes[index] as PrivateServer;
      }
      throw new Error("no leader");
    };
    /** What is left in etcd: keys, and leases. */
    const leftovers = async (): Promise<readonly string[]> => {
      const client = new Etcd3({ hosts });
      try {
        const { leases } = await client.leaseClient.leaseLeases();
        return [...(await client.getAll().keys()), ...leases.map(({ ID }) => `lease ${ID}`)];
      } finally {
        client.close();
      }
    };
    const options = { type: "etcd" as const, hosts, prefix: "", maxTtlMs };
    return { nodes, options, leaderOf, leftovers };
  }

  // An etcd leader that wakes ends leases that its successor has renewed meanwhile (etcd-io/etcd#15247): no lock may
  // hang on one.
  it("has one holder at most while its leader freezes and dies, and leaves nothing behind", async () => {
    const { options, leaderOf, leftovers } = await cluster();
    const providers = await Promise.all(Array.from({ length: 4 }, () => connect(options)));

    const history = await contend({ providers, keys: KEYS, ttlMs: TTL_MS }, async () => {
      await delay(1_000);
      await freeze([await leaderOf()], 2 * TTL_MS);
      await delay(1_500);
      const leader = await leaderOf();
      await leader.crash();
      await delay(2_000);
      await leader.restart();
      await delay(1_500);
    });

    const judge = await connect(options);
    await expectSound(history, judge);
    await Promise.all([judge, ...providers].map((lock) => lock.close()));
    expect(await leftovers()).toEqual([]);
  });

  it("leaves no ghost of a request that a frozen server got and nobody waited for", async () => {
    const maxTtlMs = 8_000;
    const { nodes, options } = await cluster(1, maxTtlMs);
    const [server] = nodes;
    const [ours, others] = [await connect(options), await connect(options)];
    await ours.release(required(await ours.tryAcquire([KEY], OURS, 1_000)));

    server?.signal("SIGSTOP");
    const refused = await Promise.allSettled([
      ours.tryAcquire([KEY], OURS, maxTtlMs),
      ours.tryAcquireEach(OTHER_KEYS, OURS, maxTtlMs),
    ]);
    server?.signal("SIGCONT");

    for (const { status } of refused) expect(status).toBe("rejected");
    for (const key of [KEY, ...OTHER_KEYS]) await grantedWithin(maxTtlMs / 3, others, OTHERS, key);
  });

  it("grants again where etcd was restored to a state that an instance's session is older than", async () => {
    const maxTtlMs = 4_000;
    const { nodes, options } = await cluster(1, maxTtlMs);
    const [server] = nodes as [PrivateServer];
    const lock = await connect(options);
    await lock.release(required(await lock.tryAcquire([KEY], OURS, 1_000)));
    const restore = await keepCopy(server);
    await raiseRevision(server);

    // What was not answered is made void, by a newer revision of the session's guard.
    server.signal("SIGSTOP");
    await expect(lock.tryAcquire([KEY], OURS, maxTtlMs)).rejects.toThrow("lock service etcd");
    server.signal("SIGCONT");
    await lock.release(await grantedWithin(15_000, lock, OURS));
    await restore();

    await grantedWithin(15_000, lock, OURS);
  });

  it.each([
    ["that was granted last", false],
    ["that was extended since, and where others have written more than was forgotten", true],
  ])("counts no level as held that a restore of etcd has forgotten: one %s", async (_, isExtended) => {
    const ttlMs = 40_000;
    const { nodes, options } = await cluster(1, ttlMs);
    const [server] = nodes as [PrivateServer];
    const lock = await connect(options);
    await lock.release(required(await lock.tryAcquire([OTHER_KEYS[0] ?? ""], OURS, ttlMs)));
    const restore = await keepCopy(server);
    const granted = await grantedWithin(15_000, lock, OURS, KEY, ttlMs);
    const grant = isExtended ? required((await extendedSoon(lock, granted, ttlMs))[0]) : granted;

    await restore();
    if (isExtended) await raiseRevision(server);
    const others = await connect(options);
    await grantedWithin(15_000, others, OTHERS, KEY, ttlMs);

    expect(performance.now()).toBeLessThan(grant.validUntil);
    expect(await extendedSoon(lock, grant, ttlMs)).toEqual([undefined]);
    expect(await lock.tryAcquire([KEY], OURS, ttlMs)).toBeUndefined();
    await others.close();
    await grantedWithin(15_000, lock, OURS, KEY, ttlMs);
  });

  it.each([
    ["where its revisions tell so", false],
    ["also where others have written more than was forgotten", true],
  ])("keeps no level for ever that was given up after the backup of a restore, %s", async (_, isPassed) => {
    const ttlMs = 4_000;
    const { nodes, options } = await cluster(1, ttlMs);
    const [server] = nodes as [PrivateServer];
    const lock = await connect(options);
    const grant = await grantedWithin(15_000, lock, OURS, KEY, ttlMs);
    const restore = await keepCopy(server);
    // The session is renewed.
    await extendedSoon(lock, grant, ttlMs);
    await lock.release(grant);
    await raiseRevision(server);
    await grantedWithin(15_000, lock, OURS, OTHER_KEYS[0], ttlMs);

    await restore();
    if (isPassed) for (let times = 0; times < 4; times += 1) await raiseRevision(server);
    const others = await connect(options);
    const until = performance.now() + 40_000;
    let taken: Grant | undefined;
    while (!taken && performance.now() < until) {
      // Its session lives on.
      await lock.tryAcquire([OTHER_KEYS[0] ?? ""], OURS, ttlMs).catch(() => undefined);
      taken = await others.tryAcquire([KEY], OTHERS, 1_000).catch(() => undefined);
      await delay(20);
    }

    expect(taken?.keys).toEqual([KEY]);
  });

  it("gives the levels of a holder that is cut off to others once its own time is over, and not before", async () => {
    const { nodes, options, leftovers } = await cluster(1);
    const link = await LinkProxy.open(() => nodes[0]?.port ?? 0);
    ends.push(() => link.close());
    const ours = await connect({ ...options, hosts: [`http://127.0.0.1:${link.port}`] });
    const others = await connect(options);
    const grant = required(await ours.tryAcquire([KEY], OURS, TTL_MS));

    link.freeze();
    await grantedWithin(5 * TTL_MS, others);
    const takenAt = performance.now();
    link.mend();

    expect(takenAt).toBeGreaterThan(grant.validUntil);
    expect(await extendedSoon(ours, grant)).toEqual([undefined]);
    await grantedWithin(CALL_LIMIT_MS, ours, { fleet: "fleet-b", epoch: 2 });
    await Promise.all([ours.close(), others.close()]);
    expect(await leftovers()).toEqual([]);
  });

  it("frees what a process held that died, also where nobody ended its session properly", async () => {
    const { options, leftovers } = await cluster(1);
    const etcd = new Etcd3({ hosts: [...options.hosts] });
    ends.push(async () => etcd.close());
    const lock = await connect(options);
    await etcd.put("session/gone").value("100");
    await etcd.put(KEY).value("fleet-x 1 gone.1");
    await etcd.put(KEYS[1] ?? "").value("fleet-x 1 never-was.1");

    const [orphan, dead] = await Promise.all(
      [KEYS[1] ?? "", KEY].map((key) =>
        lock.acquire([key], OURS, 1_000, { timeoutMs: 4 * TTL_MS, signal: new AbortController().signal }),
      ),
    );

    expect([orphan?.keys, dead?.keys]).toEqual([[KEYS[1]], [KEY]]);
    await lock.close();
    expect(await leftovers()).toEqual([]);
  });
});

/** What becomes of the grant, once the lock's service can be asked again. */
async function extendedSoon(
  lock: LockProvider,
  grant: Grant,
  ttlMs = 1_000,
): Promise<readonly (Grant | undefined)[]> {
  for (;;) {
    const answer = await lock.extend([grant], ttlMs).catch(() => undefined);
    if (answer) return answer;
    await delay(20);
  }
}

/** Keeps what the server has stored by now; the function brings it back, as an operator does from a backup. */
async function keepCopy(server: PrivateServer): Promise<() => Promise<void>> {
  const [data, copy] = [`${server.folder}/data`, `${server.folder}/copy`];
  await server.crash();
  cpSync(data, copy, { recursive: true });
  await server.restart();
  return async () => {
    await server.crash();
    rmSync(data, { recursive: true });
    cpSync(copy, data, { recursive: true });
    await server.restart();
  };
}

/** Writes more often than locks do in a test. */
async function raiseRevision({ port }: PrivateServer): Promise<void> {
  const client = new Etcd3({ hosts: `http://127.0.0.1:${port}` });
  for (let index = 0; index < 50; index += 1) await client.put("somebody else's").value(index);
  client.close();
}

function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("it is missing");
  return value;
}
