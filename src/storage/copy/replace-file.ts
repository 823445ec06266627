/** Puts a file in its place whole or not at all, whatever happens meanwhile. */
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** `write` makes a new file at the path that it is given; then that one takes the place of `file`, durably. */
export async function replaceFile(file: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${file}.${process.pid}.part`;
  try {
    await write(temporary);
    await syncPath(temporary);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncPath(dirname(file));
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
