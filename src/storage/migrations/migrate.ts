/** Brings a database's schema to a version, and refuses a database from a newer one. */
import { setTimeout as pause } from "node:timers/promises";
import type { Kysely } from "kysely";
import { sql } from "kysely";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Database } from "../database.ts";
import type { DialectTraits } from "../dialect.ts";
import type { Schema } from "../schema.ts";
import { initial } from "./0001-initial.ts";
import { dailyTotals } from "./0002-daily-totals.ts";
import { deliveredFills } from "./0003-delivered-fills.ts";
import { locks } from "./0004-locks.ts";
import { balances } from "./0005-balances.ts";
import type { SchemaChange } from "./schema-change.ts";
import { createTable } from "./schema-change.ts";

export const HISTORY_TABLE = "migrations";
const SCHEMA_LOCK_LIMIT_MS = 60_000;
const SCHEMA_LOCK_PAUSE_MS = 50;

/** Migrations are never edited once released: a change of the schema is a new one, under the next number. */
const MIGRATIONS: readonly {
  readonly name: string;
  readonly create: (traits: DialectTraits) => SchemaChange;
}[] = [
  { name: "0001-initial", create: initial },
  { name: "0002-daily-totals", create: dailyTotals },
  { name: "0003-delivered-fills", create: deliveredFills },
  { name: "0004-locks", create: locks },
  { name: "0005-balances", create: balances },
];

/** The version of the schema that this code works with. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

/**
 * The history's row while a copy into the database is unfinished: this quantmesh, and each other that does not know the
 * number, refuses to work with half of the rows and without keys.
 */
export const UNFINISHED_COPY = "9999-unfinished-copy";
export const UNFINISHED_COPY_VERSION = Number.parseInt(UNFINISHED_COPY, 10);

type WithHistory = {
  readonly [HISTORY_TABLE]: { readonly name: string; readonly timestamp: string };
};

/**
 * Migrates up or down to `version`; 0 leaves no table of ours but the history. Several may do it at once: they wait
 * for each other. Throws CONFIG_INVALID where the database was written by a newer version of quantmesh, or where the
 * login may not change the schema.
 */
export async function migrateTo(database: Database, version: number): Promise<void> {
  if ((await checkedVersion(database)) === version) return;
  const { traits } = database;
  try {
    if (traits.takeSchemaLock === undefined) {
      await database.transaction((trx) => migrate(trx, traits, version));
    } else {
      await database.session((db) => withSchemaLock(db, database, version));
    }
  } catch (error) {
    throw isDenied(database, error) ? denied(database, error) : error;
  }
}

/** The version of the database's schema; 0 before the first migration. */
export function schemaVersion(database: Database): Promise<number> {
  return database.read((db) => versionOf(db, database.traits));
}

/** Throws CONFIG_INVALID unless the schema is of the version that this code works with. */
export async function requireSchema(database: Database): Promise<void> {
  const found = await checkedVersion(database);
  if (found === SCHEMA_VERSION) return;
  const has =
    found === 0 ? "has no tables of quantmesh yet" : `has schema version ${found}, not ${SCHEMA_VERSION}`;
  throw new QuantmeshError(
    "CONFIG_INVALID",
    `storage ${database.name} ${has}: start an instance, or run \`quantmesh db upgrade\``,
  );
}

async function checkedVersion(database: Database): Promise<number> {
  const found = await schemaVersion(database);
  if (found === UNFINISHED_COPY_VERSION) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `storage ${database.name} holds an unfinished copy: go on with \`quantmesh db copy --resume\`, or empty it first`,
    );
  }
  if (found > SCHEMA_VERSION) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `storage ${database.name} has schema version ${found}, this quantmesh knows versions up to ${SCHEMA_VERSION}: run the newer quantmesh that wrote it`,
    );
  }
  return found;
}

async function withSchemaLock(db: Kysely<Schema>, database: Database, version: number): Promise<void> {
  const { takeSchemaLock = "", freeSchemaLock = "", undoesSchemaChanges } = database.traits;
  const deadline = performance.now() + SCHEMA_LOCK_LIMIT_MS;
  for (;;) {
    const { rows } = await sql.raw<{ taken: number }>(takeSchemaLock).execute(db);
    if (rows[0]?.taken === 1) break;
    if (performance.now() > deadline) {
      throw new QuantmeshError(
        "STORAGE_UNAVAILABLE",
        `storage ${database.name}: another instance has been changing the schema for ${SCHEMA_LOCK_LIMIT_MS / 1000} s`,
      );
    }
    await pause(SCHEMA_LOCK_PAUSE_MS);
  }
  try {
    if (undoesSchemaChanges) {
      await db.transaction().execute((trx) => migrate(trx, database.traits, version));
    } else {
      await migrate(db, database.traits, version);
    }
  } finally {
    await sql.raw(freeSchemaLock).execute(db);
  }
}

async function migrate(db: Kysely<Schema>, traits: DialectTraits, version: number): Promise<void> {
  await createTable(db, traits, HISTORY_TABLE)
    .ifNotExists()
    .addColumn("name", "varchar(255)", (column) => column.notNull().primaryKey())
    .addColumn("timestamp", "varchar(255)", (column) => column.notNull())
    .execute();
  const history = db.withTables<WithHistory>();
  // Another instance may have done it while this one waited for the lock.
  const found = await versionOf(db, traits);
  for (const { name, create } of MIGRATIONS.slice(found, version)) {
    await create(traits).up(db);
    const timestamp = new Date().toISOString();
    await history.insertInto(HISTORY_TABLE).values({ name, timestamp }).execute();
  }
  for (const { name, create } of MIGRATIONS.slice(version, found).reverse()) {
    await create(traits).down(db);
    await history.deleteFrom(HISTORY_TABLE).where("name", "=", name).execute();
  }
}

/** The number that the newest migration's name begins with; 0 before the first. */
async function versionOf(db: Kysely<Schema>, traits: DialectTraits): Promise<number> {
  try {
    const history = db.withTables<WithHistory>();
    const names = await history.selectFrom(HISTORY_TABLE).select("name").execute();
    return Math.max(0, ...names.map(({ name }) => Number.parseInt(name, 10)));
  } catch (error) {
    if (traits.isMissingTable(error)) return 0;
    throw error;
  }
}

function isDenied(database: Database, error: unknown): error is QuantmeshError {
  return error instanceof QuantmeshError && database.traits.failureOf(error.cause) === "denied";
}

function denied({ name }: Database, error: QuantmeshError): QuantmeshError {
  const reason = error.cause instanceof Error ? error.cause.message : error.message;
  return new QuantmeshError(
    "CONFIG_INVALID",
    `storage ${name}: the login may not create the tables (${reason}): grant it that right, or run \`quantmesh db upgrade\` as one that has it`,
    { cause: error.cause },
  );
}
