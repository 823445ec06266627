/** The database that a config names. */
import type { Config } from "../config/schema.ts";
import type { StorageOptions } from "../storage/create-storage.ts";
import type { DatabaseAddress } from "../storage/dsn.ts";
import { parseDsn } from "../storage/dsn.ts";

/** Throws CONFIG_INVALID, without the address itself: it may hold a password. */
export function databaseAddress({ database }: Config): DatabaseAddress {
  return parseDsn(database.dsn, database.type);
}

export function databaseOptions({ database }: Config): StorageOptions {
  const { max_open_conns: maxOpen, max_idle_conns: maxIdle, conn_max_lifetime: seconds } = database;
  return { pool: { maxOpen, maxIdle, maxLifetimeMs: seconds * 1000 } };
}
