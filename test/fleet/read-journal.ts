/** The venue's journal: every command that it took, and what became of it. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { JournalLine } from "../../src/venue/server/journal-format.ts";

/** Every command of the journal, in order. */
export function readJournal(folder: string): readonly JournalLine[] {
  return readdirSync(folder)
    .filter((file) => file.startsWith("journal"))
    .sort((a, b) => Number(/\d+/.exec(a)?.[0]) - Number(/\d+/.exec(b)?.[0]))
    .flatMap((file) => readFileSync(join(folder, file), "utf8").trim().split("\n"))
    .map((line) => JSON.parse(line) as JournalLine)
    .filter(({ kind }) => kind !== undefined);
}
