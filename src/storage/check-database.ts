/** Asks a database what matters to orders and fills; changes nothing in it, and does not make a missing one. */
import { existsSync } from "node:fs";
import BetterSqlite from "better-sqlite3";
import type { Kysely } from "kysely";
import { SqliteDialect, sql } from "kysely";
import { hasCode } from "../domain/errors.ts";
import type { Finding } from "../domain/finding.ts";
import { fault, faultIf, ok } from "../domain/finding.ts";
import type { RoundTrip } from "../domain/round-trip.ts";
import { openDatabase } from "./create-storage.ts";
import { Database } from "./database.ts";
import type { DatabaseAddress, ServerAddress, SqliteAddress } from "./dsn.ts";
import { describeAddress } from "./dsn.ts";
import type { DatabaseNeeds, ServerFacts } from "./judge-database.ts";
import { judgeServer } from "./judge-database.ts";
import { SCHEMA_VERSION, UNFINISHED_COPY_VERSION, schemaVersion } from "./migrations/migrate.ts";
import type { Schema } from "./schema.ts";
import { SQLITE } from "./sqlite.ts";

const PINGS = 5;
const POSTGRES_SETTINGS = [
  "server_version",
  "fsync",
  "synchronous_commit",
  "full_page_writes",
  "default_transaction_isolation",
  "default_transaction_read_only",
  "max_connections",
  "superuser_reserved_connections",
];
const MYSQL_SETTINGS = [
  "version",
  "innodb_flush_log_at_trx_commit",
  "innodb_flush_method",
  "innodb_doublewrite",
  "log_bin",
  "sync_binlog",
  "max_connections",
];

/** `limitMs` bounds each connection and statement. What fails is a finding, not an error. */
export async function checkDatabase(
  address: DatabaseAddress,
  needs: DatabaseNeeds,
  limitMs: number,
): Promise<readonly Finding[]> {
  try {
    return await (address.type === "sqlite" ? checkSqlite(address) : checkServer(address, needs, limitMs));
  } catch (error) {
    return [failureOf(address, error)];
  }
}

async function checkServer(
  address: ServerAddress,
  needs: DatabaseNeeds,
  limitMs: number,
): Promise<readonly Finding[]> {
  const pool = { maxOpen: 1, maxIdle: 1, maxLifetimeMs: 3_600_000 };
  const database = await openDatabase(address, { pool, limitMs });
  try {
    const facts = await database.read((db) =>
      address.type === "postgres" ? postgresFacts(db, database) : mysqlFacts(db, database),
    );
    return [...judgeServer(facts, needs), judgeSchema(await schemaVersion(database))];
  } finally {
    await database.close();
  }
}

async function postgresFacts(db: Kysely<Schema>, database: Database): Promise<ServerFacts> {
  const trips = await ping(db, database);
  const settings = await settingsFrom(
    db,
    `select name, setting as value from pg_settings where name in (${quoted(POSTGRES_SETTINGS)})`,
  );
  const connections = await numberFrom(
    db,
    "select count(*)::int as value from pg_stat_activity where backend_type = 'client backend'",
  );
  return { type: "postgres", trips, settings, connections, foreignTables: [] };
}

async function mysqlFacts(db: Kysely<Schema>, database: Database): Promise<ServerFacts> {
  const trips = await ping(db, database);
  const { rows } = await sql
    .raw<Readonly<Record<string, unknown>>>(
      `show global variables where variable_name in (${quoted(MYSQL_SETTINGS)})`,
    )
    .execute(db);
  const settings = new Map(rows.map((row) => pairOf(row["Variable_name"], row["Value"])));
  const status = await sql
    .raw<Readonly<Record<string, unknown>>>("show global status where variable_name = 'Threads_connected'")
    .execute(db);
  const tables = await sql
    .raw<Readonly<Record<string, unknown>>>(
      "select table_name as name from information_schema.tables " +
        "where table_schema = database() and engine is not null and engine <> 'InnoDB' order by table_name",
    )
    .execute(db);
  return {
    type: "mysql",
    trips,
    settings,
    connections: Number(status.rows[0]?.["Value"] ?? 0),
    foreignTables: tables.rows.map((row) => String(row["name"])),
  };
}

/** A few questions for the database's own time; the first also makes the connection warm and is not counted. */
async function ping(db: Kysely<Schema>, { traits }: Database): Promise<readonly RoundTrip[]> {
  const trips: RoundTrip[] = [];
  for (let asked = 0; asked <= PINGS; asked += 1) {
    const sent = Date.now();
    const started = performance.now();
    const told = await numberFrom(db, `select ${traits.nowMs} as value`);
    trips.push({ sent, received: sent + (performance.now() - started), told });
  }
  return trips.slice(1);
}

async function settingsFrom(db: Kysely<Schema>, text: string): Promise<ReadonlyMap<string, string>> {
  const { rows } = await sql.raw<Readonly<Record<string, unknown>>>(text).execute(db);
  return new Map(rows.map((row) => pairOf(row["name"], row["value"])));
}

function pairOf(name: unknown, value: unknown): readonly [string, string] {
  return [String(name).toLowerCase(), String(value)];
}

async function numberFrom(db: Kysely<Schema>, text: string): Promise<number> {
  const { rows } = await sql.raw<{ readonly value: unknown }>(text).execute(db);
  return Number(rows[0]?.value);
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(", ");
}

/** Read without making the file, and without the settings that a running instance gives it. */
async function checkSqlite({ file }: SqliteAddress): Promise<readonly Finding[]> {
  if (file === ":memory:" || !existsSync(file)) {
    return [
      ok("database.reach", `${file}: ${file === ":memory:" ? "in memory" : "is made at the first start"}`),
    ];
  }
  const connection = new BetterSqlite(file, { readonly: true, fileMustExist: true });
  const dialect = new SqliteDialect({ database: connection });
  const database = new Database({
    dialect,
    traits: SQLITE,
    name: file,
    incarnation: () => 1,
    end: () => connection.close(),
  });
  try {
    const started = performance.now();
    const journal = String(connection.pragma("journal_mode", { simple: true }));
    const version = await schemaVersion(database);
    const tookMs = (performance.now() - started).toFixed(1);
    return [
      ok("database.reach", `sqlite ${sqliteVersion(connection)} at ${file}, read in ${tookMs} ms`),
      // Journal mode and synchronous are set whenever an instance opens the file.
      ok("database.durability", `journal_mode ${journal}; an instance sets wal and synchronous = full`),
      judgeSchema(version),
    ];
  } finally {
    await database.close();
  }
}

function sqliteVersion(connection: BetterSqlite.Database): string {
  const row = connection.prepare<[], { version: string }>("select sqlite_version() as version").get();
  return row?.version ?? "?";
}

function judgeSchema(found: number): Finding {
  if (found === 0) return ok("database.schema", "no tables yet: the first start makes them");
  if (found === UNFINISHED_COPY_VERSION) {
    return fault(
      "database.schema",
      "it holds an unfinished copy, on which nothing starts",
      "go on with quantmesh db copy --resume, or empty the database",
    );
  }
  const says = `version ${found}, this quantmesh has ${SCHEMA_VERSION}`;
  if (found > SCHEMA_VERSION) {
    return fault("database.schema", `the tables are newer: ${says}`, "run the newer quantmesh that wrote it");
  }
  return faultIf(
    found < SCHEMA_VERSION,
    "database.schema",
    found < SCHEMA_VERSION ? `the tables are older: ${says}` : `version ${found}`,
    "stop all instances, make a backup with quantmesh db backup, and run quantmesh db upgrade",
  );
}

function failureOf(address: DatabaseAddress, error: unknown): Finding {
  const message = error instanceof Error ? error.message : String(error);
  const says = message.replace(/^database\.dsn: |^storage /, "");
  if (address.type === "sqlite") {
    return fault(
      "database.reach",
      `${address.file}: ${says}`,
      "name another file in database.dsn, or restore a backup with quantmesh db restore",
    );
  }
  if (says.includes("takes no writes")) {
    return fault(
      "database.reach",
      says,
      "name the primary server in database.dsn (several hosts may be listed), or set read_only off there",
    );
  }
  if (hasCode(error, "CONFIG_INVALID")) {
    return fault("database.reach", says, "correct user, password and database name in database.dsn");
  }
  return fault(
    "database.reach",
    says.includes(address.database) ? says : `${describeAddress(address)}: ${says}`,
    "start the database server, or correct host and port in database.dsn",
  );
}
