/** Brings a database's schema to a version, and refuses a database from a newer one. */
import type { Kysely } from "kysely";
import { Migrator, NO_MIGRATIONS } from "kysely";
import { QuantmeshError } from "../../domain/errors.ts";
import type { DialectTraits } from "../dialect.ts";
import type { Schema } from "../schema.ts";
import { initial } from "./0001-initial.ts";
import { deliveredFills } from "./0002-delivered-fills.ts";

const HISTORY_TABLE = "migrations";
const LOCK_TABLE = "migrations_lock";

/** Migrations are never edited once released: a change of the schema is a new one, under the next number. */
const MIGRATIONS = [
  { name: "0001-initial", create: initial },
  { name: "0002-delivered-fills", create: deliveredFills },
] as const;

/** The version of the schema that this code works with. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

type HistoryTables = { readonly [HISTORY_TABLE]: { readonly name: string } };

/**
 * Migrates up or down to `version`; 0 leaves no table of ours. `database` names it in messages.
 * Throws CONFIG_INVALID where the database was written by a newer version of quantmesh.
 */
export async function migrateTo(
  db: Kysely<Schema>,
  traits: DialectTraits,
  version: number,
  database: string,
): Promise<void> {
  const found = await versionOf(db);
  if (found > SCHEMA_VERSION) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `storage ${database} has schema version ${found}, this quantmesh knows versions up to ${SCHEMA_VERSION}: run the newer quantmesh that wrote it`,
    );
  }
  if (found === version) return;
  const migrator = new Migrator({
    db,
    provider: {
      getMigrations: async () =>
        Object.fromEntries(MIGRATIONS.map(({ name, create }) => [name, create(traits)])),
    },
    migrationTableName: HISTORY_TABLE,
    migrationLockTableName: LOCK_TABLE,
  });
  const { error } = await migrator.migrateTo(MIGRATIONS[version - 1]?.name ?? NO_MIGRATIONS);
  if (error !== undefined) throw error instanceof Error ? error : new Error(String(error));
}

/** The number that the newest migration's name begins with; 0 before the first. */
async function versionOf(db: Kysely<Schema>): Promise<number> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === HISTORY_TABLE)) return 0;
  const history = db.withTables<HistoryTables>();
  const names = await history.selectFrom(HISTORY_TABLE).select("name").execute();
  return Math.max(0, ...names.map(({ name }) => Number.parseInt(name, 10)));
}
