/** Whether SQLite can have a file at a path, and what to do where it cannot. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import BetterSqlite from "better-sqlite3";
import { QuantmeshError } from "../domain/errors.ts";
import { makeFolders } from "./make-folders.ts";
import { unavailable } from "./database.ts";

const WRITABLE = "choose a file in a folder that this user may write to, or give the user that right";

/** Makes the folders above a missing file; of one that is there it asks that it can be read and written. Throws what Node says. */
export function prepareFile(file: string): void {
  if (file === ":memory:") return;
  if (!existsSync(file)) return prepareFolder(dirname(resolve(file)));
  refuseOther(file);
  accessSync(file, constants.R_OK | constants.W_OK);
}

/** For whoever only looks, perhaps with no right to write: makes the folders of a missing file, and refuses what is none. */
export function prepareFileToRead(file: string): void {
  if (file !== ":memory:" && existsSync(file)) refuseOther(file);
  else prepareFile(file);
}

/** STORAGE_UNAVAILABLE for a file that could not be opened, with the remedy where it is about the path. */
export function cannotOpen(file: string, cause: unknown): QuantmeshError {
  const failure = unavailable(file, cause);
  const remedy = remedyOf(cause);
  if (remedy === undefined) return failure;
  return new QuantmeshError("STORAGE_UNAVAILABLE", `${failure.message}; ${remedy}`, { cause });
}

function prepareFolder(folder: string): void {
  makeFolders(folder);
  accessSync(folder, constants.W_OK | constants.X_OK);
}

class NoFile extends Error {}

function refuseOther(file: string): void {
  const found = statSync(file);
  if (found.isFile()) return;
  throw new NoFile(found.isDirectory() ? "it is a folder, not a file" : "it is no plain file");
}

function remedyOf(error: unknown): string | undefined {
  if (error instanceof BetterSqlite.SqliteError) {
    if (error.code === "SQLITE_NOTADB") return "name the file of an SQLite database";
    return /^SQLITE_(CANTOPEN|READONLY)/.test(error.code) ? WRITABLE : undefined;
  }
  return error instanceof NoFile || (error instanceof Error && "syscall" in error) ? WRITABLE : undefined;
}
