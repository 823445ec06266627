/** Locks of one process in its own memory, with expiry on the monotonic clock. */
import type { Clock } from "../domain/clock.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { Grant, LockOwner, LockProvider, WaitLimits } from "./lock.ts";

interface Entry {
  readonly owner: LockOwner;
  readonly token: string;
  /** Monotonic ms. */
  readonly expires: number;
}

interface Waiter {
  readonly keys: readonly string[];
  readonly owner: LockOwner;
  readonly ttlMs: number;
  readonly end: (grant: Grant | undefined) => void;
  readonly fail: (error: QuantmeshError) => void;
}

/** Guards only what happens inside this process; first come, first served among those who wait. */
export class MemoryLock implements LockProvider {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  /** In the order of arrival. */
  readonly #waiters = new Set<Waiter>();
  #cancelWake = (): void => undefined;
  #grants = 0n;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async tryAcquire(keys: readonly string[], owner: LockOwner, ttlMs: number): Promise<Grant | undefined> {
    this.#refuseIfClosed();
    return this.#take(keys, owner, ttlMs);
  }

  async tryAcquireEach(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
  ): Promise<readonly (Grant | undefined)[]> {
    this.#refuseIfClosed();
    return keys.map((key) => this.#take([key], owner, ttlMs));
  }

  /** undefined also where `signal` was aborted: nobody may act on either. */
  async acquire(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
    { timeoutMs, signal }: WaitLimits,
  ): Promise<Grant | undefined> {
    this.#refuseIfClosed();
    if (signal.aborted) return undefined;
    const grant = this.#take(keys, owner, ttlMs);
    if (grant) return grant;
    let giveUp = (): void => undefined;
    let cancelTimeout = (): void => undefined;
    try {
      return await new Promise<Grant | undefined>((resolve, reject) => {
        const waiter: Waiter = {
          keys,
          owner,
          ttlMs,
          end: (result) => {
            this.#waiters.delete(waiter);
            resolve(result);
          },
          fail: reject,
        };
        giveUp = () => waiter.end(undefined);
        this.#waiters.add(waiter);
        signal.addEventListener("abort", giveUp);
        cancelTimeout = this.#clock.after(timeoutMs, giveUp);
        this.#wakeAtNextExpiry();
      });
    } finally {
      signal.removeEventListener("abort", giveUp);
      cancelTimeout();
      this.#wakeAtNextExpiry();
    }
  }

  async extend(grants: readonly Grant[], ttlMs: number): Promise<readonly (Grant | undefined)[]> {
    this.#refuseIfClosed();
    return grants.map((grant) => {
      if (!grant.keys.every((key) => this.#live(key)?.token === grant.token)) return undefined;
      return this.#set({ ...grant, validUntil: this.#clock.monotonic() + ttlMs });
    });
  }

  async release({ keys, token }: Grant): Promise<void> {
    this.#refuseIfClosed();
    for (const key of keys) {
      if (this.#entries.get(key)?.token === token) this.#entries.delete(key);
    }
    this.#serveWaiters();
  }

  async ping(): Promise<void> {
    this.#refuseIfClosed();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const waiter of this.#waiters) waiter.fail(closedError());
    this.#waiters.clear();
    this.#cancelWake();
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw closedError();
  }

  #take(keys: readonly string[], owner: LockOwner, ttlMs: number): Grant | undefined {
    if (!keys.every((key) => this.#isFreeFor(key, owner))) return undefined;
    this.#grants += 1n;
    const fence = this.#grants;
    return this.#set({
      keys,
      owner,
      token: String(fence),
      fence,
      validUntil: this.#clock.monotonic() + ttlMs,
    });
  }

  #set(grant: Grant): Grant {
    const { keys, owner, token, validUntil: expires } = grant;
    for (const key of keys) this.#entries.set(key, { owner, token, expires });
    return grant;
  }

  /** Held by nobody, by this owner, or by an older epoch of its fleet. */
  #isFreeFor(key: string, { fleet, epoch }: LockOwner): boolean {
    const held = this.#live(key);
    return held === undefined || (held.owner.fleet === fleet && held.owner.epoch <= epoch);
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.expires > this.#clock.monotonic() ? entry : undefined;
  }

  #serveWaiters(): void {
    for (const waiter of this.#waiters) {
      const grant = this.#take(waiter.keys, waiter.owner, waiter.ttlMs);
      if (grant) waiter.end(grant);
    }
    this.#wakeAtNextExpiry();
  }

  #wakeAtNextExpiry(): void {
    this.#cancelWake();
    this.#cancelWake = () => undefined;
    if (this.#waiters.size === 0) return;
    let next = Number.POSITIVE_INFINITY;
    for (const waiter of this.#waiters) next = Math.min(next, this.#blockedUntil(waiter));
    const delayMs = Math.max(0, next - this.#clock.monotonic());
    this.#cancelWake = this.#clock.after(delayMs, () => this.#serveWaiters());
  }

  /** When the last of the keys that stand in the waiter's way expires; 0 where none does any more. */
  #blockedUntil({ keys, owner }: Waiter): number {
    let until = 0;
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (entry && !this.#isFreeFor(key, owner)) until = Math.max(until, entry.expires);
    }
    return until;
  }
}

function closedError(): QuantmeshError {
  return new QuantmeshError("LOCK_UNAVAILABLE", "the lock is closed");
}
