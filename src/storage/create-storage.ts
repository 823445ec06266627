/** Opens the durable storage at an address. */
import type { ConnectionPool, PoolLimits } from "./connection-pool.ts";
import { Database } from "./database.ts";
import type { DialectTraits } from "./dialect.ts";
import type { DatabaseAddress, ServerAddress } from "./dsn.ts";
import { describeAddress } from "./dsn.ts";
import { KyselyStorage } from "./kysely-storage.ts";
import { SCHEMA_VERSION, migrateTo, requireSchema } from "./migrations/migrate.ts";
import { flavorOf, mysqlDialect, mysqlPool, mysqlTraits } from "./mysql.ts";
import { openingFailure } from "./opening-failure.ts";
import { POSTGRES, postgresDialect, postgresPool } from "./postgres.ts";
import { cannotOpen, prepareFile } from "./sqlite-file.ts";
import { SQLITE, openSqlite } from "./sqlite.ts";
import type { Storage } from "./storage.ts";

export interface StorageOptions {
  readonly pool?: PoolLimits;
  /** How long a connection or a statement of a database server may take. */
  readonly limitMs?: number;
}

const DEFAULT_POOL: PoolLimits = { maxOpen: 10, maxIdle: 10, maxLifetimeMs: 3_600_000 };
const DEFAULT_LIMIT_MS = 10_000;

/**
 * Opens the database and brings its schema up to date. Throws STORAGE_UNAVAILABLE where it cannot be reached,
 * CONFIG_INVALID where it refuses the login, does not exist, or was written by a newer quantmesh.
 */
export async function createStorage(
  address: DatabaseAddress,
  options: StorageOptions = {},
): Promise<Storage> {
  if (address.type === "sqlite") requireWritable(address.file);
  const database = await openDatabase(address, options);
  try {
    await migrateTo(database, SCHEMA_VERSION);
  } catch (error) {
    await database.close();
    throw error;
  }
  return new KyselyStorage(database);
}

/**
 * Opens a database whose schema is up to date, and changes nothing in it. Throws as `createStorage` does, and
 * CONFIG_INVALID where the schema is older.
 */
export async function openStorage(address: DatabaseAddress, options: StorageOptions = {}): Promise<Storage> {
  const database = await openDatabase(address, options);
  try {
    await requireSchema(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  return new KyselyStorage(database);
}

/** The database with the schema that it has. Throws as `createStorage` does. */
export async function openDatabase(
  address: DatabaseAddress,
  { pool = DEFAULT_POOL, limitMs = DEFAULT_LIMIT_MS }: StorageOptions = {},
): Promise<Database> {
  const name = describeAddress(address);
  if (address.type === "sqlite") {
    try {
      return new Database({ ...openSqlite(address.file), traits: SQLITE, name, incarnation: () => 1 });
    } catch (error) {
      throw cannotOpen(name, error);
    }
  }
  const options = { limits: pool, limitMs };
  const isPostgres = address.type === "postgres";
  const connections = isPostgres ? postgresPool(address, options) : mysqlPool(address, options);
  try {
    const traits = await greet(address, connections, limitMs);
    const dialectOf = isPostgres ? postgresDialect : mysqlDialect;
    return new Database({
      dialect: dialectOf(connections, limitMs, "ordinary"),
      urgentDialect: dialectOf(connections, limitMs, "urgent"),
      traits,
      name,
      incarnation: () => connections.incarnation,
      end: () => connections.end(),
    });
  } catch (error) {
    connections.end();
    throw error;
  }
}

function requireWritable(file: string): void {
  try {
    prepareFile(file);
  } catch (error) {
    throw cannotOpen(file, error);
  }
}

/** The first connection: proves the address, and tells what kind of server answers. */
async function greet(
  address: ServerAddress,
  connections: ConnectionPool,
  limitMs: number,
): Promise<DialectTraits> {
  try {
    const connection = await connections.acquire(limitMs);
    const { rows } = await connection.execute("select version() as version", [], false);
    connections.release(connection);
    return address.type === "postgres" ? POSTGRES : mysqlTraits(flavorOf(String(rows[0]?.["version"])));
  } catch (error) {
    throw openingFailure(address, error);
  }
}
