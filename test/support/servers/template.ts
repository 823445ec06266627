/** An initialised data folder of a database server: made once per test file, copied for each server. */
import { rmSync } from "node:fs";
import { afterAll } from "vitest";
import { serverFolder } from "./private-server.ts";

/** Returns the folder that `make` filled; it is removed when the test file, or the bench, is at its end. */
export function dataTemplate(
  name: string,
  owner: string,
  make: (folder: string) => Promise<string>,
): () => Promise<string> {
  let made: Promise<string> | undefined;
  const folders: string[] = [];
  const remove = (): void => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
    made = undefined;
  };
  // The test runner ends its workers without their exit handlers.
  if (process.env["VITEST"] === undefined) process.once("exit", remove);
  else afterAll(remove);
  return () => {
    if (made === undefined) {
      const folder = serverFolder(name, owner);
      folders.push(folder);
      made = make(folder);
    }
    return made;
  };
}
