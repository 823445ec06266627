/** Kysely's driver for database servers: pooled connections, and a time limit on every statement. */
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from "kysely";
import { ConnectionFailure } from "./connection-failure.ts";
import type { ConnectionPool, Lane, ServerConnection } from "./connection-pool.ts";
import { limited } from "./limited.ts";
import { isRepeated } from "./repeated-query.ts";

/** The statements that begin a transaction. */
export type BeginTransaction = (settings: TransactionSettings) => readonly string[];

export class ServerDriver implements Driver {
  readonly #pool: ConnectionPool;
  readonly #limitMs: number;
  readonly #lane: Lane;
  readonly #begin: BeginTransaction;

  constructor(pool: ConnectionPool, limitMs: number, lane: Lane, begin: BeginTransaction) {
    this.#pool = pool;
    this.#limitMs = limitMs;
    this.#lane = lane;
    this.#begin = begin;
  }

  async init(): Promise<void> {
    // Connections are opened when they are needed.
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return new LentConnection(await this.#pool.acquire(this.#limitMs, this.#lane), this.#limitMs);
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    this.#pool.release(lent(connection).connection);
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    for (const sql of this.#begin(settings)) await lent(connection).command(sql);
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await lent(connection).command("commit");
  }

  /** A broken connection has rolled back by breaking. */
  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    const { connection: own } = lent(connection);
    if (own.isLost) return;
    await lent(connection)
      .command("rollback")
      .catch(() => own.destroy());
  }

  async destroy(): Promise<void> {
    this.#pool.end();
  }
}

class LentConnection implements DatabaseConnection {
  readonly connection: ServerConnection;
  readonly #limitMs: number;

  constructor(connection: ServerConnection, limitMs: number) {
    this.connection = connection;
    this.#limitMs = limitMs;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const answer = await this.#within(
      this.connection.execute(query.sql, query.parameters, isRepeated(query)),
      query.sql,
    );
    const rows = answer.rows as Row[];
    return answer.affected === undefined ? { rows } : { rows, numAffectedRows: BigInt(answer.affected) };
  }

  /** Kysely asks for the method; nobody here streams. */
  streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error("rows are read in pages, not in streams");
  }

  async command(sql: string): Promise<void> {
    await this.#within(this.connection.execute(sql, [], false), sql);
  }

  /** What a server that does not answer may still do is unknown: its connection is given up. */
  #within<Result>(work: Promise<Result>, sql: string): Promise<Result> {
    return limited(work, this.#limitMs, () => {
      this.connection.destroy();
      return new ConnectionFailure(`no answer within ${this.#limitMs} ms to "${sql.slice(0, 40)}"`, true);
    });
  }
}

function lent(connection: DatabaseConnection): LentConnection {
  if (connection instanceof LentConnection) return connection;
  throw new Error("the connection is not of this driver");
}
