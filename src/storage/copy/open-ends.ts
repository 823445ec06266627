/** Opens the two ends of a copy, whatever databases they are. */
import { existsSync, statSync } from "node:fs";
import mysql from "mysql2";
import pg from "pg";
import { QuantmeshError } from "../../domain/errors.ts";
import { connectToAny } from "../connect.ts";
import { openDatabase } from "../create-storage.ts";
import { unavailable } from "../database.ts";
import type { DatabaseAddress, ServerAddress } from "../dsn.ts";
import { describeAddress } from "../dsn.ts";
import { schemaVersion } from "../migrations/migrate.ts";
import { failureOfMysql, mysqlConnectionOptions } from "../mysql.ts";
import { failureOfPostgres, postgresClientConfig } from "../postgres.ts";
import type { CopySource } from "./copy-source.ts";
import type { CopyTarget } from "./copy-target.ts";
import type { MysqlAccess } from "./mysql-session.ts";
import { MysqlSession } from "./mysql-session.ts";
import { openMysqlSource } from "./mysql-source.ts";
import { openMysqlTarget } from "./mysql-target.ts";
import type { PostgresAccess } from "./postgres-session.ts";
import { PostgresSession } from "./postgres-session.ts";
import { openPostgresSource } from "./postgres-source.ts";
import { openPostgresTarget } from "./postgres-target.ts";
import { openSqliteSource } from "./sqlite-source.ts";
import { openSqliteTarget } from "./sqlite-target.ts";

const CONNECT_LIMIT_MS = 10_000;

/**
 * Opens a snapshot. Throws CONFIG_INVALID where the database does not exist or refuses the login,
 * STORAGE_UNAVAILABLE where it cannot be reached.
 */
export async function openSource(address: DatabaseAddress): Promise<CopySource> {
  switch (address.type) {
    case "sqlite":
      requireFile(address.file);
      return openSqliteSource(address.file);
    case "postgres":
      await probe(address);
      return openPostgresSource(postgresAccess(address));
    case "mysql":
      await probe(address);
      return openMysqlSource(mysqlAccess(address));
  }
}

/** Opens a database whose schema is up to date, to fill it. Throws as `openSource`, and ALREADY_RUNNING. */
export async function openTarget(address: DatabaseAddress): Promise<CopyTarget> {
  switch (address.type) {
    case "sqlite":
      return openSqliteTarget(address.file);
    case "postgres":
      return openPostgresTarget(postgresAccess(address));
    case "mysql":
      return openMysqlTarget(mysqlAccess(address));
  }
}

/** True of a server's database, which somebody has made, and of a file with something in it. */
export function isThere(address: DatabaseAddress): boolean {
  return address.type !== "sqlite" || existsSync(address.file);
}

/** Throws CONFIG_INVALID. */
export function refuseMemory(address: DatabaseAddress): void {
  if (address.type === "sqlite" && address.file === ":memory:") {
    throw new QuantmeshError("CONFIG_INVALID", ":memory: is a database of one process: name a file");
  }
}

/** Throws CONFIG_INVALID. */
export function requireFile(file: string): void {
  if (!existsSync(file)) throw new QuantmeshError("CONFIG_INVALID", `there is no database at ${file}`);
  if (!statSync(file).isFile())
    throw new QuantmeshError("CONFIG_INVALID", `${file} is no file: name the file of a database`);
}

/** The storage's own connection says best what is wrong with an address. */
async function probe(address: ServerAddress): Promise<void> {
  const database = await openDatabase(address);
  try {
    await schemaVersion(database);
  } finally {
    await database.close();
  }
}

function postgresAccess(address: ServerAddress): PostgresAccess {
  const name = describeAddress(address);
  const open = connectToAny(
    address,
    async (plan) => {
      const client = new pg.Client({
        ...postgresClientConfig(plan),
        // A snapshot is held, and a lock waited for, as long as the copy takes.
        idle_in_transaction_session_timeout: 0,
        lock_timeout: 0,
        application_name: "quantmesh copy",
      });
      await client.connect();
      return new PostgresSession(name, client);
    },
    (error) => failureOfPostgres(error) === "denied",
    CONNECT_LIMIT_MS,
  );
  return { name, open: () => named(name, open) };
}

function mysqlAccess(address: ServerAddress): MysqlAccess {
  const name = describeAddress(address);
  const open = connectToAny(
    address,
    async (plan) => {
      const connection = mysql.createConnection(mysqlConnectionOptions(plan));
      await new Promise<void>((connected, failed) => {
        connection.once("error", failed);
        connection.connect((error) => (error ? failed(error) : connected()));
      });
      return new MysqlSession(name, connection);
    },
    (error) => failureOfMysql(error) === "denied",
    CONNECT_LIMIT_MS,
  );
  return { name, open: () => named(name, open) };
}

async function named<Session>(name: string, open: () => Promise<Session>): Promise<Session> {
  try {
    return await open();
  } catch (error) {
    throw unavailable(name, error);
  }
}
