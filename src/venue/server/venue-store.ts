/** A venue's folder: its description, the segments of its journal, and the snapshots between them. */
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { statSync, truncateSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { QuantmeshError } from "../../domain/errors.ts";
import { makeFolders } from "../../storage/make-folders.ts";
import { GroupCommit } from "./group-commit.ts";
import type { JournalLine } from "./journal-format.ts";
import { FORMAT, segmentHeader } from "./journal-format.ts";
import { segmentFile, segmentNumbers } from "./segment-files.ts";
import type { VenueSnapshot } from "./snapshot-format.ts";
import { parseSnapshot, snapshotLines } from "./snapshot-format.ts";

/** The journal is kept whole, because it is the audit; of snapshots the newest, and one to fall back on. */
const KEPT_SNAPSHOTS = 2;
const LINES_AT_ONCE = 10_000;

export interface Recovery {
  restore(snapshot: VenueSnapshot): void;
  repeat(line: JournalLine): void;
}

/** Keeps what a venue did. One process at a time; whoever opens it makes sure of that. */
export class VenueStore {
  readonly #folder: string;
  #segment = 1;
  #log: GroupCommit | undefined = undefined;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Opens the folder of the venue described, or begins it.
   * Throws CONFIG_INVALID where the folder is another venue's or cannot be written.
   */
  static async open(folder: string, description: string): Promise<VenueStore> {
    const file = join(folder, "venue.json");
    try {
      makeFolders(folder);
      if (!existsSync(file)) await writeDurably(file, [description]);
    } catch (cause) {
      const message = `cannot write the venue's folder ${folder}; set another one`;
      throw new QuantmeshError("CONFIG_INVALID", message, { cause });
    }
    if (readFileSync(file, "utf8") === `${description}\n`) return new VenueStore(folder);
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `${folder} is the journal of a venue with other symbols, fees or users; remove it to begin anew, or set another folder`,
    );
  }

  /** Hands everything that was done to `recovery`, oldest first, starting from the newest snapshot. */
  async recover(recovery: Recovery): Promise<void> {
    const snapshots = segmentNumbers(this.#folder, "snapshot");
    const newest = snapshots[snapshots.length - 1];
    if (newest !== undefined) {
      const file = segmentFile(this.#folder, "snapshot", newest);
      const lines: string[] = [];
      for await (const line of createInterface({ input: createReadStream(file) })) lines.push(line);
      recovery.restore(parseSnapshot(file, lines));
    }
    const segments = segmentNumbers(this.#folder, "journal").filter((segment) => segment >= (newest ?? 1));
    for (const segment of segments) {
      for await (const line of readSegment(segmentFile(this.#folder, "journal", segment), segment))
        recovery.repeat(line);
    }
    this.#segment = segments[segments.length - 1] ?? newest ?? 1;
  }

  /** Goes on writing where `recover` ended. */
  write(onFailure: (error: unknown) => void): GroupCommit {
    const file = segmentFile(this.#folder, "journal", this.#segment);
    const isNew = !existsSync(file) || statSync(file).size === 0;
    this.#log = new GroupCommit(file, onFailure);
    if (isNew) this.#log.append(segmentHeader(this.#segment));
    return this.#log;
  }

  /** Begins a segment; `snapshot` is the state before it. Resolves once the snapshot is on the disk. */
  async takeSnapshot(snapshot: VenueSnapshot): Promise<void> {
    const log = this.#log;
    if (!log) return;
    const lines = [...snapshotLines(snapshot)];
    this.#segment += 1;
    const file = segmentFile(this.#folder, "snapshot", this.#segment);
    log.switchTo(segmentFile(this.#folder, "journal", this.#segment));
    log.append(segmentHeader(this.#segment));
    await new Promise<void>((done) => log.whenDurable(done));
    await writeDurably(file, lines);
    const old = segmentNumbers(this.#folder, "snapshot").slice(0, -KEPT_SNAPSHOTS);
    await Promise.all(old.map(async (segment) => rm(segmentFile(this.#folder, "snapshot", segment))));
  }
}

/** Writes a file that is whole or not there. */
async function writeDurably(file: string, lines: readonly string[]): Promise<void> {
  const unfinished = `${file}.unfinished`;
  const handle = await open(unfinished, "w");
  try {
    for (let at = 0; at < lines.length; at += LINES_AT_ONCE) {
      await handle.appendFile(`${lines.slice(at, at + LINES_AT_ONCE).join("\n")}\n`);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(unfinished, file);
  const folder = await open(dirname(file), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The commands of one segment; what follows the last whole line was never answered and is cut off. */
async function* readSegment(file: string, segment: number): AsyncGenerator<JournalLine> {
  let number = 0;
  let end = 0;
  const content = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  const size = statSync(file).size;
  for await (const text of content) {
    number += 1;
    const next = end + Buffer.byteLength(text) + 1;
    if (next > size) {
      truncateSync(file, end);
      return;
    }
    end = next;
    const line = parseLine(file, text, number);
    if (number > 1) yield line as unknown as JournalLine;
    else if (line["format"] !== FORMAT || line["segment"] !== segment) throw damaged(file, 1);
  }
}

function parseLine(file: string, text: string, number: number): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw damaged(file, number, error);
  }
}

function damaged(file: string, line: number, cause?: unknown): QuantmeshError {
  const message = `${file} line ${line} is damaged; restore the venue's folder or begin a new one`;
  return new QuantmeshError("DATA_INVALID", message, { cause });
}
