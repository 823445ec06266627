/** The database drivers by themselves: statements prepared once, parameters at hand, nothing in between. */
import BetterSqlite from "better-sqlite3";
import mysql from "mysql2/promise";
import pg from "pg";

export interface RawStatement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export interface RawDriver {
  readonly name: string;
  /** One after the other on one connection. */
  run(statements: readonly RawStatement[]): Promise<void>;
  close(): Promise<void>;
}

const IS_COMMAND = /^(begin|commit)/;

export async function rawSqlite(file: string): Promise<RawDriver> {
  const database = new BetterSqlite(file);
  database.pragma("synchronous = FULL");
  database.pragma("foreign_keys = ON");
  const prepared = new Map<string, BetterSqlite.Statement<unknown[]>>();
  return {
    name: "better-sqlite3",
    run: async (statements) => {
      for (const { sql, parameters } of statements) {
        const statement =
          prepared.get(sql) ?? database.prepare<unknown[]>(sql.replace(/^begin$/, "begin immediate"));
        prepared.set(sql, statement);
        if (statement.reader) statement.all(parameters);
        else statement.run(parameters);
      }
    },
    close: async () => {
      database.close();
    },
  };
}

export async function rawPostgres(dsn: string): Promise<RawDriver> {
  const client = new pg.Client(dsn);
  await client.connect();
  const names = new Map<string, string>();
  return {
    name: "pg",
    run: async (statements) => {
      for (const { sql, parameters } of statements) {
        const name = names.get(sql) ?? `raw${names.size}`;
        names.set(sql, name);
        if (IS_COMMAND.test(sql)) await client.query(sql);
        else await client.query({ name, text: sql, values: parameters as unknown[] });
      }
    },
    close: () => client.end(),
  };
}

export async function rawMysql(dsn: string): Promise<RawDriver> {
  const connection = await mysql.createConnection({ uri: dsn, supportBigNumbers: true });
  await connection.query("set session transaction isolation level read committed");
  return {
    name: "mysql2",
    run: async (statements) => {
      for (const { sql, parameters } of statements) {
        if (IS_COMMAND.test(sql)) await connection.query(sql);
        else await connection.execute(sql, parameters as mysql.ExecuteValues);
      }
    },
    close: () => connection.end(),
  };
}
