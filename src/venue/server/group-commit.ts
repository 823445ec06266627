/** Appends lines to files and makes them durable in batches: many commands share one fsync. */
import { closeSync, fdatasync, openSync, write } from "node:fs";
import { promisify } from "node:util";

const writeBytes = promisify(write);
const flushToDisk = promisify(fdatasync);

/** Bytes, not text: strings that wait for the disk would be copied again and again by the garbage collector. */
interface Batch {
  readonly descriptor: number;
  bytes: Buffer;
  length: number;
  readonly waiting: (() => void)[];
}

const FIRST_CAPACITY = 1 << 16;
const MOST_BYTES_OF_A_CHARACTER = 3;

/** Where commands are written down before anybody hears what became of them. */
export interface CommandLog {
  /** `line` without its end. */
  append(line: string): void;
  /** Calls `run` once all that was appended so far is safe; at once where it is. */
  whenDurable(run: () => void): void;
  close(): Promise<void>;
}

/** Keeps nothing: for a venue that ends with its process. */
export const FORGETFUL: CommandLog = {
  append: () => undefined,
  whenDurable: (run) => run(),
  close: async () => undefined,
};

/**
 * One writer of one file at a time. Whoever is told of something that stands in a line waits with `whenDurable`
 * first. After a failed write nothing is durable any more: `onFailure` is called once, and no waiter ever runs.
 */
export class GroupCommit implements CommandLog {
  readonly #onFailure: (error: unknown) => void;
  #descriptor: number;
  #next: Batch | undefined = undefined;
  readonly #full: Batch[] = [];
  /** Bytes of a batch that is done, for the next one. */
  #spare: Buffer = NOTHING;
  #isFlushing = false;
  #hasFailed = false;

  constructor(file: string, onFailure: (error: unknown) => void) {
    this.#descriptor = openSync(file, "a");
    this.#onFailure = onFailure;
  }

  append(line: string): void {
    const batch = this.#batch();
    const needed = batch.length + line.length * MOST_BYTES_OF_A_CHARACTER + 1;
    if (needed > batch.bytes.length) batch.bytes = grown(batch, needed);
    batch.length += batch.bytes.write(line, batch.length);
    batch.bytes[batch.length] = NEWLINE;
    batch.length += 1;
  }

  whenDurable(run: () => void): void {
    if (this.#hasFailed) return;
    if (!this.#isFlushing && this.#next === undefined) return run();
    this.#batch().waiting.push(run);
  }

  /** Goes on in `file`; what was appended before stays in the old one. */
  switchTo(file: string): void {
    const old = this.#descriptor;
    if (this.#next) this.#full.push(this.#next);
    this.#next = undefined;
    this.#descriptor = openSync(file, "a");
    this.#full.push({ descriptor: old, bytes: NOTHING, length: 0, waiting: [() => closeSync(old)] });
    this.#begin();
  }

  /** Closes the file once all is on the disk. */
  async close(): Promise<void> {
    if (this.#hasFailed) return;
    await new Promise<void>((done) => this.whenDurable(done));
    this.#hasFailed = true;
    closeSync(this.#descriptor);
  }

  #batch(): Batch {
    if (this.#next) return this.#next;
    this.#next = { descriptor: this.#descriptor, bytes: this.#spare, length: 0, waiting: [] };
    this.#spare = NOTHING;
    this.#begin();
    return this.#next;
  }

  #begin(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // What comes in the same turn of the event loop shares the first batch.
    setImmediate(() => void this.#flushAll());
  }

  async #flushAll(): Promise<void> {
    try {
      for (let batch = this.#take(); batch !== undefined; batch = this.#take()) {
        await writeAll(batch.descriptor, batch.bytes.subarray(0, batch.length));
        if (this.#hasFailed) return;
        if (batch.bytes.length > this.#spare.length) this.#spare = batch.bytes;
        for (const run of batch.waiting) run();
      }
    } catch (error) {
      this.#hasFailed = true;
      this.#onFailure(error);
    }
  }

  #take(): Batch | undefined {
    const batch = this.#full.shift() ?? this.#next;
    if (batch === this.#next) this.#next = undefined;
    if (batch === undefined) this.#isFlushing = false;
    return batch;
  }
}

const NOTHING = Buffer.alloc(0);
const NEWLINE = 10;

function grown({ bytes, length }: Batch, needed: number): Buffer {
  const larger = Buffer.allocUnsafe(Math.max(FIRST_CAPACITY, 2 * bytes.length, needed));
  bytes.copy(larger, 0, 0, length);
  return larger;
}

async function writeAll(descriptor: number, bytes: Buffer): Promise<void> {
  if (bytes.length === 0) return;
  for (let done = 0; done < bytes.length; ) {
    done += (await writeBytes(descriptor, bytes, done, bytes.length - done)).bytesWritten;
  }
  await flushToDisk(descriptor);
}
