/** Copies between real databases: every value arrives, an interrupted copy goes on, and what would do harm is refused. */
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { upgradeSchema } from "../../src/storage/copy/change-schema.ts";
import { copyBetween, previewCopy, verifyBetween } from "../../src/storage/copy/copy-between.ts";
import { NO_PROGRESS } from "../../src/storage/copy/copy-progress.ts";
import { openTarget } from "../../src/storage/copy/open-ends.ts";
import type { CopyReport } from "../../src/storage/copy/copy-database.ts";
import { TABLES } from "../../src/storage/copy/table-shapes.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import type { DatabaseAddress, SqliteAddress } from "../../src/storage/dsn.ts";
import { parseDsn } from "../../src/storage/dsn.ts";
import { holdInstanceLock } from "../../src/storage/instance-lock.ts";
import { holdProcessLock } from "../../src/storage/process-lock.ts";
import { makeSampleDatabase, rowsOf } from "../support/copy-samples.ts";
import { freshSeed } from "../support/scale.ts";
import type { DatabaseServer } from "../support/servers/database-server.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { describeWithServers } from "../support/servers/private-server.ts";

const seed = freshSeed();
let folder: string;
let source: SqliteAddress;
let made = 0;

beforeAll(async () => {
  console.log(`copy seed ${seed}`);
  folder = mkdtempSync(join(tmpdir(), "quantmesh-copy-"));
  source = newFile();
  await makeSampleDatabase(source.file, seed);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function newFile(): SqliteAddress {
  return { type: "sqlite", file: join(folder, `${++made}.db`) };
}

function copy(from: DatabaseAddress, to: DatabaseAddress, resume = false): Promise<CopyReport> {
  return copyBetween({ from, to, resume, progress: NO_PROGRESS });
}

/** Ends as a killed process does once so many rows are durable. */
async function copyUntil(from: DatabaseAddress, to: DatabaseAddress, rows: number): Promise<void> {
  let done = 0;
  const progress = {
    ...NO_PROGRESS,
    add: (more: number) => {
      done += more;
      if (done >= rows) throw new Error("killed");
    },
  };
  await expect(copyBetween({ from, to, resume: false, progress })).rejects.toThrow("killed");
}

/** A copy of the source, with some change. */
function changedSource(...statements: readonly string[]): SqliteAddress {
  const changed = newFile();
  copyFileSync(source.file, changed.file);
  const database = new Database(changed.file);
  for (const statement of statements) database.exec(statement);
  database.close();
  return changed;
}

describe("a copy from SQLite to SQLite", () => {
  it("brings every row of every table as it is, and says so by equal checksums", async () => {
    const target = newFile();

    const report = await copy(source, target);

    expect(report.isEqual).toBe(true);
    expect(rowsOf(target.file)).toEqual(rowsOf(source.file));
    expect(report.comparisons.map(({ table, from }) => [table, from.rows])).toEqual(
      Object.entries(rowsOf(source.file)).map(([table, rows]) => [table, rows.length]),
    );
  });

  it("leaves a database that starts, and whose next claim has the next epoch", async () => {
    const target = newFile();
    await copy(source, target);

    const storage = await createStorage(target);

    const claim = await storage.claim({ exchange: "sim", account: "main", symbol: "S2/USDT" }, "instance-2");
    expect(claim.epoch).toBe(10);
    await storage.close();
  });

  it("refuses a target with a row, and leaves it as it was", async () => {
    const target = newFile();
    const storage = await createStorage(target);
    const fleet = await storage.fleetId();
    await storage.close();

    await expect(copy(source, target)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: `${target.file} is not empty (1 row in meta): give an empty database`,
    });
    await expect(copy(source, target, true)).rejects.toMatchObject({ code: "CONFIG_INVALID" });

    expect(rowsOf(target.file)["meta"]).toEqual([["fleet_id", fleet]]);
  });

  it("refuses a target on which an instance runs, and says where to copy to", async () => {
    const target = newFile();
    const lock = holdProcessLock(target.file);
    await expect(copy(source, target)).rejects.toMatchObject({
      code: "ALREADY_RUNNING",
      message: expect.stringContaining("stop it first, or name another database with --to") as string,
    });
    lock.release();
  });

  it.each([
    ["text", "no database at all, but not empty either".repeat(100)],
    ["nothing", ""],
  ])("leaves nothing beside a source of %s", async (_, content) => {
    const folder = mkdtempSync(join(tmpdir(), "quantmesh-foreign-"));
    try {
      const foreign = { type: "sqlite", file: join(folder, "foreign") } as const;
      writeFileSync(foreign.file, content);
      await expect(copy(foreign, newFile())).rejects.toThrow(
        content === "" ? "is no database of quantmesh" : "name the file of an SQLite database",
      );
      if (content !== "") {
        await expect(copy(source, foreign)).rejects.toThrow("name the file of an SQLite database");
        await expect(upgradeSchema(foreign)).rejects.toThrow("name the file of an SQLite database");
      }
      expect(readdirSync(folder)).toEqual(["foreign"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("refuses a source on which an instance runs, and keeps instances away while it copies", async () => {
    const lock = holdProcessLock(source.file);
    await expect(copy(source, newFile())).rejects.toMatchObject({
      code: "ALREADY_RUNNING",
      message: expect.stringMatching(/stop it first, .*`quantmesh db backup` works while it runs$/) as string,
    });
    lock.release();

    let refusal: unknown;
    const tryToStart = (): void => {
      try {
        holdProcessLock(source.file).release();
      } catch (error) {
        refusal = error;
      }
    };
    await copyBetween({
      from: source,
      to: newFile(),
      resume: false,
      progress: { ...NO_PROGRESS, begin: tryToStart },
    });

    expect(refusal).toMatchObject({ code: "ALREADY_RUNNING" });
  });

  it.each([
    [
      "a source that is not there",
      () => ({ type: "sqlite", file: join(folder, "none.db") }),
      /there is no database at .*none\.db$/,
    ],
    ["itself", () => source, /^--from and --to are both /],
    [
      "a database in memory",
      () => ({ type: "sqlite", file: ":memory:" }),
      /^:memory: is a database of one process/,
    ],
  ] as const)("refuses %s as its source or target", async (_, other, message) => {
    const target = other() as DatabaseAddress;
    const [from, to] = message.source.includes("there is") ? [target, source] : [source, target];

    await expect(copy(from, to)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(message),
    });
  });

  it("refuses a file that is no database of quantmesh", async () => {
    const other = newFile();
    new Database(other.file).exec("create table mine (id integer)").close();

    await expect(copy(other, newFile())).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: `${other.file} is no database of quantmesh: it has no schema`,
    });
  });

  it("shows without writing anything what it would do", async () => {
    const target = newFile();

    const preview = await previewCopy({ from: source, to: target, resume: false, progress: NO_PROGRESS });

    expect(preview).toMatchObject({ createsSchema: true, resumes: false });
    expect(new Map(preview.rows).get("orders")).toBe(2_500);
    expect(() => new Database(target.file, { fileMustExist: true })).toThrow("unable to open");
  });

  it("that was killed leaves a database that nothing works with until it is finished", async () => {
    const target = newFile();
    await copyUntil(source, target, 600);

    await expect(createStorage(target)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("holds an unfinished copy") as string,
    });
    await expect(copy(source, target)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(copy(target, newFile())).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(verifyBetween(source, target, NO_PROGRESS)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });

    expect((await copy(source, target, true)).isEqual).toBe(true);
    expect(rowsOf(target.file)).toEqual(rowsOf(source.file));
  });

  it("that goes on from a source that has changed copies the changed tables anew", async () => {
    const changing = changedSource();
    const target = newFile();
    await copyUntil(changing, target, 3_000);
    const database = new Database(changing.file);
    database.exec("update orders set status = 'canceled' where slot = 7; delete from slots where slot = 1");
    database.close();

    expect((await copy(changing, target, true)).isEqual).toBe(true);

    expect(rowsOf(target.file)).toEqual(rowsOf(changing.file));
  });
});

describe("a comparison of two databases", () => {
  it.each([
    ["orders", "update orders set price = price || '1' where slot = 9"],
    ["orders", "update orders set exchange_order_id = '' where exchange_order_id is null and slot = 9"],
    ["trades", "delete from trades where slot = 3"],
    ["events", "update events set detail = 'other' where id = 4 and bot_code like 'bot1%'"],
    ["claims", "update claims set epoch = epoch + 1"],
  ])("finds a difference in %s: %s", async (table, statement) => {
    const changed = changedSource(statement);

    const comparisons = await verifyBetween(source, changed, NO_PROGRESS);

    expect(comparisons.filter(({ isEqual }) => !isEqual).map((one) => one.table)).toEqual([table]);
  });

  it("takes no notice of the order of rows, nor of zeros at the end of an amount", async () => {
    const changed = changedSource(
      "create table turned as select * from trades order by rowid desc",
      "delete from trades",
      "insert into trades select * from turned",
      "drop table turned",
      "update slots set dust = dust || '.000' where dust not like '%.%'",
      "update bots set fees = fees || '0' where fees like '%.%'",
    );

    const comparisons = await verifyBetween(source, changed, NO_PROGRESS);

    expect(comparisons.filter(({ isEqual }) => !isEqual)).toEqual([]);
  });
});

describeWithServers(["postgres", "mariadbd"], "a copy between database servers", () => {
  let postgres: DatabaseServer;
  let mariadb: DatabaseServer;
  beforeAll(async () => {
    [postgres, mariadb] = await Promise.all([startPostgres(), startMariadb()]);
  });
  afterAll(async () => {
    await Promise.all([postgres.stop(), mariadb.stop()]);
  });

  it("brings every value unchanged from SQLite over PostgreSQL, MariaDB and PostgreSQL back to SQLite", async () => {
    const stations = [
      source,
      parseDsn(await postgres.createDatabase()),
      parseDsn(await mariadb.createDatabase()),
      parseDsn(await postgres.createDatabase()),
      parseDsn(await postgres.createDatabase()),
      newFile(),
    ] as const;

    for (const [index, from] of stations.slice(0, -1).entries()) {
      expect((await copy(from, stations[index + 1] as DatabaseAddress)).isEqual).toBe(true);
    }

    expect(rowsOf(stations[5].file)).toEqual(rowsOf(source.file));
    const comparisons = await verifyBetween(stations[1], stations[2], NO_PROGRESS);
    expect(comparisons.filter(({ isEqual }) => !isEqual)).toEqual([]);
  });

  it("goes on where it was killed, also when its indexes were removed for the load", async () => {
    for (const server of [postgres, mariadb]) {
      const target = parseDsn(await server.createDatabase());
      await copyUntil(source, target, 3_000);
      await expect(createStorage(target)).rejects.toMatchObject({ code: "CONFIG_INVALID" });

      expect((await copy(source, target, true)).isEqual).toBe(true);

      const storage = await createStorage(target);
      const claim = await storage.claim(
        { exchange: "sim", account: "main", symbol: "S2/USDT" },
        "instance-2",
      );
      expect(claim.epoch).toBe(10);
      await storage.close();
    }
  });

  it("says that a server is gone, and goes on when it is back", async () => {
    const target = parseDsn(await postgres.createDatabase());
    let crash: Promise<void> | undefined;
    let done = 0;
    const progress = {
      ...NO_PROGRESS,
      add: (rows: number) => {
        done += rows;
        if (done > 2_000) crash ??= postgres.crash();
      },
    };

    await expect(copyBetween({ from: source, to: target, resume: false, progress })).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringContaining(`on 127.0.0.1:${postgres.port}`) as string,
    });

    await crash;
    await postgres.restart();
    expect((await copy(source, target, true)).isEqual).toBe(true);
  });

  it("leaves the schema of PostgreSQL as the migrations make it", async () => {
    const [copied, interrupted, migrated] = await Promise.all([1, 2, 3].map(() => postgres.createDatabase()));
    await copy(source, parseDsn(copied ?? ""));
    await copyUntil(source, parseDsn(interrupted ?? ""), 3_000);
    await copy(source, parseDsn(interrupted ?? ""), true);
    await (await createStorage(parseDsn(migrated ?? ""))).close();

    const schema = await describeSchema(migrated ?? "");

    expect(schema.length).toBeGreaterThan(100);
    expect(await describeSchema(copied ?? "")).toEqual(schema);
    expect(await describeSchema(interrupted ?? "")).toEqual(schema);
  });

  it("says which amount a server refuses, and which table differs where the server rounds one", async () => {
    const letters = changedSource("update trades set profit = 'ten' where slot = 5");
    const long = changedSource("update trades set profit = '0.1234567890123456789' where slot = 5");
    const wide = changedSource("update orders set type = 'a-type-that-is-much-too-long' where slot = 5");
    for (const server of [postgres, mariadb]) {
      await expect(copy(letters, parseDsn(await server.createDatabase()))).rejects.toMatchObject({
        code: "DATA_INVALID",
        message: expect.stringMatching(/refused a row: .*profit/) as string,
      });
      await expect(copy(wide, parseDsn(await server.createDatabase()))).rejects.toMatchObject({
        code: "DATA_INVALID",
        message: expect.stringMatching(/refused a row: .*type/) as string,
      });
    }
    const target = parseDsn(await postgres.createDatabase());

    const report = await copy(long, target);

    expect(report.isEqual).toBe(false);
    expect(report.comparisons.filter(({ isEqual }) => !isEqual).map(({ table }) => table)).toEqual([
      "trades",
    ]);
    await expect(createStorage(target)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  it("refuses a second copy into the same database at the same time", async () => {
    const dsn = await postgres.createDatabase();
    await (await createStorage(parseDsn(dsn))).close();
    const first = await openTarget(parseDsn(dsn));

    await expect(copy(source, parseDsn(dsn))).rejects.toMatchObject({
      code: "ALREADY_RUNNING",
      message: expect.stringContaining("another process is copying into postgres database") as string,
    });

    await first.close();
    expect((await copy(source, parseDsn(dsn))).isEqual).toBe(true);
  });

  it("refuses a server as its source while an instance runs on it alone, or has a claim that has not expired", async () => {
    const dsn = await postgres.createDatabase();
    await copy(source, parseDsn(dsn));
    await postgres.run(
      ["update claims set expires_at = extract(epoch from now()) * 1000 + 60000 where symbol = 'S1/USDT'"],
      dsn,
    );

    await expect(copy(parseDsn(dsn), newFile())).rejects.toMatchObject({
      code: "ALREADY_RUNNING",
      message: expect.stringMatching(/^instance instance-1 trades S1\/USDT on postgres database/) as string,
    });

    await postgres.run(["update claims set expires_at = 1"], dsn);
    const lock = await holdInstanceLock(parseDsn(dsn));
    await expect(copy(parseDsn(dsn), newFile())).rejects.toMatchObject({
      code: "ALREADY_RUNNING",
      message: expect.stringContaining("another quantmesh process is running on postgres database") as string,
    });
    lock.release();
    expect((await copy(parseDsn(dsn), newFile())).isEqual).toBe(true);
  });

  /** Every table, column, index and rule, in words. */
  async function describeSchema(dsn: string): Promise<readonly string[]> {
    const client = new pg.Client(dsn);
    await client.connect();
    const { rows } = await client.query<{ line: string }>(`
      select concat_ws(' ', 'column', table_name, column_name, data_type, character_maximum_length,
        numeric_precision, numeric_scale, is_nullable, column_default) as line
      from information_schema.columns where table_schema = 'public'
      union all select concat('index ', pg_get_indexdef(indexrelid)) from pg_index
        join pg_class on pg_class.oid = indrelid where relnamespace = 'public'::regnamespace
      union all select concat_ws(' ', 'rule', conrelid::regclass, conname, pg_get_constraintdef(oid)) from pg_constraint
        where connamespace = 'public'::regnamespace
      order by 1`);
    await client.end();
    return rows.map(({ line }) => line);
  }
});

it("every table of the schema is copied, with all of its columns", () => {
  const database = new Database(source.file, { readonly: true });
  const there = database
    .prepare<[], { name: string }>(
      "select name from sqlite_schema where type = 'table' and name not like 'migrations%'",
    )
    .all()
    .map(
      ({ name }) =>
        [name, database.pragma(`table_info("${name}")`) as { name: string; pk: number }[]] as const,
    );
  database.close();

  expect(
    Object.fromEntries(there.map(([name, columns]) => [name, columns.map((column) => column.name).sort()])),
  ).toEqual(
    Object.fromEntries(TABLES.map(({ name, columns }) => [name, columns.map(([column]) => column).sort()])),
  );
  expect(
    Object.fromEntries(
      there.map(([name, columns]) => [
        name,
        columns
          .filter(({ pk }) => pk > 0)
          .map((column) => column.name)
          .sort(),
      ]),
    ),
  ).toEqual(Object.fromEntries(TABLES.map(({ name, key }) => [name, [...key].sort()])));
});
