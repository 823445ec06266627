/** The lock port: guards price levels against anything that shares the account. Fails closed. */

/** Held keys; worthless after `validUntil`, whatever the backend believes. */
export interface Grant {
  readonly keys: readonly string[];
  /** Fleet id and epoch of the holder: a successor of the same fleet takes the keys over. */
  readonly owner: LockOwner;
  /** Tells this grant from every other: only it is released and extended. */
  readonly token: string;
  /** Grows with every grant of the same key; undefined where the backend has no such number. */
  readonly fence: bigint | undefined;
  /** Monotonic ms, counted from before the request was sent. */
  readonly validUntil: number;
}

export interface LockOwner {
  readonly fleet: string;
  readonly epoch: number;
}

/** As many keys as one `tryAcquireEach` may name. */
export const MOST_AT_ONCE = 100;

export interface WaitLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Locks with expiry. All methods throw LOCK_UNAVAILABLE where the service cannot be asked; nobody may then act.
 * Every call ends within the provider's limit. `tryAcquire` may be repeated: its own keys stand in nobody's way.
 */
export interface LockProvider {
  /**
   * All keys or none, in one round trip, in place of whatever this owner held of them before; undefined where another fleet, or a newer epoch, holds one. The keys of one
   * grant belong to one market: they differ only after their last colon.
   */
  tryAcquire(keys: readonly string[], owner: LockOwner, ttlMs: number): Promise<Grant | undefined>;
  /**
   * A grant of its own for each key that can be had, in their order and in one round trip; undefined for each that
   * another fleet, or a newer epoch, holds. At most MOST_AT_ONCE different keys of one market.
   */
  tryAcquireEach(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
  ): Promise<readonly (Grant | undefined)[]>;
  /** Waits for all keys; undefined after `timeoutMs`, and at once when `signal` is aborted. */
  acquire(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
    limits: WaitLimits,
  ): Promise<Grant | undefined>;
  /**
   * A fresh grant for each, in their order and in one round trip; undefined for each that expired or of which
   * somebody else holds a key by now.
   */
  extend(grants: readonly Grant[], ttlMs: number): Promise<readonly (Grant | undefined)[]>;
  /** Frees what this grant holds; never what another one holds. */
  release(grant: Grant): Promise<void>;
  /** Throws LOCK_UNAVAILABLE, with the reason, also where the service answers but grants nothing. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
