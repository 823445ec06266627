/** Two fleets that know nothing of each other but trade the same account: only the lock keeps them apart. */
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { realClock } from "../../src/exchange/sim/real-clock.ts";
import { createLock } from "../../src/lock/create-lock.ts";
import type { LockOptions } from "../../src/lock/create-lock.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import { openOnVenue } from "../support/ccxt-on-venue.ts";
import { openLockFleet, openSharedAccount } from "../support/lock-fleet.ts";
import { scaled } from "../support/scale.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import { aged, startRedis } from "../support/servers/redis.ts";
import { doubledInAudit, readCheckedAudit } from "../support/venue-audit.ts";
import { startVenueProcess } from "../support/venue-process.ts";

const LEVELS = 100;
const TTL_MS = 8_000;
/** Long enough for a busy machine, and shorter than a lock lives. */
const SHORT: Times = { requestWindowMs: 5_000, lockTtlMs: TTL_MS };
/** Where nobody waits for the end of a lock. */
const LONG: Times = { requestWindowMs: 60_000, lockTtlMs: 120_000 };

interface Times {
  readonly requestWindowMs: number;
  readonly lockTtlMs: number;
}

describeWithServers(["redis-server"], "two fleets with databases of their own on one account", () => {
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  });

  async function race(
    placements: number,
    options: () => Promise<LockOptions>,
    { requestWindowMs, lockTtlMs }: Times = SHORT,
  ) {
    const venue = await startVenueProcess();
    ends.push(() => venue.server.stop());
    const fleets = await Promise.all(
      ["fleeta0000", "fleetb0000"].map(async (code) => {
        const exchange = await openOnVenue(venue, { requestWindowMs });
        ends.push(() => exchange.close());
        const storage = await createStorage({ type: "sqlite", file: ":memory:" });
        ends.push(() => storage.close());
        const lock = await createLock(await options(), realClock);
        ends.push(() => lock.close());
        return openLockFleet({ exchange, storage, lock, lockTtlMs, code });
      }),
    );
    const outcomes = new Map<string, number>();
    for (let round = 1; round * LEVELS <= placements; round++) {
      const levels = Array.from({ length: LEVELS }, (_, level) => level).sort(() => Math.random() - 0.5);
      const placed = await Promise.all(
        levels.flatMap((level) => fleets.map((fleet) => fleet.place(level, round))),
      );
      for (const outcome of placed) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      for (const fleet of fleets) await fleet.cancelAll();
    }
    const { orders } = readCheckedAudit(venue.journal, "main");
    return { outcomes, accepted: orders.length, doubled: doubledInAudit(venue.journal, "main") };
  }

  it("never have two orders on one level of the venue, while both try at the same moment", async () => {
    const server = await startRedis();
    ends.push(() => server.stop());
    await aged(server, TTL_MS);
    const placements = scaled(10_000);

    const { outcomes, accepted, doubled } = await race(placements, async () => ({
      type: "redis",
      layout: { kind: "single", address: { host: "127.0.0.1", port: server.port } },
      prefix: "quantmesh:lock:",
      maxTtlMs: TTL_MS,
    }));

    expect(doubled).toEqual([]);
    // Each level went to one of them, and the other one knows why it did not get it.
    expect(Object.fromEntries(outcomes)).toEqual({ orderAccepted: placements, level_busy: placements });
    expect(accepted).toBe(placements);
  }, 600_000);

  it("place nothing while the lock service is away, show whose level is not theirs, and go on by themselves", async () => {
    const server = await startRedis();
    ends.push(() => server.stop());
    await aged(server, TTL_MS);
    const market = await openSharedAccount();
    ends.push(() => market.close());
    const open = async (code: string) => {
      const storage = await createStorage({ type: "sqlite", file: ":memory:" });
      ends.push(() => storage.close());
      const layout = { kind: "single", address: { host: "127.0.0.1", port: server.port } } as const;
      const lock = await createLock({ type: "redis", layout, prefix: "", maxTtlMs: TTL_MS }, realClock);
      ends.push(() => lock.close());
      return openLockFleet({ exchange: market.exchange, storage, lock, lockTtlMs: TTL_MS, code });
    };
    const [first, second] = [await open("fleeta0000"), await open("fleetb0000")];

    expect(await first.place(1, 1)).toBe("orderAccepted");
    expect(await second.place(1, 1)).toBe("level_busy");
    expect(second.locks.conflicts()).toEqual(["10001"]);
    await server.crash();
    while ((await second.place(2, 2)) !== "lock_unavailable") await delay(20);
    await server.restart();
    // The one who holds the level keeps it over the restart; nobody gets a new one until the server is old enough.
    let outcome = await second.place(3, 3);
    while (outcome === "lock_unavailable") {
      await first.keeper.extendAll().catch(() => undefined);
      await delay(200);
      outcome = await second.place(3, 4);
    }

    expect(outcome).toBe("orderAccepted");
    expect(await second.place(1, 5)).toBe("level_busy");
    await first.cancelAll();
    expect(await second.place(1, 6)).toBe("orderAccepted");
    expect(second.locks.conflicts()).toEqual([]);
  });

  it("double their orders on the venue where each has only the lock of its own process", async () => {
    const { outcomes, doubled } = await race(LEVELS, async () => ({ type: "memory" }), LONG);

    expect(outcomes.get("orderAccepted")).toBe(2 * LEVELS);
    expect(doubled).toHaveLength(LEVELS);
  });
});
