/** Reads a snapshot of a PostgreSQL database through COPY, which writes the lines by itself. */
import { to as copyTo } from "pg-copy-streams";
import { HISTORY_TABLE } from "../migrations/migrate.ts";
import type { CopySource } from "./copy-source.ts";
import type { Lines } from "./line-text.ts";
import { wholeLines } from "./line-text.ts";
import type { PostgresAccess, PostgresSession } from "./postgres-session.ts";
import type { ColumnKind, TableShape } from "./table-shapes.ts";

/** Opens a snapshot. Throws STORAGE_UNAVAILABLE. */
export async function openPostgresSource(access: PostgresAccess): Promise<CopySource> {
  const keeper = await access.open();
  try {
    await keeper.run("begin isolation level repeatable read read only");
    const [row] = await keeper.run("select pg_export_snapshot() as snapshot");
    return new PostgresSource(access, keeper, String(row?.["snapshot"]));
  } catch (error) {
    await keeper.close();
    throw error;
  }
}

class PostgresSource implements CopySource {
  readonly name: string;
  readonly lanes = 2;
  readonly #access: PostgresAccess;
  /** The snapshot lives as long as this session's transaction. */
  readonly #keeper: PostgresSession;
  readonly #snapshot: string;

  constructor(access: PostgresAccess, keeper: PostgresSession, snapshot: string) {
    this.name = access.name;
    this.#access = access;
    this.#keeper = keeper;
    this.#snapshot = snapshot;
  }

  async history(): Promise<readonly string[]> {
    const [found] = await this.#keeper.run("select to_regclass($1) is not null as found", [HISTORY_TABLE]);
    if (found?.["found"] !== true) return [];
    return (await this.#keeper.run(`select name from ${HISTORY_TABLE}`)).map(({ name }) => String(name));
  }

  async countRows({ name }: TableShape): Promise<number> {
    const [row] = await this.#keeper.run(`select count(*) as rows from "${name}"`);
    return Number(row?.["rows"]);
  }

  async *read({ name, columns, key }: TableShape): AsyncIterable<Lines> {
    const session = await this.#access.open();
    try {
      await session.run("begin isolation level repeatable read read only");
      await session.run(`set transaction snapshot '${this.#snapshot}'`);
      const fields = columns.map(([column, kind]) => fieldSql(column, kind)).join(", ");
      const order = key.map((column) => `"${column}"`).join(", ");
      const rows = session.stream(
        copyTo(`copy (select ${fields} from "${name}" order by ${order}) to stdout`),
      );
      yield* wholeLines(session.guarded(rows));
    } finally {
      await session.close();
    }
  }

  close(): Promise<void> {
    return this.#keeper.close();
  }
}

function fieldSql(column: string, kind: ColumnKind): string {
  return kind === "amount" ? `trim_scale("${column}")` : `"${column}"`;
}
