/** Counters that all instances with one key have in common, and whether they can be asked at this moment. */
import type { Clock } from "../../domain/clock.ts";

/** Counters by name, each forgotten some time after its last use. Every call throws where they cannot be asked. */
export interface CounterStore {
  /** Adds `points` unless the sum would pass `most`: the new sum, or undefined where nothing was added. */
  take(name: string, points: number, most: number, keptMs: number): Promise<number | undefined>;
  /** Adds `points` in any case; the new sum. */
  add(name: string, points: number, keptMs: number): Promise<number>;
  count(name: string): Promise<number>;
}

/** After a failure they are asked again this much later. */
const RETRY_MS = 1_000;

export class SharedCounters {
  readonly #store: CounterStore;
  readonly #clock: Clock;
  readonly #tell: (isAway: boolean, reason: unknown) => void;
  #isAway = false;
  #retryAt = Number.NEGATIVE_INFINITY;

  /** `tell`: called at the first answer, and each time that they go away or come back. */
  constructor(store: CounterStore, clock: Clock, tell: (isAway: boolean, reason: unknown) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#tell = tell;
    tell(false, undefined);
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  get mayAsk(): boolean {
    return !this.#isAway || this.#clock.monotonic() >= this.#retryAt;
  }

  /** What the store answers; `away` where it does not. */
  async ask<Answer>(question: (store: CounterStore) => Promise<Answer>): Promise<Answer | "away"> {
    this.#retryAt = this.#clock.monotonic() + RETRY_MS;
    try {
      const answer = await question(this.#store);
      this.#note(false, undefined);
      return answer;
    } catch (error) {
      this.#note(true, error);
      return "away";
    }
  }

  #note(isAway: boolean, reason: unknown): void {
    if (isAway) this.#retryAt = this.#clock.monotonic() + RETRY_MS;
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    this.#tell(isAway, reason);
  }
}
