/** Keeps a second process away from a database file for as long as this one lives. */
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import Database from "better-sqlite3";
import { QuantmeshError } from "../domain/errors.ts";
import { cannotOpen, prepareFile } from "./sqlite-file.ts";

/** Keeps held locks from the garbage collector, which would close their files. */
const HELD = new Set<Database.Database>();

export interface ProcessLock {
  release(): void;
}

/**
 * Takes the exclusive lock beside `databaseFile`; `:memory:` needs none. The operating system frees it when the
 * process ends, however it ends. Throws ALREADY_RUNNING with `remedy` where another process has it, STORAGE_UNAVAILABLE
 * where the lock file cannot be made.
 */
export function holdProcessLock(databaseFile: string, remedy = "stop it first"): ProcessLock {
  if (databaseFile === ":memory:") return { release: () => undefined };
  let file: Database.Database | undefined;
  try {
    prepareFile(databaseFile);
    file = new Database(`${realPath(databaseFile)}.lock`, { timeout: 0 });
    // SQLite's own file locks are what is wanted; nothing is ever written into this database.
    file.exec("begin exclusive");
  } catch (error) {
    file?.close();
    if (error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY")) {
      throw new QuantmeshError(
        "ALREADY_RUNNING",
        `another quantmesh process is running on ${databaseFile}: ${remedy}`,
        { cause: error },
      );
    }
    throw cannotOpen(databaseFile, error);
  }
  const held = file;
  HELD.add(held);
  return {
    release: () => {
      HELD.delete(held);
      held.close();
    },
  };
}

/** Two paths to one database, as by a link, must lead to one lock. */
function realPath(file: string): string {
  if (existsSync(file)) return realpathSync(file);
  return join(realpathSync(dirname(file)), basename(file));
}
