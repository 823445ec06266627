/** What the fleet needs of etcd: keys with revisions, conditional writes, leases, and a watch that is only a hint. */

export interface KeyEntry {
  readonly key: string;
  readonly value: string;
  /** The store's revision at which the key was last written; grows over the whole store. */
  readonly revision: number;
}

export interface Listing {
  readonly revision: number;
  readonly entries: readonly KeyEntry[];
}

export type KeyEvent =
  | { readonly kind: "put"; readonly entry: KeyEntry }
  | { readonly kind: "deleted"; readonly key: string; readonly revision: number };

export type Write =
  | { readonly kind: "put"; readonly key: string; readonly value: string; readonly lease?: LeaseId }
  | { readonly kind: "delete"; readonly key: string };

/** Holds while the key was last written at this revision; 0: while it does not exist. */
export interface Condition {
  readonly key: string;
  readonly revision: number;
}

export type LeaseId = string;

/**
 * All methods end within the store's limit and throw COORDINATION_UNAVAILABLE where it does not answer; whether a write
 * happened is then unknown, and only a listing tells.
 */
export interface KeyStore {
  /** All keys under `prefix` as of one moment, not older than the call. */
  list(prefix: string): Promise<Listing>;
  /** All writes in one transaction where every condition holds: the revision they got; undefined where one does not. */
  write(conditions: readonly Condition[], writes: readonly Write[]): Promise<number | undefined>;
  /**
   * Hands on what happens under `prefix` from `revision` on, in order. Resolves when `signal` is aborted; throws as soon
   * as it is interrupted or the revision is no longer there: list again then.
   */
  watch(
    prefix: string,
    revision: number,
    listen: (events: readonly KeyEvent[]) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** A lease of at least `ttlMs`, rounded up to whole seconds by the server. */
  grantLease(ttlMs: number): Promise<{ readonly id: LeaseId; readonly ttlMs: number }>;
  /** False where the lease no longer exists. */
  keepLease(id: LeaseId): Promise<boolean>;
  revokeLease(id: LeaseId): Promise<void>;
  /** How long the key stays unless its lease is renewed, ms; undefined where it has no lease, or does not exist. */
  timeLeft(key: string): Promise<number | undefined>;
  close(): void;
}
