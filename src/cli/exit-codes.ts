/** What the command's exit code says: 0 done, 1 failed, 2 wrong config or usage, 130 stopped before it was done. */
import { QuantmeshError } from "../domain/errors.ts";

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_INTERRUPTED = 130;

export function exitCodeOf(error: unknown): number {
  return error instanceof QuantmeshError && error.code === "CONFIG_INVALID" ? EXIT_USAGE : EXIT_FAILED;
}

/** One clear message; a stack only for our own bugs. */
export function describeFailure(error: unknown): string {
  if (error instanceof QuantmeshError && error.code !== "INVARIANT") return error.message;
  if (error instanceof Error) return `internal error, please report it: ${error.stack ?? error.message}`;
  return `internal error, please report it: ${String(error)}`;
}
