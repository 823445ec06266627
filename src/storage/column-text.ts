/** How instants, days and amounts stand in columns. */
import { parseMoney } from "../domain/amounts.ts";
import { invariant } from "../domain/assert.ts";
import { formatDecimal } from "../domain/decimal.ts";
import type { Instant } from "../domain/ids.ts";

/** Databases keep instants as whole numbers: a fraction would come back as another instant. */
export function wholeMs(at: Instant): number {
  // The message costs more than the check, and this runs for every row.
  if (!Number.isSafeInteger(at)) invariant(false, `instant ${at} is not a whole number of milliseconds`);
  return at;
}

/** Exact decimal text in its shortest form, whatever zeros the database appended. */
export function amountText(text: string): string {
  return formatDecimal(parseMoney(text));
}

/** The day of an instant in UTC, `2026-11-20`. */
export function dayOf(at: Instant): string {
  return new Date(at).toISOString().slice(0, 10);
}
