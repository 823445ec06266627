/** Compares two databases table by table: how many rows, and the checksum of their content. */
import type { Fingerprint } from "./checksum.ts";
import type { CopySource } from "./copy-source.ts";
import type { Progress } from "./copy-progress.ts";
import { fingerprintTable, isEqual } from "./fingerprint-table.ts";
import type { TableName } from "./table-shapes.ts";
import { TABLES } from "./table-shapes.ts";

export interface TableComparison {
  readonly table: TableName;
  readonly from: Fingerprint;
  readonly to: Fingerprint;
  readonly isEqual: boolean;
}

/** Reads both databases whole. Throws STORAGE_UNAVAILABLE. */
export async function verifyDatabases(
  from: CopySource,
  to: CopySource,
  progress: Progress,
): Promise<readonly TableComparison[]> {
  let total = 0;
  for (const table of TABLES) total += (await from.countRows(table)) + (await to.countRows(table));
  progress.begin("verifying", total, "rows");
  const comparisons: TableComparison[] = [];
  for (const table of TABLES) {
    const [a, b] = await Promise.all(
      [from, to].map((side) => fingerprintTable(side, table, (rows) => progress.add(rows))),
    );
    if (a && b) comparisons.push({ table: table.name, from: a, to: b, isEqual: isEqual(a, b) });
  }
  progress.end();
  return comparisons;
}
