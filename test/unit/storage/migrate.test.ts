/** Migrations lead up, down and up again, and leave nothing behind. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import BetterSqlite from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createStorage, openDatabase } from "../../../src/storage/create-storage.ts";
import { SCHEMA_VERSION, migrateTo } from "../../../src/storage/migrations/migrate.ts";
import { sampleBot } from "../../contract/storage-samples.ts";

describe("migrations", () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-migrate-"));
    file = join(folder, "quantmesh.sqlite");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const schema = () => {
    const database = new BetterSqlite(file);
    const rows = database
      .prepare<[], { name: string }>("select name, sql from sqlite_master where sql not null order by name")
      .all();
    database.close();
    return rows;
  };

  it("go up, down to nothing and up again to the same schema", async () => {
    const database = await openDatabase({ type: "sqlite", file });
    await migrateTo(database, SCHEMA_VERSION);
    const first = schema();

    await migrateTo(database, 0);
    expect(schema().map(({ name }) => name)).toEqual(["migrations"]);
    await migrateTo(database, SCHEMA_VERSION);

    expect(schema()).toEqual(first);
    expect(first.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["bots", "claims", "events", "fills", "meta", "orders", "slots", "trades"]),
    );
    await database.close();
  });

  it("change nothing in a database that is up to date", async () => {
    const bot = sampleBot();
    const storage = await createStorage({ type: "sqlite", file });
    await storage.createBot(await storage.claim(bot.market, "me"), bot);
    await storage.close();

    const again = await createStorage({ type: "sqlite", file });

    expect(await again.findBot(bot.market)).toEqual(bot);
    await again.close();
  });

  it("undo a migration that fails half way", async () => {
    const database = await openDatabase({ type: "sqlite", file });
    const inTheWay = new BetterSqlite(file);
    inTheWay.exec("create table orders (id integer)");
    inTheWay.close();

    await expect(migrateTo(database, SCHEMA_VERSION)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });

    expect(schema().map(({ name }) => name)).toEqual(["orders"]);
    await database.close();
  });
});
