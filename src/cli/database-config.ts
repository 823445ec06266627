/** Where an instance stores what it knows, as its config says. */
import type { Config } from "../config/schema.ts";
import type { StorageOptions } from "../storage/create-storage.ts";
import type { DatabaseAddress } from "../storage/dsn.ts";
import { parseDsn } from "../storage/dsn.ts";
import { realExchangeOf } from "./open-market.ts";

/** Throws CONFIG_INVALID, without the address itself: it may hold a password. */
export function databaseAddress({ database }: Config): DatabaseAddress {
  return parseDsn(database.dsn, database.type);
}

/** A dry run stores nothing: what it decided never happened. */
const NOWHERE = { type: "sqlite", file: ":memory:" } as const satisfies DatabaseAddress;

/** The database that an instance opens. Throws as `databaseAddress`. */
export function storedAt(config: Config): DatabaseAddress {
  return realExchangeOf(config)?.real.mode === "dry_run" ? NOWHERE : databaseAddress(config);
}

/** Unless the config says: beside the database file, as gone as one in memory, or with the data of this process. */
export function spoolFile({ database, instance }: Config, address: DatabaseAddress): string {
  if (address === NOWHERE) return NOWHERE.file;
  if (database.spool_file !== undefined) return database.spool_file;
  if (address.type !== "sqlite") return `./data/${instance.id}.spool`;
  return address.file === ":memory:" ? address.file : `${address.file}.spool`;
}

export function databaseOptions({ database }: Config): StorageOptions {
  const { max_open_conns: maxOpen, max_idle_conns: maxIdle, conn_max_lifetime: seconds } = database;
  return { pool: { maxOpen, maxIdle, maxLifetimeMs: seconds * 1000 } };
}
