/** Copies all rows of a snapshot into an empty database, and compares both in the end. */
import { QuantmeshError } from "../../domain/errors.ts";
import type { Progress } from "./copy-progress.ts";
import type { CopySource } from "./copy-source.ts";
import type { CopyTarget } from "./copy-target.ts";
import { keepableRows } from "./keepable-rows.ts";
import { loadTables } from "./load-tables.ts";
import { TABLES } from "./table-shapes.ts";
import type { TableComparison } from "./verify-databases.ts";
import { verifyDatabases } from "./verify-databases.ts";

export interface CopyPlan {
  readonly source: CopySource;
  readonly target: CopyTarget;
  /** Opens a snapshot of the target as it is then. */
  readonly readTarget: () => Promise<CopySource>;
  readonly progress: Progress;
}

export interface CopyReport {
  readonly comparisons: readonly TableComparison[];
  readonly isEqual: boolean;
  readonly copySeconds: number;
  readonly verifySeconds: number;
}

/**
 * Goes on where an interrupted copy has stopped. The target may be used only where the report says that both sides are
 * equal; until then it is marked as unfinished. Throws CONFIG_INVALID where it holds rows that no copy has brought,
 * STORAGE_UNAVAILABLE, DATA_INVALID where it refuses a row.
 */
export async function copyDatabase(plan: CopyPlan): Promise<CopyReport> {
  const { source, target, progress } = plan;
  const started = performance.now();
  const unfinished = await target.findUnfinished();
  if (!unfinished) await withTarget(plan, refuseRows);
  const kept =
    unfinished && (await withTarget(plan, (rows) => keepableRows(source, rows, unfinished, progress)));
  await target.begin();
  await loadTables(source, target, kept, progress);
  const copied = performance.now();
  const comparisons = await withTarget(plan, (rows) => verifyDatabases(source, rows, progress));
  const isEqual = comparisons.every((comparison) => comparison.isEqual);
  if (isEqual) await target.finish();
  return {
    comparisons,
    isEqual,
    copySeconds: (copied - started) / 1000,
    verifySeconds: (performance.now() - copied) / 1000,
  };
}

/** Throws CONFIG_INVALID where a table has a row. */
export async function refuseRows(database: CopySource): Promise<void> {
  for (const table of TABLES) {
    const count = await database.countRows(table);
    if (count === 0) continue;
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `${database.name} is not empty (${count} row${count === 1 ? "" : "s"} in ${table.name}): give an empty database`,
    );
  }
}

async function withTarget<Result>(
  { readTarget }: CopyPlan,
  work: (rows: CopySource) => Promise<Result>,
): Promise<Result> {
  const rows = await readTarget();
  try {
    return await work(rows);
  } finally {
    await rows.close();
  }
}
