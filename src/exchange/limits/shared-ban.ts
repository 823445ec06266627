/** How long the exchange wants to be left alone, known to all instances with one key as soon as to the one it told. */
import type { Clock } from "../../domain/clock.ts";

/** A ban that instances have in common; it throws where it cannot be asked. */
export interface BanStore {
  /** The ban lasts for `forMs` from now at least, never less than it did; for how long it lasts then, 0 where there is none. */
  extend(forMs: number): Promise<number>;
}

export interface SharedBanOptions {
  readonly store: BanStore;
  readonly clock: Clock;
  /** Called with what is left of a ban, over and over while it lasts, whoever was told of it by the exchange. */
  readonly hear: (forMs: number) => void;
  /** Called once for a ban that another instance was told of. */
  readonly heardFirst: (forMs: number) => void;
}

const LOOK_EVERY_MS = 250;

/**
 * Whoever is banned tells the others, who look for it all the time: an instance that has something to send after a quiet
 * hour must not be the next that is refused. Only what the exchange said itself is told, so that no ban is kept alive by
 * those who heard of it. While the store is away each knows its own bans, and tells what is left of them afterwards.
 */
export class SharedBan {
  readonly #options: SharedBanOptions;
  /** Monotonic ms. */
  #ownUntil = Number.NEGATIVE_INFINITY;
  #heardUntil = Number.NEGATIVE_INFINITY;
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;

  constructor(options: SharedBanOptions) {
    this.#options = options;
    void this.#keepLooking();
  }

  /** The exchange told this instance. */
  tell(forMs: number): void {
    this.#ownUntil = Math.max(this.#ownUntil, this.#options.clock.monotonic() + forMs);
    void this.#look();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
  }

  async #keepLooking(): Promise<void> {
    await this.#look();
    if (this.#isClosed) return;
    this.#cancelTimer = this.#options.clock.after(LOOK_EVERY_MS, () => void this.#keepLooking());
  }

  async #look(): Promise<void> {
    const { store, clock, hear, heardFirst } = this.#options;
    const own = Math.max(0, Math.ceil(this.#ownUntil - clock.monotonic()));
    // That the store is away is told by the counters, which are beside it.
    const forMs = await store.extend(own).catch(() => 0);
    if (forMs <= 0 || this.#isClosed) return;
    const now = clock.monotonic();
    const isNews = now >= Math.max(this.#ownUntil, this.#heardUntil);
    this.#heardUntil = Math.max(this.#heardUntil, now + forMs);
    hear(forMs);
    if (isNews) heardFirst(forMs);
  }
}
