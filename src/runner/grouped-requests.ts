/** Requests for level locks that are made in one turn of the event loop leave as one: each is granted or refused alone. */
import type { Grant, LockOwner, LockProvider } from "../lock/lock.ts";
import { MOST_AT_ONCE } from "../lock/lock.ts";

interface Asked {
  readonly key: string;
  readonly answer: (grant: Grant | undefined) => void;
  readonly fail: (error: unknown) => void;
}

export class GroupedRequests {
  readonly #lock: Pick<LockProvider, "tryAcquireEach">;
  readonly #owner: LockOwner;
  readonly #ttlMs: number;
  #asked: Asked[] = [];

  constructor(lock: Pick<LockProvider, "tryAcquireEach">, owner: LockOwner, ttlMs: number) {
    this.#lock = lock;
    this.#owner = owner;
    this.#ttlMs = ttlMs;
  }

  /** undefined where somebody else holds the key. No key may be asked for twice at a time. Throws LOCK_UNAVAILABLE. */
  acquire(key: string): Promise<Grant | undefined> {
    return new Promise((answer, fail) => {
      this.#asked.push({ key, answer, fail });
      if (this.#asked.length === 1) process.nextTick(() => this.#send());
    });
  }

  #send(): void {
    const asked = this.#asked;
    this.#asked = [];
    for (let from = 0; from < asked.length; from += MOST_AT_ONCE) {
      void this.#ask(asked.slice(from, from + MOST_AT_ONCE));
    }
  }

  async #ask(some: readonly Asked[]): Promise<void> {
    const keys = some.map(({ key }) => key);
    try {
      const grants = await this.#lock.tryAcquireEach(keys, this.#owner, this.#ttlMs);
      for (const [index, { answer }] of some.entries()) answer(grants[index]);
    } catch (error) {
      for (const { fail } of some) fail(error);
    }
  }
}
