/** Fills a PostgreSQL database through COPY, and builds its indexes and references after the rows. */
import { pipeline } from "node:stream/promises";
import { from as copyFrom } from "pg-copy-streams";
import { HISTORY_TABLE, UNFINISHED_COPY } from "../migrations/migrate.ts";
import type { CopyTarget, LoadedRows } from "./copy-target.ts";
import { PROGRESS_TABLE, inParts } from "./copy-target.ts";
import type { Lines } from "./line-text.ts";
import type { Rebuild } from "./postgres-rebuild.ts";
import { completeRebuild, readRebuilds, rebuildIndex, removeForRebuild } from "./postgres-rebuild.ts";
import type { PostgresAccess, PostgresSession } from "./postgres-session.ts";
import type { TableName, TableShape } from "./table-shapes.ts";
import { TABLES } from "./table-shapes.ts";

/** Locks of the server that end with their session: one copy at a time; and whoever still works for one. */
const COPY_LOCK = 7_239_165_021;
const WORK_LOCK = 7_239_165_022;
/** The row of the progress table that says what is to be rebuilt. */
const REBUILD_ROW = "rebuild";
/** How long what an interrupted copy has sent may take to end: an index of many rows. */
const ORPHANS_LIMIT_MS = 600_000;

/**
 * Opens the database, whose schema is up to date. Throws STORAGE_UNAVAILABLE, ALREADY_RUNNING where another process
 * copies into it.
 */
export async function openPostgresTarget(access: PostgresAccess): Promise<CopyTarget> {
  const control = await access.open();
  try {
    await control.takeLock(COPY_LOCK, `another process is copying into ${access.name}: wait for its end`);
    return new PostgresTarget(access, control);
  } catch (error) {
    await control.close();
    throw error;
  }
}

class PostgresTarget implements CopyTarget {
  readonly name: string;
  readonly lanes = 2;
  readonly #access: PostgresAccess;
  readonly #control: PostgresSession;
  readonly #idle: PostgresSession[] = [];
  #rebuilds: readonly Rebuild[] = [];

  constructor(access: PostgresAccess, control: PostgresSession) {
    this.name = access.name;
    this.#access = access;
    this.#control = control;
  }

  async findUnfinished(): Promise<LoadedRows | undefined> {
    const marks = await this.#control.run(`select 1 from ${HISTORY_TABLE} where name = $1`, [
      UNFINISHED_COPY,
    ]);
    if (marks.length === 0) return undefined;
    await this.#control.run(`set lock_timeout = ${ORPHANS_LIMIT_MS}`);
    await this.#control.run(`select pg_advisory_lock(${WORK_LOCK})`);
    await this.#control.run(`select pg_advisory_unlock(${WORK_LOCK})`);
    await this.#control.run("reset lock_timeout");
    const rows = await this.#control.run(`select name, value from ${PROGRESS_TABLE} where name <> $1`, [
      REBUILD_ROW,
    ]);
    return new Map(rows.map(({ name, value }) => [name as TableName, Number(value)]));
  }

  async begin(): Promise<void> {
    await this.#control.transaction(async () => {
      await this.#control.run(
        `insert into ${HISTORY_TABLE} (name, timestamp) values ($1, $2) on conflict (name) do nothing`,
        [UNFINISHED_COPY, new Date().toISOString()],
      );
      await this.#control.run(
        `create table if not exists ${PROGRESS_TABLE} (name varchar(64) primary key, value text not null)`,
      );
      const [known] = await this.#control.run(`select value from ${PROGRESS_TABLE} where name = $1`, [
        REBUILD_ROW,
      ]);
      this.#rebuilds =
        known === undefined
          ? await readRebuilds(this.#control, TABLES)
          : (JSON.parse(String(known["value"])) as readonly Rebuild[]);
      await removeForRebuild(this.#control, this.#rebuilds);
      await this.#setProgress(this.#control, REBUILD_ROW, JSON.stringify(this.#rebuilds));
    });
  }

  async clear({ name }: TableShape): Promise<void> {
    await this.#control.transaction(async () => {
      await this.#control.run(`truncate "${name}"`);
      await this.#control.run(`delete from ${PROGRESS_TABLE} where name = $1`, [name]);
    });
  }

  load(
    { name, columns }: TableShape,
    lines: AsyncIterable<Lines>,
    loaded: number,
    onRows: (rows: number) => void,
  ): Promise<void> {
    const sql = `copy "${name}" (${columns.map(([column]) => `"${column}"`).join(", ")}) from stdin`;
    let total = loaded;
    return this.#withSession((session) =>
      inParts(lines, async (part) => {
        const before = total;
        const texts = async function* (): AsyncGenerator<Buffer> {
          for await (const { text, rows } of part) {
            total += rows;
            yield text;
          }
        };
        await session.transaction(async () => {
          await session.guardedCall(() => pipeline(texts(), session.stream(copyFrom(sql))));
          await this.#setProgress(session, name, String(total));
        });
        onRows(total - before);
      }),
    );
  }

  rebuildsOf({ name }: TableShape): readonly (() => Promise<void>)[] {
    return this.#rebuilds
      .filter((rebuild) => rebuild.kind === "index" && rebuild.table === name)
      .map((rebuild) => () => this.#withSession((session) => rebuildIndex(session, rebuild)));
  }

  async completeSchema(): Promise<void> {
    await completeRebuild(this.#control, this.#rebuilds);
    for (const { name } of TABLES) await this.#control.run(`analyze "${name}"`);
  }

  /** Waits for the disk, and with it for all that was committed before. */
  async finish(): Promise<void> {
    await this.#control.run("set synchronous_commit = on");
    await this.#control.transaction(async () => {
      await this.#control.run(`drop table ${PROGRESS_TABLE}`);
      await this.#control.run(`delete from ${HISTORY_TABLE} where name = $1`, [UNFINISHED_COPY]);
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#idle, this.#control].map((session) => session.close()));
  }

  async #setProgress(session: PostgresSession, name: string, value: string): Promise<void> {
    await session.run(
      `insert into ${PROGRESS_TABLE} (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value`,
      [name, value],
    );
  }

  async #withSession<Result>(work: (session: PostgresSession) => Promise<Result>): Promise<Result> {
    const session = this.#idle.pop() ?? (await this.#openWorker());
    try {
      const result = await work(session);
      this.#idle.push(session);
      return result;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  async #openWorker(): Promise<PostgresSession> {
    const session = await this.#access.open();
    // A copy that is resumed waits until no session has this lock.
    await session.run(`select pg_advisory_lock_shared(${WORK_LOCK})`);
    // Commits reach the disk in their order; the last one waits for all of them.
    await session.run("set synchronous_commit = off");
    await session.run("set maintenance_work_mem = '128MB'");
    return session;
  }
}
