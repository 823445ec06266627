/** Opens an SQLite file for Kysely: durable at every commit, and one writer at a time from a transaction's start. */
import BetterSqlite from "better-sqlite3";
import type { DatabaseConnection, Dialect, Driver, SqliteDatabase, TransactionSettings } from "kysely";
import { CompiledQuery, SqliteDialect, SqliteDriver } from "kysely";
import type { DialectTraits } from "./dialect.ts";
import { prepareFileToRead } from "./sqlite-file.ts";

/** What better-sqlite3 and Kysely say, without a code, of a database that was closed. */
const CLOSED_MESSAGES = ["The database connection is not open", "driver has already been destroyed"];

export const SQLITE: DialectTraits = {
  type: "sqlite",
  amountType: "text",
  locksRows: false,
  saysForShare: false,
  snapshotsNeedIsolation: false,
  undoesSchemaChanges: true,
  saysOnConflict: true,
  runsBlocks: false,
  tableOptions: undefined,
  nowMs: "cast(unixepoch('subsec') * 1000 as integer)",
  takeSchemaLock: undefined,
  freeSchemaLock: undefined,
  endSleepers: undefined,
  failureOf: (error) => {
    if (error instanceof BetterSqlite.SqliteError) {
      if (error.code === "SQLITE_CONSTRAINT_PRIMARYKEY") return "keyConflict";
      if (error.code === "SQLITE_CONSTRAINT_UNIQUE") return "keyConflict";
      if (error.code.startsWith("SQLITE_BUSY")) return "contention";
      if (error.code.startsWith("SQLITE_READONLY")) return "denied";
      return error.code.startsWith("SQLITE_CONSTRAINT") ? "constraint" : "unavailable";
    }
    return error instanceof Error && CLOSED_MESSAGES.includes(error.message) ? "unavailable" : undefined;
  },
  isMissingTable: (error) => error instanceof Error && error.message.startsWith("no such table"),
  isAlreadyThere: () => false,
};

const OPENING_TIMEOUT_MS = 5_000;
const CACHED_STATEMENTS = 200;

/** The dialect over `file`, or over memory for `:memory:`; missing parent folders are created. */
export function openSqlite(file: string): { readonly dialect: Dialect; readonly end: () => void } {
  prepareFileToRead(file);
  const connection = new BetterSqlite(file, { timeout: OPENING_TIMEOUT_MS });
  try {
    connection.pragma("journal_mode = WAL");
    // An intent must be on the disk before its order leaves: FULL syncs the log at every commit.
    connection.pragma("synchronous = FULL");
    connection.pragma("foreign_keys = ON");
    // SQLite waits for another writer by standing still, and that one may be in this very process: we wait awake.
    connection.pragma("busy_timeout = 0");
  } catch (error) {
    connection.close();
    throw error;
  }
  return { dialect: new ImmediateSqliteDialect(connection), end: () => connection.close() };
}

class ImmediateSqliteDialect extends SqliteDialect {
  readonly #connection: BetterSqlite.Database;

  constructor(connection: BetterSqlite.Database) {
    super({ database: connection });
    this.#connection = connection;
  }

  override createDriver(): Driver {
    return new ImmediateSqliteDriver(this.#connection);
  }
}

class ImmediateSqliteDriver extends SqliteDriver {
  readonly #connection: BetterSqlite.Database;

  constructor(connection: BetterSqlite.Database) {
    super({ database: withStatementCache(connection) });
    this.#connection = connection;
  }

  /**
   * A plain `begin` takes the write lock at the first write, and fails at once if somebody wrote in between. Only
   * readers, who keep nobody waiting, begin that way.
   */
  override async beginTransaction(
    connection: DatabaseConnection,
    settings?: TransactionSettings,
  ): Promise<void> {
    const begin = settings?.accessMode === "read only" ? "begin" : "begin immediate";
    await connection.executeQuery(CompiledQuery.raw(begin));
  }

  /** A full or broken disk ends the transaction by itself; rolling back then would hide the first error. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#connection.inTransaction) await super.rollbackTransaction(connection);
  }

  /** Waits for the transaction under way. */
  override async destroy(): Promise<void> {
    await this.acquireConnection();
    await super.destroy();
    await this.releaseConnection();
  }
}

/** Kysely prepares each statement anew; the same few dozen come all the time. */
function withStatementCache(connection: BetterSqlite.Database): SqliteDatabase {
  const statements = new Map<string, BetterSqlite.Statement<unknown[]>>();
  return {
    prepare: (sql) => {
      const known = statements.get(sql);
      if (known) return known;
      if (statements.size >= CACHED_STATEMENTS) statements.clear();
      const statement = connection.prepare<unknown[]>(sql);
      statements.set(sql, statement);
      return statement;
    },
    close: () => connection.close(),
  };
}
