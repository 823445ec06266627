/**
 * The simulated exchange's memory: one file that lets it go on after a kill -9 as if nothing had happened.
 *
 * The first line, of fixed width, holds the position in the feed and the time; it is rewritten in place before a
 * new point becomes visible. A description of the market follows, then one JSON line for each command and each
 * point that filled something, written before anybody hears of it. Written data outlives the process at once; only
 * the beginning and the end are forced to the disk, so a loss of power may lose what came between.
 */
import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync } from "node:fs";
import { openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { invariant } from "../../domain/assert.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Instant } from "../../domain/ids.ts";
import { makeFolders } from "../../storage/make-folders.ts";
import type { JournalContent, JournalRecord, MarketDescription } from "./journal-format.ts";
import { beginning, headerLine, parseJournal, rewriteHeader } from "./journal-format.ts";

/** Its owner alone writes it. After a failure or `close` every other method throws that error for ever. */
export interface Journal {
  /** What earlier processes left behind. */
  readonly content: Pick<JournalContent, "begunAt" | "position" | "time" | "records">;
  /** Throws EXCHANGE_UNAVAILABLE after a failed write or `close`, ALREADY_RUNNING as below. */
  assertUsable(): void;
  /** Throws ALREADY_RUNNING where the file is not as we left it. */
  assertAlone(): void;
  append(record: JournalRecord): void;
  /** Notes that the market is at `position`, at `time`. */
  moveTo(position: number, time: Instant): void;
  close(): void;
}

/**
 * Opens the journal of one account in the market described, or begins it at `now`; `:memory:` keeps nothing.
 * Throws CONFIG_INVALID where the file belongs to another market, DATA_INVALID where it is damaged.
 */
export function openJournal(
  file: string,
  account: string,
  description: MarketDescription,
  now: Instant,
): Journal {
  return file === ":memory:" ? memoryJournal(now) : new FileJournal(file, account, description, now);
}

class FileJournal implements Journal {
  readonly content: JournalContent;
  readonly #file: string;
  readonly #descriptor: number;
  readonly #header: Buffer;
  #size = 0;
  #failure: QuantmeshError | undefined = undefined;
  #isClosed = false;

  constructor(file: string, account: string, description: MarketDescription, now: Instant) {
    this.#file = file;
    this.#descriptor = openOrCreate(file);
    try {
      this.content = this.#read() ?? this.#begin(account, description, now);
      requireSameMarket(file, this.content, account, description);
      // What follows the last whole line was never answered: the process died while it wrote it.
      ftruncateSync(this.#descriptor, this.content.end);
    } catch (error) {
      closeSync(this.#descriptor);
      throw error;
    }
    this.#size = this.content.end;
    this.#header = Buffer.from(headerLine(this.content.position, this.content.time));
  }

  assertUsable(): void {
    if (this.#failure) throw this.#failure;
  }

  assertAlone(): void {
    this.assertUsable();
    if (fstatSync(this.#descriptor).size === this.#size) return;
    this.#failure = new QuantmeshError(
      "ALREADY_RUNNING",
      `another process writes ${this.#file}, the journal of this simulated market; stop it or set another path`,
    );
    throw this.#failure;
  }

  append(record: JournalRecord): void {
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    this.#write(line, this.#size);
    this.#size += line.length;
  }

  moveTo(position: number, time: Instant): void {
    rewriteHeader(this.#header, position, time);
    this.#write(this.#header, 0);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure = closedError(this.#file);
    try {
      fsyncSync(this.#descriptor);
    } finally {
      closeSync(this.#descriptor);
    }
  }

  #read(): JournalContent | undefined {
    return parseJournal(this.#file, readFileSync(this.#file));
  }

  #begin(account: string, description: MarketDescription, now: Instant): JournalContent {
    ftruncateSync(this.#descriptor);
    this.#write(Buffer.from(beginning(account, description, now)), 0);
    fsyncSync(this.#descriptor);
    const content = this.#read();
    invariant(content !== undefined, `${this.#file} does not hold what was written to it`);
    return content;
  }

  /** After a failed write the market in memory is ahead of the file: nobody may see it any more. */
  #write(bytes: Buffer, position: number): void {
    this.assertUsable();
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
      }
    } catch (error) {
      const message = `cannot write ${this.#file}, the journal of the simulated market`;
      this.#failure = new QuantmeshError("EXCHANGE_UNAVAILABLE", message, { cause: error });
      throw this.#failure;
    }
  }
}

/** Keeps nothing: the market ends with the process. */
function memoryJournal(now: Instant): Journal {
  let isClosed = false;
  const assertUsable = (): void => {
    if (isClosed) throw closedError(":memory:");
  };
  return {
    content: { begunAt: now, position: 0, time: now, records: [] },
    assertUsable,
    assertAlone: assertUsable,
    append: assertUsable,
    moveTo: assertUsable,
    close() {
      isClosed = true;
    },
  };
}

function closedError(file: string): QuantmeshError {
  return new QuantmeshError("EXCHANGE_UNAVAILABLE", `the simulated market of ${file} is closed`);
}

function openOrCreate(file: string): number {
  try {
    makeFolders(dirname(file));
    return openSync(file, constants.O_RDWR | constants.O_CREAT);
  } catch (error) {
    const message = `cannot open ${file}, the journal of the simulated market; set a path that can be written`;
    throw new QuantmeshError("CONFIG_INVALID", message, { cause: error });
  }
}

/** An exchange does not change its past: another market needs another journal. */
function requireSameMarket(
  file: string,
  content: JournalContent,
  account: string,
  description: MarketDescription,
): void {
  const stored: MarketDescription = { account: content.account, ...content.description };
  const wanted: MarketDescription = { account, ...description };
  const names = [...new Set([...Object.keys(stored), ...Object.keys(wanted)])];
  const other = names.filter((name) => JSON.stringify(stored[name]) !== JSON.stringify(wanted[name]));
  if (other.length === 0) return;
  throw new QuantmeshError(
    "CONFIG_INVALID",
    `${file} is the journal of another simulated market (other ${other.join(", ")}); ` +
      "remove it to begin a new market, or set another journal path",
  );
}
