/** Takes candles in as they are downloaded and puts them into their months, each file written seldom and whole. */
import type { TimeSpan } from "../../domain/time-span.ts";
import { withinSpans, withoutSpans } from "../../domain/time-span.ts";
import type { CandleFolder } from "./candle-store.ts";
import type { CandleLine } from "./month-file.ts";
import { monthOf } from "./month-file.ts";

/** So many candles at most are lost by a kill, and asked for again. */
const UNSAVED_CANDLES = 10_000;
const UNSAVED_MS = 5_000;

export class MonthWriter {
  readonly #folder: CandleFolder;
  readonly #monotonic: () => number;
  readonly #absent: TimeSpan[];
  #month: string | undefined;
  /** Of that month, stored and new. */
  #lines = new Map<number, string>();
  #unsaved = 0;
  #isAbsentSaved: boolean;
  #savedAt: number;

  /** `absent`: what is known already; what of it is `asked` again is forgotten first. */
  constructor(
    folder: CandleFolder,
    absent: readonly TimeSpan[],
    asked: readonly TimeSpan[],
    monotonic: () => number,
  ) {
    this.#folder = folder;
    this.#absent = absent.flatMap((each) => withoutSpans(each, asked));
    this.#isAbsentSaved = absent.every((each) => withinSpans(each, asked).length === 0);
    this.#monotonic = monotonic;
    this.#savedAt = monotonic();
  }

  /** Candles of any months, ascending; of one that is stored the stored one stays. Returns how many were new. */
  async add(lines: readonly CandleLine[]): Promise<number> {
    let added = 0;
    for (const { at, text } of lines) {
      const month = monthOf(at);
      if (month !== this.#month) await this.#turnTo(month);
      if (this.#lines.has(at)) continue;
      this.#lines.set(at, text);
      this.#unsaved += 1;
      added += 1;
    }
    return added;
  }

  addAbsent(span: TimeSpan): void {
    this.#absent.push(span);
    this.#isAbsentSaved = false;
  }

  /** Writes where enough has come together. */
  async saveInTime(): Promise<void> {
    const isDue = this.#monotonic() - this.#savedAt >= UNSAVED_MS;
    if (this.#unsaved >= UNSAVED_CANDLES || isDue) await this.save();
  }

  /** Writes what is not yet. Candles come first: a span is never known as absent before what was next to it is stored. */
  async save(): Promise<void> {
    await this.#saveMonth();
    if (!this.#isAbsentSaved) await this.#folder.writeAbsent(this.#absent);
    this.#isAbsentSaved = true;
    this.#savedAt = this.#monotonic();
  }

  async #turnTo(month: string): Promise<void> {
    await this.#saveMonth();
    this.#month = month;
    this.#lines = new Map((await this.#folder.read(month)).map(({ at, text }) => [at, text]));
  }

  async #saveMonth(): Promise<void> {
    if (this.#month === undefined || this.#unsaved === 0) return;
    const lines = [...this.#lines].map(([at, text]) => ({ at, text })).sort((a, b) => a.at - b.at);
    await this.#folder.write(this.#month, lines);
    this.#unsaved = 0;
  }
}
