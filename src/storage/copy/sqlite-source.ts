/** Reads an SQLite file as lines of text that SQLite itself puts together: no value of a row passes through JavaScript. */
import { setImmediate as turn } from "node:timers/promises";
import BetterSqlite from "better-sqlite3";
import { HISTORY_TABLE } from "../migrations/migrate.ts";
import { cannotOpen } from "../sqlite-file.ts";
import type { CopySource } from "./copy-source.ts";
import type { Lines } from "./line-text.ts";
import { ESCAPES, needsEscapes } from "./line-text.ts";
import type { ColumnKind, TableShape } from "./table-shapes.ts";

/** Rows of one chunk: about 400 kB of orders. */
const ROWS_AT_ONCE = 2000;
const BUSY_TIMEOUT_MS = 5_000;

type Chunk = [text: Buffer | null, rows: number, lastRowId: number | null, free: Buffer | null];

/** Opens a snapshot of `file`, which must exist. Throws STORAGE_UNAVAILABLE. */
export function openSqliteSource(file: string): CopySource {
  return new SqliteSource(file);
}

class SqliteSource implements CopySource {
  readonly name: string;
  /** One connection serves them all: each chunk is a whole statement. */
  readonly lanes = 2;
  readonly #connection: BetterSqlite.Database;

  constructor(file: string) {
    this.name = file;
    this.#connection = this.#guarded(
      () => new BetterSqlite(file, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS }),
    );
    try {
      // The first read of the transaction fixes what it sees.
      this.#guarded(() => this.#connection.exec("begin; select count(*) from sqlite_schema"));
    } catch (error) {
      this.#connection.close();
      throw error;
    }
  }

  async history(): Promise<readonly string[]> {
    return this.#guarded(() => {
      const table = this.#connection.prepare("select 1 from sqlite_schema where name = ?").get(HISTORY_TABLE);
      if (table === undefined) return [];
      return this.#connection.prepare<[], string>(`select name from ${HISTORY_TABLE}`).pluck().all();
    });
  }

  async countRows({ name }: TableShape): Promise<number> {
    return this.#guarded(
      () => this.#connection.prepare(`select count(*) from "${name}"`).pluck().get() as number,
    );
  }

  async *read(table: TableShape): AsyncIterable<Lines> {
    const plain = this.#guarded(() => this.#connection.prepare<[number], Chunk>(chunkSql(table, plainText)));
    plain.raw();
    let escaped: BetterSqlite.Statement<[number], Chunk> | undefined;
    let after = Number.MIN_SAFE_INTEGER;
    for (;;) {
      let chunk = this.#guarded(() => plain.get(after));
      if (chunk?.[3] && needsEscapes(chunk[3])) {
        escaped ??= this.#connection.prepare<[number], Chunk>(chunkSql(table, escapedText)).raw();
        const again = escaped;
        chunk = this.#guarded(() => again.get(after));
      }
      const [text, rows, last] = chunk ?? [null, 0, null];
      if (text === null || last === null) return;
      yield { text, rows };
      after = last;
      // Statements run to their end at once: others must get their turn in between.
      await turn();
    }
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  #guarded<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw error instanceof BetterSqlite.SqliteError ? cannotOpen(this.name, error) : error;
    }
  }
}

/** The next rows after a row number: their lines, how many, the last row number, and all text that may need escapes. */
function chunkSql({ name, columns }: TableShape, textOf: (column: string) => string): string {
  const fields = columns.map(([column, kind]) => `coalesce(${fieldSql(column, kind, textOf)}, '\\N')`);
  const free = columns.filter(([, kind]) => kind === "text").map(([column]) => `"${column}"`);
  return `
    select cast(group_concat(line, char(10)) || char(10) as blob), count(*), max(id), cast(group_concat(free, '') as blob)
    from (
      select rowid as id, concat_ws(char(9), ${fields.join(", ")}) as line, concat(${free.join(", ")}) as free
      from "${name}" where rowid > ? order by rowid limit ${ROWS_AT_ONCE}
    )`;
}

function fieldSql(column: string, kind: ColumnKind, textOf: (column: string) => string): string {
  switch (kind) {
    case "text":
      return textOf(column);
    case "amount":
      return `iif(instr("${column}", '.'), rtrim(rtrim("${column}", '0'), '.'), "${column}")`;
    case "integer":
      return `"${column}"`;
  }
}

function plainText(column: string): string {
  return `"${column}"`;
}

function escapedText(column: string): string {
  return ESCAPES.reduce(
    (sql, [code, letter]) => `replace(${sql}, char(${code}), '\\${letter}')`,
    `"${column}"`,
  );
}
