/** Puts an undamaged backup in the place of a database. */
import { existsSync } from "node:fs";
import { copyFile, open, rm } from "node:fs/promises";
import BetterSqlite from "better-sqlite3";
import { QuantmeshError, hasCode } from "../../domain/errors.ts";
import type { DatabaseAddress, SqliteAddress } from "../dsn.ts";
import { holdInstanceLock } from "../instance-lock.ts";
import { holdProcessLock } from "../process-lock.ts";
import { checkBackup } from "./backup-seal.ts";
import { fillFrom, migrate, refuseOwners, requireCurrent, schemaOf, withSnapshot } from "./copy-between.ts";
import type { Progress } from "./copy-progress.ts";
import { isThere, refuseMemory } from "./open-ends.ts";
import { replaceFile } from "./replace-file.ts";
import { TABLES } from "./table-shapes.ts";

const RUNS_THERE = "stop it first, or restore to another database";

export interface RestoreRequest {
  readonly file: string;
  readonly to: DatabaseAddress;
  /** Replace what the database holds. */
  readonly force: boolean;
  readonly progress: Progress;
}

/**
 * Restores `file` into a database on which no instance runs. Throws DATA_INVALID where the backup is damaged,
 * CONFIG_INVALID where the database holds rows and `force` is not given, ALREADY_RUNNING, STORAGE_UNAVAILABLE.
 */
export async function restoreBackup({ file, to, force, progress }: RestoreRequest): Promise<void> {
  refuseMemory(to);
  const bytes = await checkBackup(file);
  if (to.type === "sqlite") return restoreFile(file, bytes, to, force);
  const lock = await holdInstanceLock(to, RUNS_THERE);
  try {
    await refuseOwners(to);
    const { isEqual } = await withSnapshot({ type: "sqlite", file }, async (source) => {
      await requireCurrent(source);
      if (force) await migrate(to, 0);
      return fillFrom(source, to, false, progress);
    });
    if (!isEqual)
      throw new QuantmeshError("DATA_INVALID", `what was restored differs from ${file}: do not use it`);
  } finally {
    lock.release();
  }
}

async function restoreFile(backup: string, bytes: number, to: SqliteAddress, force: boolean): Promise<void> {
  const lock = holdProcessLock(to.file, RUNS_THERE);
  try {
    if (!force) await refuseContent(to);
    await replaceFile(to.file, async (temporary) => {
      await copyFile(backup, temporary);
      const handle = await open(temporary, "r+");
      await handle.truncate(bytes).finally(() => handle.close());
      // The log of the old file must never be applied to the new one.
      await foldLog(to.file);
    });
  } finally {
    lock.release();
  }
}

/** Throws CONFIG_INVALID where the file holds a row, or cannot be read. */
async function refuseContent(address: SqliteAddress): Promise<void> {
  if (!isThere(address)) return;
  const rows = await countAll(address);
  if (rows === 0) return;
  const what = rows === undefined ? "is there and cannot be read" : `is not empty (${rows} rows)`;
  throw new QuantmeshError(
    "CONFIG_INVALID",
    `${address.file} ${what}: restore to another file, or replace it with --force`,
  );
}

async function countAll(address: SqliteAddress): Promise<number | undefined> {
  try {
    return await withSnapshot(address, async (source) => {
      if ((await schemaOf(source)).version === 0) return 0;
      let rows = 0;
      for (const table of TABLES) rows += await source.countRows(table);
      return rows;
    });
  } catch (error) {
    if (hasCode(error, "STORAGE_UNAVAILABLE")) return undefined;
    throw error;
  }
}

/** Writes the log into the file and removes it; where the file is damaged, removes it at least. */
async function foldLog(file: string): Promise<void> {
  if (existsSync(file)) {
    try {
      const connection = new BetterSqlite(file, { timeout: 0 });
      connection.pragma("journal_mode = DELETE");
      connection.close();
    } catch (error) {
      if (!(error instanceof BetterSqlite.SqliteError)) throw error;
    }
  }
  for (const suffix of ["-wal", "-shm"]) await rm(`${file}${suffix}`, { force: true });
}
