/** Those who wait for keys of a backend that has no queue of its own: asked again and again, in order of arrival. */
import type { Grant, WaitLimits } from "./lock.ts";
import { closedLock } from "./unavailable.ts";

interface Waiter {
  readonly keys: readonly string[];
  /** Ends its pause. */
  wake: () => void;
  /** Ends its wait. */
  readonly end: () => void;
}

/**
 * Who has just come asks seldom, and more often the longer it waits, so that those who came before are served first
 * on other connections too: after each such time, three times as often.
 */
const NEWCOMER_PAUSE_MS = 40;
const SHORTEST_PAUSE_MS = 1;
const AGE_MS = 200;
/** Whoever still waits then does not wait for hand-overs but for a holder that stays. */
const PATIENT_AFTER_MS = 5_000;
const PATIENT_PAUSE_MS = 100;
/** Who has just released a key does not take it again before others could ask. */
const COURTESY_MS = 50;

export class WaitingLine {
  readonly #line = new Set<Waiter>();
  #isClosed = false;
  #isUsed = false;
  /** When keys were released here, in local monotonic ms. */
  readonly #released = new Map<string, number>();

  /**
   * Calls `attempt` until it grants, for at most `limits`. A grant that comes after the end of the limits is handed
   * to `giveBack`. Throws what `attempt` throws, and LOCK_UNAVAILABLE once the line is closed.
   */
  async wait(
    keys: readonly string[],
    { timeoutMs, signal }: WaitLimits,
    attempt: () => Promise<Grant | undefined>,
    giveBack: (grant: Grant) => void,
  ): Promise<Grant | undefined> {
    this.#isUsed = true;
    const since = performance.now();
    // Not AbortSignal.any of a timeout signal: once that is garbage, its time never ends (nodejs/node#57736).
    const ending = new AbortController();
    const { signal: over } = ending;
    const waiter: Waiter = { keys, wake: () => undefined, end: () => ending.abort() };
    if (signal.aborted || this.#isClosed) waiter.end();
    signal.addEventListener("abort", waiter.end);
    const timer = setTimeout(waiter.end, timeoutMs);
    this.#line.add(waiter);
    try {
      if (this.#wasJustReleased(keys)) await pause(waiter, NEWCOMER_PAUSE_MS, over);
      while (!over.aborted) {
        if (this.#isNext(waiter)) {
          const grant = await this.#attemptUntil(over, attempt, giveBack);
          if (grant) return grant;
        }
        await pause(waiter, pauseAfter(performance.now() - since), over);
      }
      if (this.#isClosed) throw closedLock();
      return undefined;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", waiter.end);
      this.#line.delete(waiter);
      this.#wakeAll();
    }
  }

  /** These keys were released here: whoever waits may ask at once. */
  released(keys: readonly string[]): void {
    if (!this.#isUsed) return;
    const now = performance.now();
    for (const [key, at] of this.#released) {
      if (now - at < COURTESY_MS) break;
      this.#released.delete(key);
    }
    for (const key of keys) {
      this.#released.delete(key);
      this.#released.set(key, now);
    }
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const { wake } of this.#line) wake();
  }

  #wasJustReleased(keys: readonly string[]): boolean {
    const now = performance.now();
    return keys.some((key) => now - (this.#released.get(key) ?? Number.NEGATIVE_INFINITY) < COURTESY_MS);
  }

  close(): void {
    this.#isClosed = true;
    for (const { end } of this.#line) end();
  }

  /** Nobody who came before waits for one of the same keys. */
  #isNext(waiter: Waiter): boolean {
    for (const earlier of this.#line) {
      if (earlier === waiter) return true;
      if (earlier.keys.some((key) => waiter.keys.includes(key))) return false;
    }
    return true;
  }

  async #attemptUntil(
    over: AbortSignal,
    attempt: () => Promise<Grant | undefined>,
    giveBack: (grant: Grant) => void,
  ): Promise<Grant | undefined> {
    let end = (): void => undefined;
    const ended = new Promise<undefined>((resolve) => {
      end = () => resolve(undefined);
      over.addEventListener("abort", end, { once: true });
    });
    const answer = attempt();
    try {
      const grant = await Promise.race([answer, ended]);
      // A late failure concerns nobody any more; a late grant does.
      if (over.aborted)
        void answer.then(
          (late) => late && giveBack(late),
          () => undefined,
        );
      return over.aborted ? undefined : grant;
    } finally {
      over.removeEventListener("abort", end);
    }
  }
}

function pauseAfter(waitedMs: number): number {
  const jitter = 0.5 + Math.random();
  if (waitedMs > PATIENT_AFTER_MS) return PATIENT_PAUSE_MS * jitter;
  return Math.max(SHORTEST_PAUSE_MS, NEWCOMER_PAUSE_MS * Math.exp(-waitedMs / AGE_MS) * jitter);
}

async function pause(waiter: Waiter, pauseMs: number, over: AbortSignal): Promise<void> {
  if (over.aborted) return;
  let timer: NodeJS.Timeout | undefined;
  let end = (): void => undefined;
  try {
    await new Promise<void>((resolve) => {
      end = resolve;
      waiter.wake = resolve;
      timer = setTimeout(resolve, pauseMs);
      over.addEventListener("abort", end, { once: true });
    });
  } finally {
    clearTimeout(timer);
    over.removeEventListener("abort", end);
  }
}
