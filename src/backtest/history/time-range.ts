/** The part of history that a user asks for: `--timerange 20240101-20240201` or `--days 30`, all of it UTC. */
import { QuantmeshError } from "../../domain/errors.ts";
import type { TimeSpan } from "../../domain/time-span.ts";
import { DAY_MS } from "./timeframe.ts";

/** Ms since 1970 UTC; undefined where the user left that end open. `to` is not part of it. */
export interface TimeRange {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

/**
 * Reads `FROM-TO`, `FROM-` or `-TO`; each end is a day YYYYMMDD (its midnight), or seconds or milliseconds since 1970.
 * Throws CONFIG_INVALID with the remedy.
 */
export function parseTimeRange(text: string): TimeRange {
  const match = /^(\d*)-(\d*)$/.exec(text);
  const [, first = "", last = ""] = match ?? [];
  if (!match || (first === "" && last === "")) {
    throw wrong(text, "write FROM-TO with days as YYYYMMDD, like 20240101-20240201, 20240101- or -20240201");
  }
  const [from, to] = [instantOf(text, first), instantOf(text, last)];
  if (from !== undefined && to !== undefined && from >= to) {
    throw wrong(text, "its end must be after its beginning; the day that it ends with is not part of it");
  }
  return { from, to };
}

/** The range as whole candles, with `otherwise` for the ends that are open; undefined where not even one has room in it. */
export function closeRange(range: TimeRange, otherwise: TimeSpan, stepMs: number): TimeSpan | undefined {
  const from = Math.ceil((range.from ?? otherwise.from) / stepMs) * stepMs;
  const to = Math.floor((range.to ?? otherwise.to) / stepMs) * stepMs;
  return from < to ? { from, to } : undefined;
}

/** `20240101-20240201` where both ends are midnights, else milliseconds: what `parseTimeRange` reads back. */
export function formatTimeRange({ from, to }: TimeSpan): string {
  const isDays = from % DAY_MS === 0 && to % DAY_MS === 0;
  const write = (at: number): string => (isDays ? isoTime(at).slice(0, 10).replaceAll("-", "") : String(at));
  return `${write(from)}-${write(to)}`;
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function instantOf(range: string, text: string): number | undefined {
  if (text === "") return undefined;
  if (text.length === 13) return Number(text);
  if (text.length === 10) return Number(text) * 1000;
  if (text.length !== 8) {
    throw wrong(range, `"${text}" is neither a day YYYYMMDD nor 10 digits of seconds nor 13 of milliseconds`);
  }
  const day = `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}`;
  const at = Date.parse(`${day}T00:00:00Z`);
  // 20240230 would be taken for the first of March.
  if (Number.isNaN(at) || !isoTime(at).startsWith(day)) throw wrong(range, `there is no day ${day}`);
  return at;
}

function wrong(text: string, remedy: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", `--timerange ${text}: ${remedy}`);
}
