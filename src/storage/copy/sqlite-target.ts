/** Fills an SQLite database row by row, many rows to a transaction. */
import BetterSqlite from "better-sqlite3";
import { QuantmeshError } from "../../domain/errors.ts";
import { unavailable } from "../database.ts";
import { HISTORY_TABLE, UNFINISHED_COPY } from "../migrations/migrate.ts";
import type { CopyTarget, LoadedRows } from "./copy-target.ts";
import { PROGRESS_TABLE, inParts } from "./copy-target.ts";
import type { Lines } from "./line-text.ts";
import { decodeLines } from "./line-text.ts";
import type { TableName, TableShape } from "./table-shapes.ts";

/** Opens `file`, whose schema is up to date. The caller keeps other processes away. Throws STORAGE_UNAVAILABLE. */
export function openSqliteTarget(file: string): CopyTarget {
  return new SqliteTarget(file);
}

class SqliteTarget implements CopyTarget {
  readonly name: string;
  readonly lanes = 1;
  readonly #connection: BetterSqlite.Database;

  constructor(file: string) {
    this.name = file;
    this.#connection = this.#guarded(() => new BetterSqlite(file, { fileMustExist: true }));
    this.#connection.pragma("journal_mode = WAL");
    this.#connection.pragma("synchronous = FULL");
    // The rows of the source obey its own foreign keys, and both sides are compared in the end.
    this.#connection.pragma("foreign_keys = OFF");
  }

  async findUnfinished(): Promise<LoadedRows | undefined> {
    return this.#guarded(() => {
      const mark = this.#connection
        .prepare(`select 1 from ${HISTORY_TABLE} where name = ?`)
        .get(UNFINISHED_COPY);
      if (mark === undefined) return undefined;
      const rows = this.#connection.prepare<[], [TableName, string]>(
        `select name, value from ${PROGRESS_TABLE}`,
      );
      return new Map(
        rows
          .raw()
          .all()
          .map(([name, loaded]) => [name, Number(loaded)]),
      );
    });
  }

  async begin(): Promise<void> {
    this.#guarded(() =>
      this.#connection.transaction(() => {
        this.#connection
          .prepare(`insert or replace into ${HISTORY_TABLE} (name, timestamp) values (?, ?)`)
          .run(UNFINISHED_COPY, new Date().toISOString());
        this.#connection.exec(
          `create table if not exists ${PROGRESS_TABLE} (name varchar(64) primary key, value text not null)`,
        );
      })(),
    );
  }

  async clear({ name }: TableShape): Promise<void> {
    this.#guarded(() =>
      this.#connection.transaction(() => {
        this.#connection.prepare(`delete from "${name}"`).run();
        this.#connection.prepare(`delete from ${PROGRESS_TABLE} where name = ?`).run(name);
      })(),
    );
  }

  async load(
    table: TableShape,
    lines: AsyncIterable<Lines>,
    loaded: number,
    onRows: (rows: number) => void,
  ): Promise<void> {
    const columns = table.columns.map(([column]) => `"${column}"`);
    const marks = columns.map(() => "?").join(", ");
    // Text becomes a number by the column's own type.
    const insert = this.#guarded(() =>
      this.#connection.prepare<(string | null)[]>(
        `insert into "${table.name}" (${columns.join(", ")}) values (${marks})`,
      ),
    );
    const progress = this.#connection.prepare<[string, string]>(
      `insert or replace into ${PROGRESS_TABLE} (name, value) values (?, ?)`,
    );
    let total = loaded;
    await inParts(lines, async (part) => {
      const before = total;
      this.#guarded(() => this.#connection.exec("begin immediate"));
      try {
        for await (const { text, rows } of part) {
          this.#guarded(() => {
            for (const fields of decodeLines(text)) insert.run(...fields);
          });
          total += rows;
        }
        this.#guarded(() => {
          progress.run(table.name, String(total));
          this.#connection.exec("commit");
        });
      } catch (error) {
        if (this.#connection.inTransaction) this.#connection.exec("rollback");
        throw error;
      }
      onRows(total - before);
    });
  }

  rebuildsOf(): readonly (() => Promise<void>)[] {
    return [];
  }

  async completeSchema(): Promise<void> {
    // Nothing was removed.
  }

  async finish(): Promise<void> {
    this.#guarded(() => {
      this.#connection.transaction(() => {
        this.#connection.exec(`drop table ${PROGRESS_TABLE}`);
        this.#connection.prepare(`delete from ${HISTORY_TABLE} where name = ?`).run(UNFINISHED_COPY);
      })();
      this.#connection.pragma("wal_checkpoint(TRUNCATE)");
    });
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  #guarded<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      if (error instanceof RangeError)
        throw refused(this.name, "a row with another number of columns", error);
      if (!(error instanceof BetterSqlite.SqliteError)) throw error;
      if (error.code.startsWith("SQLITE_CONSTRAINT")) throw refused(this.name, error.message, error);
      throw unavailable(this.name, error);
    }
  }
}

function refused(name: string, reason: string, cause: Error): QuantmeshError {
  return new QuantmeshError("DATA_INVALID", `storage ${name} refused a row: ${reason}`, { cause });
}
