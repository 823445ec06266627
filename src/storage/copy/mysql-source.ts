/** Reads a snapshot of a MySQL or MariaDB database as lines of text that the server puts together. */
import { HISTORY_TABLE } from "../migrations/migrate.ts";
import type { CopySource } from "./copy-source.ts";
import type { Lines } from "./line-text.ts";
import { ESCAPES } from "./line-text.ts";
import type { MysqlAccess, MysqlSession } from "./mysql-session.ts";
import type { ColumnKind, TableShape } from "./table-shapes.ts";

const ROWS_AT_ONCE = 2000;

/** Opens a snapshot. Throws STORAGE_UNAVAILABLE. */
export async function openMysqlSource(access: MysqlAccess): Promise<CopySource> {
  const session = await access.open();
  try {
    await session.run("set session transaction isolation level repeatable read");
    await session.run("start transaction with consistent snapshot, read only");
    return new MysqlSource(access.name, session);
  } catch (error) {
    session.close();
    throw error;
  }
}

class MysqlSource implements CopySource {
  readonly name: string;
  /** Two connections cannot have the same snapshot. */
  readonly lanes = 1;
  readonly #session: MysqlSession;

  constructor(name: string, session: MysqlSession) {
    this.name = name;
    this.#session = session;
  }

  async history(): Promise<readonly string[]> {
    if (!(await this.#session.hasTable(HISTORY_TABLE))) return [];
    return (await this.#session.run(`select name from ${HISTORY_TABLE}`)).map((row) => String(row["name"]));
  }

  async countRows({ name }: TableShape): Promise<number> {
    const [row] = await this.#session.run(`select count(*) as total from \`${name}\``);
    return Number(row?.["total"]);
  }

  async *read({ name, columns, key }: TableShape): AsyncIterable<Lines> {
    const fields = columns.map(([column, kind]) => `coalesce(${fieldSql(column, kind)}, ${NULL_TEXT})`);
    const order = key.map((column) => `\`${column}\``).join(", ");
    let lines: string[] = [];
    const sql = `select concat_ws(${character(9)}, ${fields.join(", ")}) from \`${name}\` order by ${order}`;
    for await (const line of this.#session.stream(sql)) {
      if (lines.push(line) < ROWS_AT_ONCE) continue;
      yield linesOf(lines);
      lines = [];
    }
    if (lines.length > 0) yield linesOf(lines);
  }

  async close(): Promise<void> {
    this.#session.close();
  }
}

/** A character by its number: whether a backslash in quotes is one depends on the server's settings. */
function character(code: number): string {
  return `char(${code} using utf8mb4)`;
}

const NULL_TEXT = `concat(${character(0x5c)}, 'N')`;

function linesOf(lines: readonly string[]): Lines {
  return { text: Buffer.from(`${lines.join("\n")}\n`), rows: lines.length };
}

function fieldSql(column: string, kind: ColumnKind): string {
  switch (kind) {
    case "text":
      return ESCAPES.reduce(
        (sql, [code, letter]) =>
          `replace(${sql}, ${character(code)}, concat(${character(0x5c)}, ${character(letter.charCodeAt(0))}))`,
        `\`${column}\``,
      );
    case "amount":
      return `trim(trailing '.' from trim(trailing '0' from cast(\`${column}\` as char)))`;
    case "integer":
      return `cast(\`${column}\` as char)`;
  }
}
