/** Claims in mode `dynamic`: the seat says whose a market is; its last holder lets go, is gone, or is overruled. */
import type { Claim, MarketKey } from "../domain/claim.ts";
import type { Clock } from "../domain/clock.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { Storage } from "../storage/storage.ts";
import type { Claims } from "./claims.ts";
import type { Permit } from "./permit.ts";
import { WakeUps } from "./wake-ups.ts";

/** What the claims need to know of the fleet. */
export interface SeatKnowledge {
  readonly permit: Permit;
  /** True while the symbol is assigned to this instance's seat. */
  owns(symbol: string): boolean;
  /** True while the holder of a claim is on a seat: what it has claimed it will release. */
  hasSeat(holder: string): boolean;
}

/** After this long a holder that lives but does not let go is overruled; its next write is refused. */
const PATIENCE_MS = 10_000;
/** The seat is the lease: a claim ends when it is released or replaced. */
const FOR_EVER_MS = 100 * 365 * 86_400_000;
/** How often the claim is looked at beside what its holder says, ms. */
const LOOK_MS = 200;

export class SeatClaims implements Claims {
  readonly #storage: Storage;
  readonly #holder: string;
  readonly #clock: Clock;
  readonly #fleet: SeatKnowledge;
  readonly #wakeUps: WakeUps;

  constructor(storage: Storage, holder: string, clock: Clock, fleet: SeatKnowledge) {
    this.#storage = storage;
    this.#holder = holder;
    this.#clock = clock;
    this.#fleet = fleet;
    this.#wakeUps = new WakeUps(clock);
  }

  async take(market: MarketKey, signal: AbortSignal): Promise<Claim> {
    const { symbol } = market;
    const patience = this.#clock.monotonic() + PATIENCE_MS;
    for (;;) {
      const wakeUp = this.#wakeUps.listen(symbol, LOOK_MS, signal);
      try {
        if (signal.aborted || !this.#fleet.owns(symbol)) {
          throw new QuantmeshError("LEASE_LOST", `${symbol} is not assigned to this instance`);
        }
        const claim = this.#fleet.permit.isValid() ? await this.#tryTake(market, patience) : undefined;
        if (claim) return claim;
        await wakeUp.heard;
      } finally {
        wakeUp.close();
      }
    }
  }

  async release(claim: Claim): Promise<void> {
    await this.#storage.releaseClaim(claim);
  }

  /** A peer has let go of these symbols: whoever waits for them looks again. */
  released(symbols: readonly string[]): void {
    this.#wakeUps.wake(symbols);
  }

  async #tryTake(market: MarketKey, patience: number): Promise<Claim | undefined> {
    const request = { market, holder: this.#holder, ttlMs: FOR_EVER_MS };
    const answer = await this.#storage.requestClaim(request);
    if (answer.kind === "claimed") return answer.claim;
    const { holder, epoch } = answer;
    const isVoid = holder === this.#holder || !this.#fleet.hasSeat(holder);
    if (!isVoid && this.#clock.monotonic() < patience) return undefined;
    const replaced = await this.#storage.requestClaim({ ...request, replaces: epoch });
    return replaced.kind === "claimed" ? replaced.claim : undefined;
  }
}
