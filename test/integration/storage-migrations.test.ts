/** The schema's way from every version to the newest and back, on every database. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createStorage, openDatabase, openStorage } from "../../src/storage/create-storage.ts";
import type { Database } from "../../src/storage/database.ts";
import { parseDsn } from "../../src/storage/dsn.ts";
import { SCHEMA_VERSION, migrateTo, schemaVersion } from "../../src/storage/migrations/migrate.ts";
import { sampleBot, sampleIntent } from "../contract/storage-samples.ts";
import type { DatabaseServer } from "../support/servers/database-server.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import type { ServerProgram } from "../support/servers/private-server.ts";
import { describeWithServers } from "../support/servers/private-server.ts";

interface EmptyDatabase {
  readonly dsn: string;
  readonly end: () => Promise<void>;
}

describe("on SQLite", () => {
  describeMigrations(true, async () => {
    const folder = mkdtempSync(join(tmpdir(), "quantmesh-migrations-"));
    return { dsn: join(folder, "quantmesh.sqlite"), end: async () => rmSync(folder, { recursive: true }) };
  });
});
describeOnServer("postgres", startPostgres);
describeOnServer("mariadbd", startMariadb);

function describeOnServer(program: ServerProgram, start: () => Promise<DatabaseServer>): void {
  describeWithServers([program], `on ${program}`, () => {
    let server: DatabaseServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.stop());
    describeMigrations(program === "postgres", async () => {
      const dsn = await server.createDatabase();
      return { dsn, end: () => server.dropDatabase(dsn) };
    });
  });
}

function describeMigrations(undoesSchemaChanges: boolean, start: () => Promise<EmptyDatabase>): void {
  describe("migrations", () => {
    let empty: EmptyDatabase;
    let database: Database;
    beforeEach(async () => {
      empty = await start();
      database = await openDatabase(parseDsn(empty.dsn));
    });
    afterEach(async () => {
      await database.close();
      await empty.end();
    });

    /** The database's tables with their columns, as text. */
    const schema = async (): Promise<string> => {
      const tables = await database.read((db) => db.introspection.getTables());
      return JSON.stringify(
        tables
          .map(({ name, columns }) => [name, columns.map((column) => [column.name, column.dataType])])
          .sort(),
      );
    };

    it.each(Array.from({ length: SCHEMA_VERSION }, (_, version) => version))(
      "lead from version %i to the newest, keep what is stored, and lead back",
      async (version) => {
        await migrateTo(database, SCHEMA_VERSION);
        const newest = await schema();
        await migrateTo(database, version);
        expect(await schemaVersion(database)).toBe(version);
        const bot = sampleBot();
        if (version > 0) await storeBot(database, bot.code);

        await migrateTo(database, SCHEMA_VERSION);

        expect(await schema()).toBe(newest);
        if (version > 0) {
          const storage = await openStorage(parseDsn(empty.dsn));
          const [summary] = await storage.listBots();
          expect(summary).toMatchObject({ bot: { code: bot.code }, totals: { fills: 7 } });
          // What came before the days were kept stands before them all; a later version has kept them itself.
          const before = version < 2 ? [{ day: undefined, fills: 7, fees: "1.5" }] : [];
          expect(await storage.listDays({ limit: 9 })).toMatchObject(before);
          await storage.close();
        }
        await migrateTo(database, 0);
        expect(await schemaVersion(database)).toBe(0);
      },
    );

    it("are made once by five instances that start at the same moment", async () => {
      const storages = await Promise.all(Array.from({ length: 5 }, () => createStorage(parseDsn(empty.dsn))));

      const ids = await Promise.all(storages.map((storage) => storage.fleetId()));
      const bot = sampleBot();
      const [storage] = storages;
      const claim = await storage?.claim(bot.market, "me");
      if (storage === undefined || claim === undefined) throw new Error("no storage");
      await storage.createBot(claim, bot);

      expect(new Set(ids).size).toBe(1);
      expect(await storages[4]?.insertIntent(claim, bot, sampleIntent(bot, 1))).toBe("stored");
      expect(await schemaVersion(database)).toBe(SCHEMA_VERSION);
      await Promise.all(storages.map((each) => each.close()));
    });

    it("refuse a database that a newer version wrote, and leave it as it is", async () => {
      await migrateTo(database, SCHEMA_VERSION);
      await database.write((db) =>
        sql`insert into migrations (name, timestamp) values ('0099-later', '2030-01-01')`.execute(db),
      );

      const failure = { code: "CONFIG_INVALID", message: expect.stringContaining("schema version 99") };
      await expect(createStorage(parseDsn(empty.dsn))).rejects.toMatchObject(failure);
      await expect(openStorage(parseDsn(empty.dsn))).rejects.toMatchObject(failure);
    });

    it("are not made by who only reads", async () => {
      await expect(openStorage(parseDsn(empty.dsn))).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining("has no tables of quantmesh yet: start an instance"),
      });

      expect(await schemaVersion(database)).toBe(0);
    });

    // The others undo a migration that did not come to its end.
    if (!undoesSchemaChanges) {
      it("go on where a migration was interrupted half way", async () => {
        await migrateTo(database, SCHEMA_VERSION);
        const whole = await schema();
        await migrateTo(database, 1);
        await database.write(async (db) => {
          for (const table of ["events", "trades", "fills"])
            await sql`drop table ${sql.table(table)}`.execute(db);
          await sql`delete from migrations`.execute(db);
        });

        await migrateTo(database, SCHEMA_VERSION);

        expect(await schema()).toBe(whole);
      });
    }
  });
}

/** A bot as the first version stored it. */
async function storeBot(database: Database, code: string): Promise<void> {
  const amounts =
    "tick_size, lot_size, min_quantity, min_notional, maker_fee, taker_fee, start_price, grid_profit, inventory_pnl, cash_flow, position, base_fees";
  const values = amounts.replaceAll(/\w+/g, "'0.001'");
  await database.write((db) =>
    sql`insert into bots (code, exchange, account, symbol, settings, lattice, initial, initial_done, created_at, mode, mode_reason, fill_count, trade_count, inventory_sells, fees, ${sql.raw(amounts)})
      values (${code}, 'sim', 'main', 'BTC/USDT', '{}', '{}', 'none', 0, 1, 'running', '', 7, 1, 1, '1.5', ${sql.raw(values)})`.execute(
      db,
    ),
  );
}
