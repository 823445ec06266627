/** Appends lines to files and makes them durable in batches: many commands share one fsync. */
import { closeSync, fdatasync, openSync, write } from "node:fs";
import { promisify } from "node:util";

const writeBytes = promisify(write);
const flushToDisk = promisify(fdatasync);

interface Batch {
  readonly descriptor: number;
  lines: string;
  readonly waiting: (() => void)[];
}

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
  #isFlushing = false;
  #hasFailed = false;

  constructor(file: string, onFailure: (error: unknown) => void) {
    this.#descriptor = openSync(file, "a");
    this.#onFailure = onFailure;
  }

  append(line: string): void {
    const batch = this.#batch();
    batch.lines += `${line}\n`;
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
    this.#full.push({ descriptor: old, lines: "", waiting: [() => closeSync(old)] });
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
    this.#next = { descriptor: this.#descriptor, lines: "", waiting: [] };
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
        await writeAll(batch.descriptor, Buffer.from(batch.lines));
        if (this.#hasFailed) return;
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

async function writeAll(descriptor: number, bytes: Buffer): Promise<void> {
  if (bytes.length === 0) return;
  for (let done = 0; done < bytes.length; ) {
    done += (await writeBytes(descriptor, bytes, done, bytes.length - done)).bytesWritten;
  }
  await flushToDisk(descriptor);
}
