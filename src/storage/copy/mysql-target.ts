/** Fills a MySQL or MariaDB database by inserts of many rows. */
import { QuantmeshError } from "../../domain/errors.ts";
import { HISTORY_TABLE, UNFINISHED_COPY } from "../migrations/migrate.ts";
import type { CopyTarget, LoadedRows } from "./copy-target.ts";
import { PROGRESS_TABLE, inParts } from "./copy-target.ts";
import type { Lines } from "./line-text.ts";
import { decodeLines } from "./line-text.ts";
import type { MysqlAccess, MysqlSession } from "./mysql-session.ts";
import type { TableName, TableShape } from "./table-shapes.ts";

/** Ends with its connection. An interrupted copy's connection has it until nothing of it is under way. */
const COPY_LOCK = "quantmesh_copy";
const LOCK_LIMIT_SECONDS = 30;
/** Far below what a server takes in one packet. */
const ROWS_AT_ONCE = 500;
const BYTES_AT_ONCE = 1_000_000;

type Fields = readonly (string | null)[];

/** Opens the database, whose schema is up to date. Throws STORAGE_UNAVAILABLE, ALREADY_RUNNING. */
export async function openMysqlTarget(access: MysqlAccess): Promise<CopyTarget> {
  const session = await access.open();
  try {
    const [row] = await session.run("select get_lock(left(concat(?, '.', database()), 64), ?) as taken", [
      COPY_LOCK,
      LOCK_LIMIT_SECONDS,
    ]);
    if (row?.["taken"] !== 1) {
      throw new QuantmeshError(
        "ALREADY_RUNNING",
        `another process is copying into ${access.name}: wait for its end`,
      );
    }
    // A value that does not fit is an error, not another value; and a backslash in quotes escapes, as the driver does.
    await session.run("set session sql_mode = 'STRICT_ALL_TABLES'");
    // The rows of the source obey its own foreign keys, and both sides are compared in the end.
    await session.run("set session foreign_key_checks = 0");
    return new MysqlTarget(access.name, session);
  } catch (error) {
    session.close();
    throw error;
  }
}

class MysqlTarget implements CopyTarget {
  readonly name: string;
  readonly lanes = 1;
  readonly #session: MysqlSession;

  constructor(name: string, session: MysqlSession) {
    this.name = name;
    this.#session = session;
  }

  async findUnfinished(): Promise<LoadedRows | undefined> {
    const marks = await this.#session.run(`select 1 from ${HISTORY_TABLE} where name = ?`, [UNFINISHED_COPY]);
    if (marks.length === 0) return undefined;
    if (!(await this.#session.hasTable(PROGRESS_TABLE))) return new Map();
    const rows = await this.#session.run(`select name, value from ${PROGRESS_TABLE}`);
    return new Map(rows.map((row) => [row["name"] as TableName, Number(row["value"])]));
  }

  /** Each statement stands alone here: the mark comes first and goes last. */
  async begin(): Promise<void> {
    await this.#session.run(`replace into ${HISTORY_TABLE} (name, timestamp) values (?, ?)`, [
      UNFINISHED_COPY,
      new Date().toISOString(),
    ]);
    await this.#session.run(
      `create table if not exists ${PROGRESS_TABLE} (name varchar(64) primary key, value text not null) engine = InnoDB`,
    );
  }

  async clear({ name }: TableShape): Promise<void> {
    await this.#transaction(async () => {
      await this.#session.run(`delete from \`${name}\``);
      await this.#session.run(`delete from ${PROGRESS_TABLE} where name = ?`, [name]);
    });
  }

  async load(
    { name, columns }: TableShape,
    lines: AsyncIterable<Lines>,
    loaded: number,
    onRows: (rows: number) => void,
  ): Promise<void> {
    const insert = `insert into \`${name}\` (${columns.map(([column]) => `\`${column}\``).join(", ")}) values ?`;
    let total = loaded;
    await inParts(lines, async (part) => {
      const before = total;
      await this.#transaction(async () => {
        for await (const { text, rows } of part) {
          for (const batch of batchesOf(text, columns.length)) await this.#session.run(insert, [batch]);
          total += rows;
        }
        await this.#session.run(`replace into ${PROGRESS_TABLE} (name, value) values (?, ?)`, [
          name,
          String(total),
        ]);
      });
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
    await this.#session.run(`drop table ${PROGRESS_TABLE}`);
    await this.#session.run(`delete from ${HISTORY_TABLE} where name = ?`, [UNFINISHED_COPY]);
  }

  async close(): Promise<void> {
    this.#session.close();
  }

  async #transaction(work: () => Promise<void>): Promise<void> {
    await this.#session.run("start transaction");
    try {
      await work();
      await this.#session.run("commit");
    } catch (error) {
      // A connection that broke has rolled back by breaking; the first error is the one to tell.
      await this.#session.run("rollback").catch(() => undefined);
      throw error;
    }
  }
}

function* batchesOf(text: Buffer, fieldCount: number): Generator<readonly Fields[]> {
  let batch: Fields[] = [];
  let bytes = 0;
  for (const fields of decodeLines(text)) {
    if (fields.length !== fieldCount) {
      throw new QuantmeshError("DATA_INVALID", `a row has ${fields.length} fields instead of ${fieldCount}`);
    }
    batch.push(fields);
    bytes += fields.reduce((sum, field) => sum + (field?.length ?? 0), 0);
    if (batch.length < ROWS_AT_ONCE && bytes < BYTES_AT_ONCE) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
