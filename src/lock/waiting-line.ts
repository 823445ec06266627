/** Those who wait for keys of a backend that has no queue of its own: asked again and again, in order of arrival. */
import type { Grant, WaitLimits } from "./lock.ts";
import { closedLock } from "./unavailable.ts";

interface Waiter {
  readonly keys: readonly string[];
  /** Ends its pause. */
  wake: () => void;
}

/** Who has just come asks seldom, so that those who came before, on other connections too, are served first. */
const NEWCOMER_PAUSE_MS = 25;
const SHORTEST_PAUSE_MS = 2;
const AGED_AFTER_MS = 400;
/** Whoever still waits then does not wait for hand-overs but for a holder that stays. */
const PATIENT_AFTER_MS = 5_000;
const PATIENT_PAUSE_MS = 100;

export class WaitingLine {
  readonly #line = new Set<Waiter>();
  readonly #closed = new AbortController();

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
    const since = performance.now();
    const timeout = AbortSignal.timeout(Math.max(0, Math.ceil(timeoutMs)));
    const over = AbortSignal.any([timeout, signal, this.#closed.signal]);
    const waiter: Waiter = { keys, wake: () => undefined };
    this.#line.add(waiter);
    try {
      while (!over.aborted) {
        if (this.#isNext(waiter)) {
          const grant = await this.#attemptUntil(over, attempt, giveBack);
          if (grant) return grant;
        }
        await pause(waiter, pauseAfter(performance.now() - since), over);
      }
      if (this.#closed.signal.aborted) throw closedLock();
      return undefined;
    } finally {
      this.#line.delete(waiter);
      this.wakeAll();
    }
  }

  /** Something was released here: whoever waits may ask at once. */
  wakeAll(): void {
    for (const { wake } of this.#line) wake();
  }

  close(): void {
    this.#closed.abort();
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
  if (waitedMs > PATIENT_AFTER_MS) return PATIENT_PAUSE_MS * (0.5 + Math.random());
  const youth = Math.max(0, 1 - waitedMs / AGED_AFTER_MS);
  return SHORTEST_PAUSE_MS + (NEWCOMER_PAUSE_MS - SHORTEST_PAUSE_MS) * youth * (0.5 + Math.random());
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
