/** What every bench measures and how it is told. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface BenchResult {
  readonly name: string;
  /** Median. */
  readonly value: number;
  readonly unit: string;
  readonly min: number;
  readonly max: number;
  /** What it is compared with, measured in the same run. */
  readonly reference?: { readonly name: string; readonly value: number };
  /** How many times better than the reference: 1 = equal, more is better. */
  readonly ratio?: number;
}

export type Bench = () => Promise<readonly BenchResult[]>;

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median =
    sorted.length % 2 === 1
      ? (sorted[middle] as number)
      : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
  return { median, min: sorted[0] as number, max: sorted[sorted.length - 1] as number };
}

/** Seconds that `work` takes. */
export function secondsOf(work: () => void): number {
  const started = performance.now();
  work();
  return (performance.now() - started) / 1000;
}

/** Leaves only what is alive, so that nobody pays for what others threw away. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

export function printTable(name: string, results: readonly BenchResult[]): void {
  console.log(`bench ${name}`);
  for (const { name: what, value, unit, min, max, reference, ratio } of results) {
    const against = reference
      ? `  ${ratio?.toFixed(3)} × ${reference.name} (${format(reference.value)})`
      : "";
    console.log(`  ${what.padEnd(32)}${format(value)} ${unit}  (${format(min)} – ${format(max)})${against}`);
  }
}

function format(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(4);
}
