/** Waits that somebody may cut short, by name. */
import type { Clock } from "../domain/clock.ts";

export interface WakeUp {
  /** Resolves when woken since `listen`, when its signal was aborted, or after the delay. */
  within(delayMs: number): Promise<void>;
  /** Forgets it. */
  close(): void;
}

export class WakeUps {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Listens from this call on, so that nothing is missed between a look and the wait after it. */
  listen(name: string, signal?: AbortSignal): WakeUp {
    const others = this.#waiting.get(name) ?? new Set();
    let cancel = (): void => undefined;
    let wake = (): void => undefined;
    const heard = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const close = (): void => {
      cancel();
      signal?.removeEventListener("abort", close);
      others.delete(close);
      if (others.size === 0 && this.#waiting.get(name) === others) this.#waiting.delete(name);
      wake();
    };
    signal?.addEventListener("abort", close, { once: true });
    this.#waiting.set(name, others.add(close));
    if (signal?.aborted) close();
    const within = (delayMs: number): Promise<void> => {
      cancel();
      if (others.has(close)) cancel = this.#clock.after(delayMs, close);
      return heard;
    };
    return { within, close };
  }

  wake(names: Iterable<string>): void {
    for (const name of names) for (const close of [...(this.#waiting.get(name) ?? [])]) close();
  }
}
