/** One connection to MySQL or MariaDB for a copy: statements in their order, rows as a stream, its errors as ours. */
import type { Connection, RowDataPacket } from "mysql2";
import { QuantmeshError } from "../../domain/errors.ts";
import { unavailable } from "../database.ts";

/** Where a database is, and how one more connection to it is made. */
export interface MysqlAccess {
  /** Names the database in messages; holds no secret. */
  readonly name: string;
  /** Throws STORAGE_UNAVAILABLE. */
  open(): Promise<MysqlSession>;
}

export class MysqlSession {
  readonly #name: string;
  readonly #connection: Connection;

  constructor(name: string, connection: Connection) {
    this.#name = name;
    this.#connection = connection;
    // A connection that breaks fails the statement under way; without one there is nothing to tell.
    connection.on("error", () => undefined);
  }

  /** `?` takes a value; an array of arrays becomes the rows of an insert. */
  async run(sql: string, values: readonly unknown[] = []): Promise<readonly RowDataPacket[]> {
    try {
      const [rows] = await this.#connection.promise().query<RowDataPacket[]>(sql, [...values]);
      return rows;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async hasTable(name: string): Promise<boolean> {
    const found = await this.run(
      "select 1 from information_schema.tables where table_schema = database() and table_name = ?",
      [name],
    );
    return found.length > 0;
  }

  /** The only column of each row. */
  async *stream(sql: string): AsyncGenerator<string> {
    const query = this.#connection.query({ sql, rowsAsArray: true });
    try {
      for await (const [value] of query.stream() as AsyncIterable<[string]>) yield value;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Closes the socket: a stream may be under way. */
  close(): void {
    this.#connection.destroy();
  }

  #failure(error: unknown): unknown {
    if (!(error instanceof Error) || error instanceof QuantmeshError) return error;
    const sqlState = "sqlState" in error ? String(error.sqlState) : "";
    // Classes 22 and 23: a value that does not fit its column, a row that breaks a rule.
    return /^2[23]/.test(sqlState)
      ? new QuantmeshError("DATA_INVALID", `storage ${this.#name} refused a row: ${error.message}`, {
          cause: error,
        })
      : unavailable(this.#name, error);
  }
}
