/** Candle files: CSV or gzipped CSV, read into exact ticks without floating-point prices. */
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Money } from "../../domain/amounts.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import { parseCandles } from "./parse-candles.ts";

/** Columns of equal length, ascending in time; prices in ticks. */
export interface Candles {
  readonly length: number;
  /** The smallest distance between two neighbours, ms; one minute where there is one candle only. */
  readonly intervalMs: number;
  /** When each candle begins, ms since 1970 UTC. */
  readonly timestamp: Float64Array;
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
}

/**
 * Reads a file with the header `timestamp,open,high,low,close,volume`, gzipped or not; the volume is not used.
 * Throws DATA_INVALID with the file and the line where something is wrong with it.
 */
export async function loadCandles(file: string, tickSize: Money): Promise<Candles> {
  return parseCandles(await readCandleBytes(file), file, tickSize);
}

/** The candles from `from` up to, not including, `to`; the same memory. */
export function sliceCandles(candles: Candles, from: number, to: number): Candles {
  const [first, end] = [indexFrom(candles.timestamp, from), indexFrom(candles.timestamp, to)];
  const { timestamp, open, high, low, close } = candles;
  return {
    length: end - first,
    intervalMs: candles.intervalMs,
    timestamp: timestamp.subarray(first, end),
    open: open.subarray(first, end),
    high: high.subarray(first, end),
    low: low.subarray(first, end),
    close: close.subarray(first, end),
  };
}

/** Pieces of one series, one after the other; at least one. */
export function joinCandles(pieces: readonly Candles[]): Candles {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const column = (of: (piece: Candles) => Float64Array): Float64Array => {
    const joined = new Float64Array(length);
    let at = 0;
    for (const piece of pieces) {
      joined.set(of(piece), at);
      at += piece.length;
    }
    return joined;
  };
  return {
    length,
    intervalMs: pieces[0]?.intervalMs ?? 0,
    timestamp: column(({ timestamp }) => timestamp),
    open: column(({ open }) => open),
    high: column(({ high }) => high),
    low: column(({ low }) => low),
    close: column(({ close }) => close),
  };
}

/** The index of the first time that is not before `at`, or the length. */
export function indexFrom(times: Float64Array, at: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] as number) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The text of a candle file, unpacked. Throws DATA_INVALID. */
export async function readCandleBytes(file: string): Promise<Uint8Array> {
  try {
    const bytes = await readFile(file);
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    return isGzip ? await promisify(gunzip)(bytes, { chunkSize: 1 << 20 }) : bytes;
  } catch (error) {
    throw new QuantmeshError("DATA_INVALID", `cannot read candle file ${file}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && error.code === "ENOENT" ? "no such file" : error.message;
}
