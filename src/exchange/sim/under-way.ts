/** Requests and answers that are late: timers on the market's clock. */
import type { Clock } from "../../domain/clock.ts";

/**
 * Nothing is late while the market stands still, because nobody would move the clock of a replay: between drives
 * `isOpen` is false, and all that is under way arrives when a drive ends.
 */
export class UnderWay {
  readonly #clock: Clock;
  readonly #arrivals = new Set<() => void>();
  #awaited = 0;
  #tellAwaited: () => void = () => undefined;
  #isOpen = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True while something can be late. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  get isEmpty(): boolean {
    return this.#arrivals.size === 0;
  }

  /** True while a bot waits for something that is late. */
  get isAwaited(): boolean {
    return this.#awaited > 0;
  }

  /** Resolves when the next wait for something late begins; for one caller at a time. */
  async whenAwaited(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#tellAwaited = resolve;
    });
  }

  /** Resolves `delayMs` from now, or when the drive ends; `isAwaited`: a bot waits for it. */
  async travel(delayMs: number, isAwaited: boolean): Promise<void> {
    if (isAwaited) {
      this.#awaited += 1;
      this.#tellAwaited();
    }
    await new Promise<void>((resolve) => {
      const arrive = (): void => {
        cancel();
        this.#arrivals.delete(arrive);
        if (isAwaited) this.#awaited -= 1;
        resolve();
      };
      const cancel = this.#clock.after(delayMs, arrive);
      this.#arrivals.add(arrive);
    });
  }

  open(): void {
    this.#isOpen = true;
  }

  close(): void {
    this.#isOpen = false;
    for (const arrive of [...this.#arrivals]) arrive();
  }
}
