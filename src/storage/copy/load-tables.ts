/** Copies every table of a snapshot into a target. */
import type { Progress } from "./copy-progress.ts";
import type { CopySource } from "./copy-source.ts";
import type { CopyTarget, LoadedRows } from "./copy-target.ts";
import type { Lines } from "./line-text.ts";
import { splitLines } from "./line-text.ts";
import type { TableShape } from "./table-shapes.ts";
import { TABLES } from "./table-shapes.ts";

/**
 * Loads all tables and completes the schema; where `kept` is given, behind so many rows of each table that an
 * interrupted copy has loaded, with the other tables cleared first. Throws STORAGE_UNAVAILABLE, DATA_INVALID.
 */
export async function loadTables(
  source: CopySource,
  target: CopyTarget,
  kept: LoadedRows | undefined,
  progress: Progress,
): Promise<void> {
  const sizes: { readonly table: TableShape; readonly rows: number }[] = [];
  for (const table of TABLES) sizes.push({ table, rows: await source.countRows(table) });
  progress.begin(
    "copying",
    sizes.reduce((sum, { rows }) => sum + rows, 0),
    "rows",
  );
  const lanes = Math.min(source.lanes, target.lanes);
  // With one lane the order of the tables is that of their references; with more, the largest must not come last.
  const order = lanes === 1 ? sizes : sizes.toSorted((a, b) => b.rows - a.rows);
  const work = order.map(({ table }) => async () => {
    await loadTable(source, target, table, kept, progress);
    work.push(...target.rebuildsOf(table));
  });
  await inLanes(lanes, work);
  await target.completeSchema();
  progress.end();
}

/** Does the work in its order, `lanes` pieces at once; a piece may add more. Stops at the first that fails. */
async function inLanes(lanes: number, work: (() => Promise<void>)[]): Promise<void> {
  let isFailed = false;
  let active = 0;
  // A lane that finds nothing to do waits for what the others may still add.
  const idle: (() => void)[] = [];
  const wake = (): void => {
    for (const resume of idle.splice(0)) resume();
  };
  const lane = async (): Promise<void> => {
    for (;;) {
      const piece = isFailed ? undefined : work.shift();
      if (!piece) {
        if (isFailed || active === 0) return;
        await new Promise<void>((resume) => idle.push(resume));
        continue;
      }
      active++;
      try {
        await piece();
      } catch (error) {
        isFailed = true;
        throw error;
      } finally {
        active--;
        wake();
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: lanes }, lane));
  const failure = ends.find((end) => end.status === "rejected");
  if (failure) throw failure.reason;
}

async function loadTable(
  source: CopySource,
  target: CopyTarget,
  table: TableShape,
  kept: LoadedRows | undefined,
  progress: Progress,
): Promise<void> {
  const loaded = kept?.get(table.name) ?? 0;
  if (kept && loaded === 0) await target.clear(table);
  progress.add(loaded);
  await target.load(table, skipLines(source.read(table), loaded), loaded, (rows) => progress.add(rows));
}

async function* skipLines(lines: AsyncIterable<Lines>, count: number): AsyncGenerator<Lines> {
  let left = count;
  for await (const some of lines) {
    const [skipped, rest] = splitLines(some, Math.min(left, some.rows));
    left -= skipped.rows;
    if (rest.rows > 0) yield rest;
  }
}
