/** Counts the work in flight, so that a virtual market moves on only when nobody is busy. */
import type { Clock } from "../domain/clock.ts";

export class Activity {
  /** Is busy whenever this one is. */
  readonly #whole: Activity | undefined;
  #busy = 0;
  #waiting: (() => void)[] = [];

  constructor(whole?: Activity) {
    this.#whole = whole;
  }

  get isIdle(): boolean {
    return this.#busy === 0;
  }

  enter(): void {
    this.#busy += 1;
    this.#whole?.enter();
  }

  leave(): void {
    this.#busy -= 1;
    if (this.#busy === 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const wake of waiting) wake();
    }
    this.#whole?.leave();
  }

  /** Runs `work` as work: what it hands on must be handed on before it ends. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.enter();
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  /** Resolves when nothing is in flight; it may no longer be so when the caller goes on. */
  async whenIdle(): Promise<void> {
    if (this.isIdle) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Waits without counting as work, although called from inside of it; ends early when `signal` is aborted. */
  async pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        cancel();
        signal.removeEventListener("abort", finish);
        this.enter();
        resolve();
      };
      const cancel = clock.after(delayMs, finish);
      signal.addEventListener("abort", finish);
      this.leave();
    });
  }
}
