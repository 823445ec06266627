/** A successor does not wait for the transaction of an owner that fell asleep in the middle of it. */
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { SeatClaims } from "../../../src/coordination/seat-claims.ts";
import { parseMoney } from "../../../src/domain/amounts.ts";
import type { Claim } from "../../../src/domain/claim.ts";
import { realClock } from "../../../src/exchange/sim/real-clock.ts";
import { createStorage } from "../../../src/storage/create-storage.ts";
import { parseDsn } from "../../../src/storage/dsn.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import type { DatabaseServer } from "../../support/servers/database-server.ts";
import { startPostgres } from "../../support/servers/postgres.ts";
import { describeWithServers } from "../../support/servers/private-server.ts";
import { until } from "./fleet-lab.ts";

const MARKET = { exchange: "binance", account: "main", symbol: "BTC/USDT" };
/** What every transaction of an account needs. */
const ROW_OF_ALL = "select pg_advisory_xact_lock(1)";
const reading = { asset: "USDT", usable: parseMoney("1"), version: 0 };
/** After this long the server itself would have ended the sleeper. */
const SERVER_LIMIT_MS = 5000;

describeWithServers(["postgres"], "an owner that falls asleep amid a write under its claim", () => {
  let server: DatabaseServer;
  let dsn: string;
  let storage: Storage;
  let sleeper: pg.Client;
  let brokeOff: Error | undefined;
  let held: Claim;

  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await server.stop();
  });
  beforeEach(async () => {
    dsn = await server.createDatabase();
    storage = await createStorage(parseDsn(dsn, "postgres"), {
      pool: { maxOpen: 2, maxIdle: 2, maxLifetimeMs: 60_000 },
    });
    const [answer] = await storage.requestClaims([{ market: MARKET, holder: "old 1", ttlMs: 60_000 }]);
    if (answer?.kind !== "claimed") throw new Error("the market is free");
    held = answer.claim;
    brokeOff = undefined;
    sleeper = connect();
    sleeper.on("error", (error) => {
      brokeOff ??= error;
    });
    await sleeper.connect();
    await sleeper.query("begin");
    await sleeper.query("select 1 from claims for share");
  });
  afterEach(async () => {
    await sleeper.end().catch(() => undefined);
    await storage.close();
  });

  /** One of the owner's sessions. */
  const connect = (): pg.Client => {
    const client = new pg.Client({ connectionString: dsn, application_name: "quantmesh/sleeper" });
    client.on("error", () => undefined);
    return client;
  };
  const waiting = async (kind = "advisory"): Promise<number> => {
    const { rows } = await sleeper.query<{ waiting: number }>(
      `select count(*)::int as waiting from pg_locks where locktype = '${kind}' and not granted`,
    );
    return rows[0]?.waiting ?? 0;
  };
  const heir = (hasSeat: boolean, clock = realClock): SeatClaims =>
    new SeatClaims(storage, "new 1", clock, {
      permit: { isValid: () => true },
      owns: () => true,
      hasSeat: (holder) => hasSeat && holder === "old 1",
    });

  it.each(["warm", "cold"])(
    "loses the market, and what it had not committed, to a %s heir",
    async (state) => {
      const claims = heir(false);
      if (state === "warm") await claims.warm();
      const asked = performance.now();

      const claim = await claims.take(MARKET, new AbortController().signal);

      expect(claim).toMatchObject({ epoch: held.epoch + 1, holder: "new 1" });
      expect(performance.now() - asked).toBeLessThan(SERVER_LIMIT_MS);
      await until(() => brokeOff !== undefined);
      // By the heir, not by a limit of the server's.
      expect(String(brokeOff)).toMatch(/administrator command/);
    },
  );

  it("is asked for its market again at once and all the time while its last write still ends", async () => {
    const delays: number[] = [];
    const clock = {
      ...realClock,
      after: (delayMs: number, run: () => void) => {
        delays.push(delayMs);
        return realClock.after(delayMs, run);
      },
    };
    // It has written a moment ago, so it is not taken for asleep.
    await sleeper.query("select 1");
    const taken = heir(false, clock).take(MARKET, new AbortController().signal);
    await until(() => delays.length > 5 || brokeOff !== undefined);
    await sleeper.query("rollback").catch(() => undefined);

    expect(await taken).toMatchObject({ epoch: held.epoch + 1, holder: "new 1" });
    expect(Math.max(...delays)).toBeLessThanOrEqual(50);
  });

  it("is ended with all its transactions, which wait for one another, at once", async () => {
    await sleeper.query(ROW_OF_ALL);
    const others = Array.from({ length: 8 }, connect);
    const ends = others.map(
      async (other) => new Promise((resolve) => other.once("end", () => resolve(other))),
    );
    for (const other of others) {
      await other.connect();
      await other.query("begin");
      await other.query("select 1 from claims for share");
      other.query(ROW_OF_ALL).catch(() => undefined);
    }
    while ((await waiting()) < others.length);
    const asked = performance.now();

    const claim = await heir(false).take(MARKET, new AbortController().signal);

    expect(claim.epoch).toBe(held.epoch + 1);
    expect(performance.now() - asked).toBeLessThan(SERVER_LIMIT_MS);
    await Promise.all(ends);
  });

  it("is overtaken also where all that the heir's other connections do waits for it", async () => {
    const account = { exchange: MARKET.exchange, account: MARKET.account };
    await storage.openBalances(account, ["USDT"]);
    await sleeper.query("select 1 from balances for update");
    const busy = [0, 1].map(() => storage.saveBalances(account, [reading]));
    while ((await waiting("transactionid")) < 1 || (await waiting("tuple")) < 1);
    const asked = performance.now();

    const claim = await heir(false).take(MARKET, new AbortController().signal);

    expect(claim.epoch).toBe(held.epoch + 1);
    expect(performance.now() - asked).toBeLessThan(SERVER_LIMIT_MS);
    expect(String(brokeOff)).toMatch(/administrator command/);
    await Promise.all(busy);
  });

  it("is left alone for as long as it has a seat", async () => {
    const stopping = new AbortController();
    const taken = heir(true)
      .take(MARKET, stopping.signal)
      .catch((error: unknown) => error);
    const asked = performance.now();
    await until(() => performance.now() > asked + 1000);

    await expect(sleeper.query("select 1")).resolves.toMatchObject({ rowCount: 1 });
    stopping.abort();

    expect(await taken).toMatchObject({ code: "LEASE_LOST" });
    expect(brokeOff).toBeUndefined();
  });
});
