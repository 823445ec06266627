/** How long the start of an instance waits for an etcd that is slow, or not there yet. */
import type { Clock } from "../domain/clock.ts";
import { QuantmeshError, hasCode } from "../domain/errors.ts";
import type { Log } from "../domain/log.ts";

export interface StartPatienceOptions {
  readonly clock: Pick<Clock, "monotonic" | "after">;
  readonly log: Log;
  /** Counted from the first question on. */
  readonly limitMs: number;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

export class StartPatience {
  readonly #options: StartPatienceOptions;
  readonly #deadline: number;

  constructor(options: StartPatienceOptions) {
    this.#options = options;
    this.#deadline = options.clock.monotonic() + options.limitMs;
  }

  /**
   * Asks again, after growing pauses, while etcd does not answer; what is asked must bear to be repeated. Throws
   * COORDINATION_UNAVAILABLE where the limit would pass, or `signal` was aborted.
   */
  async ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    const { clock, log, limitMs, signal } = this.#options;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        return await question();
      } catch (error) {
        if (!hasCode(error, "COORDINATION_UNAVAILABLE") || signal?.aborted) throw error;
        const leftMs = this.#deadline - clock.monotonic();
        if (pauseMs >= leftMs) {
          const message = `etcd has not answered for ${limitMs / 1000} s (coordination.start_limit): check coordination.etcd.hosts and limit_ms; at last: ${error.message}`;
          throw new QuantmeshError("COORDINATION_UNAVAILABLE", message, { cause: error });
        }
        log.warn({ error, leftMs: Math.round(leftMs) }, "coordination.start_delayed");
        await this.#pause(pauseMs);
      }
    }
  }

  async #pause(delayMs: number): Promise<void> {
    const { clock, signal } = this.#options;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        cancel();
        signal?.removeEventListener("abort", finish);
        resolve();
      };
      const cancel = clock.after(delayMs, finish);
      signal?.addEventListener("abort", finish, { once: true });
    });
  }
}
