/** The length of a candle, as users write it: `1m`, `4h`, `1d`. */
import { QuantmeshError } from "../../domain/errors.ts";

export const DAY_MS = 86_400_000;
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: DAY_MS };

export interface Timeframe {
  /** ccxt's word for it. */
  readonly name: string;
  readonly ms: number;
}

/**
 * Reads minutes, hours and one day. Throws CONFIG_INVALID on anything else: candles must begin on whole multiples of their
 * length from midnight UTC, or nobody could tell a gap from a candle that begins elsewhere.
 */
export function parseTimeframe(text: string): Timeframe {
  const ms = lengthOf(text);
  if (DAY_MS % ms === 0) return { name: text, ms };
  throw new QuantmeshError(
    "CONFIG_INVALID",
    `"${text}" is not a timeframe: give minutes or hours that divide a day, or one day, like 1m, 5m, 1h, 4h or 1d`,
  );
}

/** True of what `parseTimeframe` reads. */
export function isTimeframe(text: string): boolean {
  return DAY_MS % lengthOf(text) === 0;
}

function lengthOf(text: string): number {
  const [, count = "", unit = ""] = /^([1-9]\d{0,3})([mhd])$/.exec(text) ?? [];
  return Number(count) * (UNITS[unit] ?? Number.NaN);
}
