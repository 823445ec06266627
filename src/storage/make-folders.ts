/** Makes a folder with all that is missing above it. Throws what Node says of the first that cannot be made. */
import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** One by one: Node's own way of making all of them at once never ends below /proc, where no folder can be made. */
export function makeFolders(folder: string): void {
  const path = resolve(folder);
  if (isFolder(path)) return;
  makeFolders(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process may make it at the same time.
    if (!isFolder(path)) throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
