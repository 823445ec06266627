/** Which rows of an interrupted copy are still those that the source begins with. */
import type { Fingerprint } from "./checksum.ts";
import { LineChecksum } from "./checksum.ts";
import type { Progress } from "./copy-progress.ts";
import type { CopySource } from "./copy-source.ts";
import type { LoadedRows } from "./copy-target.ts";
import { fingerprintTable, isEqual } from "./fingerprint-table.ts";
import { splitLines } from "./line-text.ts";
import type { TableShape } from "./table-shapes.ts";
import { TABLES } from "./table-shapes.ts";

/**
 * Of the rows that were `loaded`, those of tables that hold exactly the first rows of the source: the source may have
 * changed since, and then that table is not continued. Throws STORAGE_UNAVAILABLE.
 */
export async function keepableRows(
  source: CopySource,
  target: CopySource,
  loaded: LoadedRows,
  progress: Progress,
): Promise<LoadedRows> {
  const total = [...loaded.values()].reduce((sum, rows) => sum + rows, 0);
  progress.begin("checking what was copied before", total, "rows");
  const kept = new Map();
  for (const table of TABLES) {
    const rows = loaded.get(table.name) ?? 0;
    if (rows === 0) continue;
    const [first, there] = await Promise.all([
      fingerprintFirst(source, table, rows),
      fingerprintTable(target, table),
    ]);
    if (isEqual(first, there)) kept.set(table.name, rows);
    progress.add(rows);
  }
  progress.end();
  return kept;
}

async function fingerprintFirst(source: CopySource, table: TableShape, count: number): Promise<Fingerprint> {
  const checksum = new LineChecksum();
  let left = count;
  for await (const lines of source.read(table)) {
    const [head] = splitLines(lines, Math.min(left, lines.rows));
    checksum.add(head.text);
    left -= head.rows;
    if (left === 0) break;
  }
  return checksum.fingerprint;
}
