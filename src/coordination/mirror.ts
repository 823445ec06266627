/** A copy of one prefix of the key store: listed, watched, and listed again at intervals, as a watch may lose events. */
import type { Clock } from "../domain/clock.ts";
import type { Log } from "../domain/log.ts";
import type { Condition, KeyEntry, KeyEvent, KeyStore, Listing, Write } from "./key-store.ts";

export interface MirrorOptions {
  readonly store: KeyStore;
  readonly prefix: string;
  readonly clock: Clock;
  readonly log: Log;
  /** How often it is listed beside the watch, ms. */
  readonly listIntervalMs: number;
  /** Called after each change, and after each listing. */
  readonly changed: () => void;
  /** Called where the store was restored from a backup: what was known of it before is void. */
  readonly restored?: () => void;
}

/** How long after a failed call the next one follows, ms. */
const RETRY_MS = 100;

export class Mirror {
  readonly #options: MirrorOptions;
  readonly #stopping = new AbortController();
  #entries = new Map<string, KeyEntry>();
  /** Revisions at which keys were deleted: an older listing must not bring them back. */
  #deleted = new Map<string, number>();
  #revision = 0;
  /** The highest revision that the store has told of in any way. */
  #newest = 0;
  /** How often the store was restored from a backup. */
  #restores = 0;
  #verifiedAt = Number.NEGATIVE_INFINITY;
  #running: readonly Promise<void>[] = [];
  #watching = new AbortController();

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  /** Resolves after the first listing. Throws COORDINATION_UNAVAILABLE. */
  async open(): Promise<void> {
    await this.verify();
    this.#running = [this.#keepWatching(), this.#keepListing()];
  }

  get entries(): ReadonlyMap<string, KeyEntry> {
    return this.#entries;
  }

  /** Monotonic ms before which the last listing was asked for: what it shows is not older. */
  get verifiedAt(): number {
    return this.#verifiedAt;
  }

  /** Lists now. Throws COORDINATION_UNAVAILABLE. */
  async verify(): Promise<void> {
    const { store, prefix, clock } = this.#options;
    const asked = clock.monotonic();
    const [known, restores] = [this.#newest, this.#restores];
    const listing = await store.list(prefix);
    // Another call may have found the same restore meanwhile.
    if (listing.revision < known && restores === this.#restores) this.#startOver(known, listing.revision);
    this.#replace(listing);
    this.#verifiedAt = asked;
    this.#options.changed();
  }

  /** Takes over what a write of our own has just changed, before the watch tells. */
  apply(events: readonly KeyEvent[]): void {
    for (const event of events) this.#take(event);
    this.#options.changed();
  }

  /** A conditional write whose effect is seen here at once. Throws COORDINATION_UNAVAILABLE. */
  async write(conditions: readonly Condition[], writes: readonly Write[]): Promise<boolean> {
    const revision = await this.#options.store.write(conditions, writes);
    if (revision === undefined) {
      await this.verify();
      return false;
    }
    this.apply(writes.map((write) => eventOf(write, revision)));
    return true;
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    this.#watching.abort();
    await Promise.all(this.#running);
  }

  async #keepWatching(): Promise<void> {
    const { store, prefix, log } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#watching = new AbortController();
      try {
        await store.watch(prefix, this.#revision + 1, (events) => this.apply(events), this.#watching.signal);
      } catch (error) {
        log.warn({ error }, "coordination.watch_interrupted");
        // What happened meanwhile may be compacted, or taken back: the listing is what counts.
        do await this.#pause(RETRY_MS);
        while (!signal.aborted && !(await this.#tryVerify()));
      }
    }
  }

  async #keepListing(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      await this.#pause(this.#options.listIntervalMs);
      if (signal.aborted) return;
      await this.#tryVerify();
    }
  }

  async #tryVerify(): Promise<boolean> {
    if (this.#stopping.signal.aborted) return false;
    try {
      await this.verify();
      return true;
    } catch (error) {
      this.#options.log.warn({ error }, "coordination.list_failed");
      return false;
    }
  }

  /**
   * A listing is never older than its call: the store was restored from a backup, and its revisions begin again below what
   * is known. Kept, that would hide what happens until they have passed it, and every write on its condition would lose.
   */
  #startOver(known: number, found: number): void {
    this.#options.log.warn({ known, found }, "coordination.store_restored");
    [this.#entries, this.#deleted] = [new Map(), new Map()];
    [this.#revision, this.#newest] = [0, 0];
    this.#restores += 1;
    this.#options.restored?.();
    // It waits for revisions that are far away now.
    this.#watching.abort();
  }

  #replace(listing: Listing): void {
    const listed = new Map(listing.entries.map((entry) => [entry.key, entry]));
    // What the watch or a write of our own has told since the listing was made is newer than it.
    for (const [key, entry] of this.#entries) {
      if (entry.revision > listing.revision) listed.set(key, entry);
    }
    for (const [key, revision] of this.#deleted) {
      if (revision > listing.revision) listed.delete(key);
    }
    this.#entries = listed;
    this.#deleted = new Map([...this.#deleted].filter(([, revision]) => revision > listing.revision));
    this.#revision = Math.max(this.#revision, listing.revision);
    this.#newest = Math.max(this.#newest, listing.revision);
  }

  #take(event: KeyEvent): void {
    const { key, revision } = event.kind === "put" ? event.entry : event;
    this.#newest = Math.max(this.#newest, revision);
    const known = Math.max(this.#entries.get(key)?.revision ?? 0, this.#deleted.get(key) ?? 0);
    if (revision < known) return;
    if (event.kind === "put") {
      this.#entries.set(key, event.entry);
      this.#deleted.delete(key);
    } else {
      this.#entries.delete(key);
      this.#deleted.set(key, revision);
    }
  }

  async #pause(delayMs: number): Promise<void> {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        cancel();
        signal.removeEventListener("abort", finish);
        resolve();
      };
      const cancel = this.#options.clock.after(delayMs, finish);
      signal.addEventListener("abort", finish, { once: true });
    });
  }
}

function eventOf(write: Write, revision: number): KeyEvent {
  const { key } = write;
  return write.kind === "put"
    ? { kind: "put", entry: { key, value: write.value, revision } }
    : { kind: "deleted", key, revision };
}
