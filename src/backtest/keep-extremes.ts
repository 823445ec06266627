/** Thins long columns out for a chart so that no high and no low is lost. */

/**
 * Ascending indices below `length`: the first, the last, and in each of `buckets` equal stretches where each column is
 * lowest and highest. All of them where that is not fewer.
 */
export function keepExtremes(
  length: number,
  columns: readonly ((index: number) => number)[],
  buckets: number,
): readonly number[] {
  if (length <= buckets * columns.length * 2) return Array.from({ length }, (_, index) => index);
  const kept = new Set([0, length - 1]);
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = Math.floor((bucket * length) / buckets);
    const to = Math.floor(((bucket + 1) * length) / buckets);
    for (const column of columns) {
      let lowest = from;
      let highest = from;
      for (let index = from + 1; index < to; index++) {
        if (column(index) < column(lowest)) lowest = index;
        if (column(index) > column(highest)) highest = index;
      }
      kept.add(lowest).add(highest);
    }
  }
  return [...kept].sort((a, b) => a - b);
}
