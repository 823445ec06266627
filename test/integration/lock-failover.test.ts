/** After a failover a lock may have two holders: what is stored before each request still lets only one order through. */
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterEach, expect, it } from "vitest";
import { realClock } from "../../src/exchange/sim/real-clock.ts";
import type { LockOptions } from "../../src/lock/create-lock.ts";
import { createLock } from "../../src/lock/create-lock.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import { doubledLevels, openLockFleet, openSharedAccount } from "../support/lock-fleet.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import { startWatchedRedis } from "../support/servers/redis-cluster.ts";
import { aged } from "../support/servers/redis.ts";

const TTL_MS = 8_000;

describeWithServers(["redis-server"], "two instances of a fleet over a failover of Sentinel", () => {
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  });

  it("are both granted the level, and only the one with the newer claim places its order", async () => {
    const watched = await startWatchedRedis();
    ends.push(() => watched.stop());
    await Promise.all([aged(watched.master, TTL_MS), aged(watched.replica, TTL_MS)]);
    const market = await openSharedAccount();
    ends.push(() => market.close());
    const storage = await createStorage({ type: "sqlite", file: ":memory:" });
    ends.push(() => storage.close());
    const open = async (holder: string) => {
      const options: LockOptions = {
        type: "redis",
        layout: {
          kind: "sentinel",
          sentinels: watched.sentinels.map(({ port }) => ({ host: "127.0.0.1", port })),
          master: watched.masterName,
        },
        prefix: "",
        maxTtlMs: TTL_MS,
      };
      const lock = await createLock(options, realClock);
      ends.push(() => lock.close());
      const parts = {
        exchange: market.exchange,
        storage,
        lock,
        lockTtlMs: TTL_MS,
        code: "fleeta0000",
        holder,
      };
      return { lock, fleet: await openLockFleet(parts) };
    };
    const old = await open("old");

    // The master dies before its replica has heard of the lock.
    watched.replica.signal("SIGSTOP");
    const master = new Redis(watched.master.port, "127.0.0.1");
    await master.call("CLIENT", "KILL", "TYPE", "replica");
    master.disconnect();
    const grant = await old.lock.tryAcquire(["order:x:1"], { fleet: "a", epoch: 1 }, TTL_MS);
    await watched.master.crash();
    watched.replica.signal("SIGCONT");
    const isPromoted = async (): Promise<boolean> => {
      const fresh = await open("probe");
      return fresh.lock.ping().then(
        () => true,
        () => false,
      );
    };
    while (!(await isPromoted())) await delay(100);
    const next = await open("next");
    const second = await next.lock.tryAcquire(["order:x:1"], { fleet: "b", epoch: 1 }, TTL_MS);
    expect(grant).toBeDefined();
    expect(second, "the second grant, which nobody can exclude").toBeDefined();

    // Whoever was connected before waits, and its claim is not the newest by then.
    const outcomes = await Promise.all([old.fleet.place(1, 1), next.fleet.place(1, 1)]);

    expect(outcomes[0]).toMatch(/^(lock_unavailable|lost: .*)$/);
    expect(outcomes[1]).toBe("orderAccepted");
    expect(await doubledLevels(market.exchange)).toEqual([]);
    while (
      await old.lock.ping().then(
        () => false,
        () => true,
      )
    )
      await delay(100);
    expect(await old.fleet.place(1, 1)).toMatch(/^(level_busy|lost: intent .* refused: (stale|taken))$/);
    expect(await doubledLevels(market.exchange)).toEqual([]);
  });
});
