/** One month of candles on disk: a gzipped CSV that appears whole or not at all. */
import { open, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import type { TextCandle } from "../../domain/candle.ts";
import { QuantmeshError } from "../../domain/errors.ts";

const HEADER = "timestamp,open,high,low,close,volume";
const LINE = /^(\d{1,15})(?:,\d+(?:\.\d+)?){5}$/;

/** A line of the file, without its end, and when its candle begins. */
export interface CandleLine {
  readonly at: number;
  readonly text: string;
}

/** `2024-01` of any moment in it. */
export function monthOf(at: number): string {
  return new Date(at).toISOString().slice(0, 7);
}

export function lineOf({ openTime, open: first, high, low, close, volume }: TextCandle): CandleLine {
  return { at: openTime, text: `${openTime},${first},${high},${low},${close},${volume}` };
}

/** The lines of a file, ascending. Throws DATA_INVALID with the line and the remedy. */
export async function readMonth(file: string): Promise<readonly CandleLine[]> {
  const [header, ...texts] = (await unzip(file)).split("\n");
  if (header !== HEADER || texts.pop() !== "") throw damaged(file, "it is not a whole file of candles");
  let before = Number.NEGATIVE_INFINITY;
  return texts.map((text, index) => {
    const at = Number(LINE.exec(text)?.[1] ?? Number.NaN);
    if (!(at > before)) throw damaged(file, `line ${index + 2} is no candle after the one before it`);
    before = at;
    return { at, text };
  });
}

/** Replaces `file`; what was there stays until the new content is on the disk, whatever ends the process. */
export async function writeMonth(file: string, lines: readonly CandleLine[]): Promise<void> {
  const text = `${HEADER}\n${lines.map((line) => `${line.text}\n`).join("")}`;
  await replaceFile(file, await promisify(gzip)(text));
}

/** The same for a file of any content. */
export async function replaceFile(file: string, content: Uint8Array | string): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.tmp`);
  try {
    const handle = await open(temporary, "w");
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new QuantmeshError("DATA_INVALID", `cannot write ${file}: ${messageOf(cause)}`, { cause });
  }
}

export function damaged(file: string, reason: string, cause?: unknown): QuantmeshError {
  const remedy = "delete it and download it again";
  return new QuantmeshError("DATA_INVALID", `${file}: ${reason}; ${remedy}`, { cause });
}

/** The new name is durable too. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function unzip(file: string): Promise<string> {
  try {
    return (await promisify(gunzip)(await readFile(file))).toString("latin1");
  } catch (cause) {
    throw damaged(file, `cannot be read (${messageOf(cause)})`, cause);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
