/** Signatures that were used: a request that is sent a second time, byte for byte, carries an old one. */
import type { Instant } from "../../domain/ids.ts";
import { outsideWindow } from "./api-error.ts";

const SWEEP_MS = 1_000;

/**
 * Remembers each signature for as long as its request could be valid; what is older is refused for its time. Of the
 * signatures before its process began it knows nothing, so it takes no request that is as old as that.
 */
export class ReplayGuard {
  readonly #begun: number;
  readonly #used = new Map<string, Instant>();
  #sweepAt = 0;

  /** `begun`: when the venue was started, by the clock that its clients' timestamps are compared with. */
  constructor(begun: number) {
    this.#begun = begun;
  }

  /** How many signatures are remembered. */
  get size(): number {
    return this.#used.size;
  }

  /** True where `signature` was not used before; from then on it is. Throws −1021 for a request older than the venue. */
  use(signature: string, timestamp: number, validUntil: Instant, now: Instant): boolean {
    if (timestamp < this.#begun) throw outsideWindow();
    // Its bytes as text of its own: a part of the request's text would keep all of that in memory.
    const bytes = Buffer.from(signature, "hex").toString("latin1");
    if (this.#used.has(bytes)) return false;
    this.#used.set(bytes, validUntil);
    if (now >= this.#sweepAt) this.#sweep(now);
    return true;
  }

  #sweep(now: Instant): void {
    this.#sweepAt = now + SWEEP_MS;
    for (const [old, until] of this.#used) {
      if (until >= now) break;
      this.#used.delete(old);
    }
  }
}
