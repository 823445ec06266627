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
  return parseCandles(await readBytes(file), file, tickSize);
}

async function readBytes(file: string): Promise<Uint8Array> {
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
