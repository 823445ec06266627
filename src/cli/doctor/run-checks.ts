/** Runs checks side by side: each has a limit, and none that fails or hangs keeps another from its answer. */
import { QuantmeshError } from "../../domain/errors.ts";
import type { CheckName, Finding } from "../../domain/finding.ts";
import { fault } from "../../domain/finding.ts";

export interface Check {
  /** What is at fault where it fails or hangs, and what to do then. */
  readonly check: CheckName;
  readonly what: string;
  readonly remedy: string;
  readonly limitMs: number;
  readonly run: () => Promise<readonly Finding[]>;
}

export interface Checked {
  /** In the order of the checks. */
  readonly findings: readonly Finding[];
  /** A check did not end in time, and may still hold what it opened. */
  readonly isUnfinished: boolean;
}

export async function runChecks(checks: readonly Check[]): Promise<Checked> {
  const ends = await Promise.all(checks.map(runOne));
  return {
    findings: ends.flatMap(({ findings }) => findings),
    isUnfinished: ends.some(({ isUnfinished }) => isUnfinished),
  };
}

async function runOne({ check, what, remedy, limitMs, run }: Check): Promise<Checked> {
  try {
    return { findings: await within(limitMs, run()), isUnfinished: false };
  } catch (error) {
    const isUnfinished = error instanceof TooLate;
    return { findings: [fault(check, `${what}: ${reasonOf(error)}`, remedy)], isUnfinished };
  }
}

class TooLate extends Error {}

/** Throws where `work` takes longer; what becomes of it later is nobody's business. */
export async function within<Result>(limitMs: number, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TooLate(`no answer within ${limitMs / 1000} s`)), limitMs);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a failure says; of one that is a bug of ours also that it is. */
export function reasonOf(error: unknown): string {
  if (error instanceof TooLate) return error.message;
  if (error instanceof QuantmeshError && error.code !== "INVARIANT") return error.message;
  return `unexpected: ${error instanceof Error ? error.message : String(error)}`;
}
