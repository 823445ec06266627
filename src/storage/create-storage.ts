/** Opens the durable storage that the options name. */
import { SCHEMA_VERSION } from "./migrations/migrate.ts";
import { Database, unavailable } from "./database.ts";
import { SQLITE } from "./dialect.ts";
import { KyselyStorage } from "./kysely-storage.ts";
import { openSqlite } from "./sqlite.ts";
import type { Storage } from "./storage.ts";

export interface StorageOptions {
  readonly type: "sqlite";
  /** Path of the database file, or `:memory:`; missing parent folders are created. */
  readonly file: string;
}

/**
 * Opens the database and brings its schema up to date.
 * Throws STORAGE_UNAVAILABLE where it cannot be opened, CONFIG_INVALID where a newer quantmesh wrote it.
 */
export async function createStorage(options: StorageOptions): Promise<Storage> {
  const database = openDatabase(options);
  try {
    await database.migrate(SCHEMA_VERSION);
  } catch (error) {
    await database.close();
    throw error;
  }
  return new KyselyStorage(database);
}

/** The database with the schema that it has. Throws STORAGE_UNAVAILABLE. */
export function openDatabase({ file }: StorageOptions): Database {
  try {
    return new Database(openSqlite(file), SQLITE, file);
  } catch (error) {
    throw unavailable(file, error);
  }
}
