/** One step of the schema, up and down, and how it creates tables on every database. */
import type { CreateTableBuilder, QueryExecutorProvider, SchemaModule } from "kysely";
import { sql } from "kysely";
import type { DialectTraits } from "../dialect.ts";

/** The database as migrations see it: today's tables are not those that an old migration knew. */
export interface MigrationDb extends QueryExecutorProvider {
  readonly schema: SchemaModule;
}

export interface SchemaChange {
  readonly up: (db: MigrationDb) => Promise<void>;
  readonly down: (db: MigrationDb) => Promise<void>;
}

/** A table whose texts differ by case and by trailing spaces, as SQLite's and PostgreSQL's do by themselves. */
export function createTable<Name extends string>(
  db: MigrationDb,
  { tableOptions }: DialectTraits,
  name: Name,
): CreateTableBuilder<Name> {
  const table = db.schema.createTable(name);
  return tableOptions === undefined ? table : table.modifyEnd(sql.raw(tableOptions));
}

/** Creates what a migration that was interrupted may have left, where the database could not undo it. */
export async function createOnce(traits: DialectTraits, create: () => Promise<void>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (traits.undoesSchemaChanges || !traits.isAlreadyThere(error)) throw error;
  }
}
