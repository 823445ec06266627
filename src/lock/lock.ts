/** The lock port: guards price levels against anything that shares the account. Fails closed. */

/** Held keys; worthless after `validUntil`, whatever the backend believes. */
export interface Grant {
  readonly keys: readonly string[];
  /** Fleet id and epoch of the holder: a successor of the same fleet takes the keys over. */
  readonly owner: LockOwner;
  /** Monotonic ms, counted from before the request was sent. */
  readonly validUntil: number;
}

export interface LockOwner {
  readonly fleet: string;
  readonly epoch: number;
}

/**
 * Locks with expiry. All methods throw LOCK_UNAVAILABLE where the service cannot be asked; nobody may then act.
 * `tryAcquire` and `extend` are idempotent for one owner.
 */
export interface LockProvider {
  /** All keys or none, in one round trip; undefined where another fleet, or a newer epoch, holds one. */
  tryAcquire(keys: readonly string[], owner: LockOwner, ttlMs: number): Promise<Grant | undefined>;
  /** Waits for all keys; undefined after `timeoutMs`. Ends at once when `signal` is aborted. */
  acquire(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
    limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<Grant | undefined>;
  /** A fresh grant for the same keys; undefined where one was lost. */
  extend(grant: Grant, ttlMs: number): Promise<Grant | undefined>;
  /** Frees what this owner holds; never another's. */
  release(grant: Grant): Promise<void>;
  ping(): Promise<void>;
  close(): Promise<void>;
}
