/** Claims in mode `static`: each claim row is a lease in the database's time, renewed together with all others. */
import type { Claim, MarketKey } from "../domain/claim.ts";
import { invariant } from "../domain/assert.ts";
import type { Clock } from "../domain/clock.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { Log } from "../domain/log.ts";
import type { Storage } from "../storage/storage.ts";
import type { Claims } from "./claims.ts";
import type { Permit } from "./permit.ts";
import { WakeUps } from "./wake-ups.ts";

export interface LeasedClaimsOptions {
  readonly storage: Storage;
  /** New for each process. */
  readonly holder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly ttlMs: number;
  /** The market is another's now. */
  readonly lost: (symbol: string) => void;
}

/** The share of a lease that its holder uses: clocks may differ in rate, and a renewal takes its time. */
const PERMIT_SHARE = 0.7;
const RENEWALS_PER_TTL = 3;

export class LeasedClaims implements Claims, Permit {
  readonly #options: LeasedClaimsOptions;
  readonly #wakeUps: WakeUps;
  /** Until when each claim is certain, monotonic ms. */
  readonly #held = new Map<Claim, number>();
  /** The end of the one that ends first. */
  #validUntil = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  #cancel: () => void = () => undefined;

  constructor(options: LeasedClaimsOptions) {
    this.#options = options;
    this.#wakeUps = new WakeUps(options.clock);
  }

  /** Renews from here on, until `close`. */
  open(): void {
    if (this.#isClosed) return;
    const { clock, log, ttlMs } = this.#options;
    this.#cancel = clock.after(ttlMs / RENEWALS_PER_TTL, () => {
      this.#renew()
        .catch((error: unknown) => log.warn({ error }, "claims.renewal_failed"))
        .finally(() => this.open());
    });
  }

  isValid(): boolean {
    return this.#options.clock.monotonic() < this.#validUntil;
  }

  async take(market: MarketKey, signal: AbortSignal): Promise<Claim> {
    const { storage, holder, clock, log, ttlMs } = this.#options;
    let replaced: { readonly replaces?: number } = {};
    for (;;) {
      if (signal.aborted) throw new QuantmeshError("LEASE_LOST", `${market.symbol} is no longer wanted`);
      const sent = clock.monotonic();
      const [answer] = await storage.requestClaims([{ market, holder, ttlMs, ...replaced }]);
      invariant(answer !== undefined, "a request has an answer");
      if (answer.kind === "claimed") {
        this.#hold(answer.claim, sent);
        return answer.claim;
      }
      // Our own of before: its answer was lost, or the bot is started anew.
      const isOurs = answer.holder === holder && replaced.replaces !== answer.epoch;
      replaced = isOurs ? { replaces: answer.epoch } : {};
      if (isOurs) continue;
      log.info(
        { symbol: market.symbol, holder: answer.holder, expiresInMs: answer.expiresInMs },
        "claim.held",
      );
      const delayMs = Math.min(answer.expiresInMs + 1, ttlMs / RENEWALS_PER_TTL);
      await this.#wakeUps.listen(market.symbol, signal).within(delayMs);
    }
  }

  async release(claim: Claim): Promise<void> {
    this.#forget(claim);
    await this.#options.storage.releaseClaim(claim);
  }

  close(): void {
    this.#cancel();
    this.#isClosed = true;
    this.#held.clear();
    this.#noteEnd();
  }

  #hold(claim: Claim, sent: number): void {
    const { symbol } = claim.market;
    for (const held of this.#held.keys()) if (held.market.symbol === symbol) this.#held.delete(held);
    this.#held.set(claim, sent + PERMIT_SHARE * this.#options.ttlMs);
    this.#noteEnd();
  }

  #forget({ token }: Claim): void {
    for (const held of this.#held.keys()) if (held.token === token) this.#held.delete(held);
    this.#noteEnd();
  }

  #noteEnd(): void {
    this.#validUntil = this.#held.size === 0 ? Number.NEGATIVE_INFINITY : Math.min(...this.#held.values());
  }

  async #renew(): Promise<void> {
    const { storage, clock, ttlMs, lost } = this.#options;
    const asked = [...this.#held.keys()];
    const sent = clock.monotonic();
    const kept = new Set((await storage.renewClaims(asked, ttlMs)).map(({ token }) => token));
    for (const claim of asked.filter(({ token }) => !kept.has(token))) {
      this.#forget(claim);
      lost(claim.market.symbol);
    }
    // What was claimed meanwhile was not renewed, and may have been asked for long before.
    for (const claim of asked) if (this.#held.has(claim)) this.#held.set(claim, sent + PERMIT_SHARE * ttlMs);
    this.#noteEnd();
  }
}
