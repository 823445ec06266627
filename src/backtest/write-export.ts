/** Puts the files of an export into a folder: each appears whole or not at all. */
import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { QuantmeshError } from "../domain/errors.ts";
import { makeFolders } from "../storage/make-folders.ts";

export interface ExportFile {
  readonly name: string;
  readonly text: string;
}

const REMEDY = "name a folder that this user may write to";

/** Throws CONFIG_INVALID where `folder` is none, or holds something and `force` is not given. Changes nothing. */
export async function checkExportFolder(folder: string, force: boolean): Promise<void> {
  const names = await namesIn(folder);
  if (names.length === 0 || force) return;
  const shown = names.slice(0, 3).join(", ") + (names.length > 3 ? ", …" : "");
  throw refused(folder, `the folder is not empty (${shown}): name another, or give --force to overwrite`);
}

/** Writes all files under temporary names first. Throws CONFIG_INVALID where the folder cannot be written to. */
export async function writeExport(folder: string, files: readonly ExportFile[]): Promise<void> {
  try {
    makeFolders(folder);
  } catch (error) {
    throw refused(folder, `${messageOf(error)}; ${REMEDY}`, error);
  }
  const temporary = (name: string): string => join(folder, `.${name}.${process.pid}.tmp`);
  try {
    for (const { name, text } of files) await writeFile(temporary(name), text);
    for (const { name } of files) await rename(temporary(name), join(folder, name));
  } catch (error) {
    for (const { name } of files) await rm(temporary(name), { force: true });
    throw refused(folder, `${messageOf(error)}; ${REMEDY}`, error);
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return [];
    throw refused(folder, code === "ENOTDIR" ? "it is not a folder" : messageOf(error), error);
  }
}

function refused(folder: string, reason: string, cause?: unknown): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", `cannot export to ${folder}: ${reason}`, { cause });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
