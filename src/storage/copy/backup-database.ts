/** Writes a backup: one consistent snapshot of a database as a sealed SQLite file. */
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import BetterSqlite from "better-sqlite3";
import { QuantmeshError } from "../../domain/errors.ts";
import { unavailable } from "../database.ts";
import type { DatabaseAddress, ServerAddress } from "../dsn.ts";
import { sealBackup } from "./backup-seal.ts";
import { fillFrom, requireCurrent, schemaOf, withSnapshot } from "./copy-between.ts";
import type { Progress } from "./copy-progress.ts";
import { refuseMemory } from "./open-ends.ts";
import { replaceFile } from "./replace-file.ts";

const BUSY_TIMEOUT_MS = 5_000;

export interface BackupRequest {
  readonly from: DatabaseAddress;
  readonly file: string;
  /** Replace a file that is there. */
  readonly force: boolean;
  readonly progress: Progress;
}

/**
 * Writes `file`, whole or not at all, and gives its size in bytes. Instances may go on meanwhile. Throws CONFIG_INVALID
 * where the file is there already, STORAGE_UNAVAILABLE.
 */
export async function backupDatabase({ from, file, force, progress }: BackupRequest): Promise<number> {
  refuseMemory(from);
  if (existsSync(file) && !force) {
    throw new QuantmeshError("CONFIG_INVALID", `${file} is there already: name another file, or add --force`);
  }
  return writing(file, async () => {
    await replaceFile(file, async (temporary) => {
      if (from.type === "sqlite") await backupFile(from.file, temporary);
      else await backupServer(from, temporary, progress);
      await sealBackup(temporary);
    });
    return (await stat(file)).size;
  });
}

/** Runs beside the bots: in the log of SQLite a reader keeps no writer waiting. */
async function backupFile(file: string, backup: string): Promise<void> {
  await withSnapshot({ type: "sqlite", file }, async (source) => {
    if ((await schemaOf(source)).version > 0) return;
    throw new QuantmeshError("CONFIG_INVALID", `${file} is no database of quantmesh: it has no schema`);
  });
  try {
    const connection = new BetterSqlite(file, { readonly: true, timeout: BUSY_TIMEOUT_MS });
    try {
      connection.prepare("vacuum into ?").run(backup);
    } finally {
      connection.close();
    }
  } catch (error) {
    throw unavailable(file, error);
  }
}

async function backupServer(from: ServerAddress, file: string, progress: Progress): Promise<void> {
  const to = { type: "sqlite", file } as const;
  await withSnapshot(from, async (source) => {
    await requireCurrent(source);
    const { isEqual } = await fillFrom(source, to, false, progress);
    if (isEqual) return;
    throw new QuantmeshError("DATA_INVALID", `the backup of ${source.name} differs from it: none is written`);
  });
  // One file instead of a file and its log.
  const connection = new BetterSqlite(file);
  connection.pragma("journal_mode = DELETE");
  connection.close();
}

async function writing<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof QuantmeshError || !(error instanceof Error)) throw error;
    throw new QuantmeshError("STORAGE_UNAVAILABLE", `cannot write ${file}: ${error.message}`, {
      cause: error,
    });
  }
}
