/** Opening an SQLite storage: where it may be, what it refuses, and what it promises about the disk. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import BetterSqlite from "better-sqlite3";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import { createStorage, openDatabase } from "../../../src/storage/create-storage.ts";
import { KyselyStorage } from "../../../src/storage/kysely-storage.ts";
import { SCHEMA_VERSION, migrateTo } from "../../../src/storage/migrations/migrate.ts";

describe("createStorage", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-open-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("creates the file and the folders above it", async () => {
    const file = join(folder, "data", "deep", "quantmesh.sqlite");

    const storage = await createStorage({ type: "sqlite", file });

    await expect(storage.ping()).resolves.toBeUndefined();
    await storage.close();
    expect(existsSync(file)).toBe(true);
  });

  it("keeps a database in memory without any file", async () => {
    const storage = await createStorage({ type: "sqlite", file: ":memory:" });

    const claim = await storage.claim({ exchange: "binance", account: "main", symbol: "BTC/USDT" }, "me");

    expect(claim.epoch).toBe(1);
    await storage.close();
    expect(existsSync(":memory:")).toBe(false);
  });

  it("syncs every commit to the disk, checks foreign keys and never stands still", async () => {
    const database = await openDatabase({ type: "sqlite", file: join(folder, "quantmesh.sqlite") });
    const pragma = (name: string) =>
      database.read(async (db) => (await sql`pragma ${sql.raw(name)}`.execute(db)).rows[0]);

    expect(await pragma("journal_mode")).toEqual({ journal_mode: "wal" });
    expect(await pragma("synchronous")).toEqual({ synchronous: 2 });
    expect(await pragma("foreign_keys")).toEqual({ foreign_keys: 1 });
    expect(await pragma("busy_timeout")).toEqual({ timeout: 0 });
    await database.close();
  });

  it("says of a file that takes no writes that it is unavailable, also where it can be read", async () => {
    const database = await openDatabase({ type: "sqlite", file: join(folder, "quantmesh.sqlite") });
    await migrateTo(database, SCHEMA_VERSION);
    const storage = new KyselyStorage(database);
    const refuseWrites = (how: "on" | "off") =>
      database.session((db) => sql`pragma query_only = ${sql.raw(how)}`.execute(db));
    await refuseWrites("on");

    expect(await storage.listBots()).toEqual([]);
    await expect(storage.ping()).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      isOutcomeUnknown: false,
      message: expect.stringMatching(/readonly database$/),
    });
    await refuseWrites("off");
    await expect(storage.ping()).resolves.toBeUndefined();
    await storage.close();
  });

  it.each<[string, (folder: string) => string]>([
    [
      "is not a database",
      (inside) => {
        writeFileSync(
          join(inside, "notes.txt"),
          "not a database, but long enough to have a header".repeat(9),
        );
        return join(inside, "notes.txt");
      },
    ],
    ["is a folder", (inside) => inside],
    [
      "lies below a file",
      (inside) => {
        writeFileSync(join(inside, "file"), "");
        return join(inside, "file", "quantmesh.sqlite");
      },
    ],
    ["lies where no folder can be made", () => "/proc/quantmesh/data/quantmesh.sqlite"],
    ["lies where no file can be made", () => "/proc/quantmesh.sqlite"],
  ])("says which file it cannot open where that %s", async (_, prepare) => {
    const file = prepare(folder);

    const error: unknown = await createStorage({ type: "sqlite", file }).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: "STORAGE_UNAVAILABLE", cause: expect.any(Error) });
    expect((error as QuantmeshError).message).toContain(`storage ${file}: `);
    expect((error as QuantmeshError).message).toContain(
      file.endsWith("notes.txt")
        ? "name the file of an SQLite database"
        : "choose a file in a folder that this user may write to",
    );
    expect(readdirSync(folder).filter((name) => name !== "notes.txt" && name !== "file")).toEqual([]);
  });

  it("refuses a database that a newer version wrote, and leaves it as it is", async () => {
    const file = join(folder, "quantmesh.sqlite");
    await (await createStorage({ type: "sqlite", file })).close();
    const newer = new BetterSqlite(file);
    newer.prepare("insert into migrations (name, timestamp) values (?, ?)").run("0007-later", "2030-01-01");
    newer.close();

    const error: unknown = await createStorage({ type: "sqlite", file }).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: "CONFIG_INVALID" });
    const { message } = error as QuantmeshError;
    expect(message).toContain(file);
    expect(message).toContain("version 7");
    expect(message).toContain(`up to ${SCHEMA_VERSION}`);
  });

  it("reports a database that is taken away while it is open", async () => {
    const file = join(folder, "quantmesh.sqlite");
    const storage = await createStorage({ type: "sqlite", file });
    const vandal = new BetterSqlite(file);
    vandal.exec("drop table events; drop table meta");
    vandal.close();

    await expect(storage.fleetId()).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringContaining(file),
      cause: expect.any(BetterSqlite.SqliteError),
    });
    await storage.close();
  });
});

describe("the transactions of an SQLite database", () => {
  let folder: string;
  let other: BetterSqlite.Database;
  const opened = () => openDatabase({ type: "sqlite", file: join(folder, "quantmesh.sqlite") });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-open-"));
    other = new BetterSqlite(join(folder, "quantmesh.sqlite"), { timeout: 0 });
  });
  afterEach(() => {
    other.close();
    rmSync(folder, { recursive: true });
  });

  it("hold the write lock from their start, so that none fails at its first write", async () => {
    const database = await opened();

    await database.transaction(async () => {
      expect(() => other.exec("begin immediate")).toThrow("database is locked");
    });

    other.exec("begin immediate; rollback");
    await database.close();
  });

  it("keep no writer waiting while they only read", async () => {
    const database = await opened();
    await migrateTo(database, 1);

    const before = await database.snapshot(async (trx) => {
      const read = () => trx.selectFrom("meta").selectAll().execute();
      await read();
      other.exec("insert into meta values ('fleet_id', 'x')");
      return read();
    });

    expect(before).toEqual([]);
    await database.close();
  });

  it("pass on what their work throws and undo what it wrote", async () => {
    const database = await opened();
    await migrateTo(database, 1);

    const failed = database.transaction(async (trx) => {
      await trx.insertInto("meta").values({ name: "fleet_id", value: "x" }).execute();
      throw new QuantmeshError("INVARIANT", "no");
    });

    await expect(failed).rejects.toMatchObject({ code: "INVARIANT", message: "no" });
    expect(other.prepare("select * from meta").all()).toEqual([]);
    await database.close();
  });
});
