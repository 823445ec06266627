/** Takes back in the background what a service may have granted although nobody waits for it any more. */
import { setTimeout as delay } from "node:timers/promises";
import { LockUnavailable } from "./unavailable.ts";

const PAUSE_MS = 200;

export class UndoQueue {
  readonly #closed = new AbortController();
  readonly #running = new Set<Promise<void>>();

  /**
   * Repeats `remove` until it is answered, or until what it would remove has expired by itself, after `expiryMs`. Who
   * calls this sees to it that nothing which was sent before a removal is carried out after it.
   */
  start(remove: () => Promise<unknown>, expiryMs: number): void {
    const running = this.#repeat(remove, performance.now() + expiryMs).finally(() =>
      this.#running.delete(running),
    );
    this.#running.add(running);
  }

  /** What cannot be undone now expires by itself. */
  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.all(this.#running);
  }

  async #repeat(remove: () => Promise<unknown>, expired: number): Promise<void> {
    while (performance.now() < expired) {
      try {
        await remove();
        return;
      } catch (error) {
        if (!(error instanceof LockUnavailable)) throw error;
      }
      if (this.#closed.signal.aborted) return;
      await delay(PAUSE_MS, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    }
  }
}
