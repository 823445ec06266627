/** The right to trade one market: when it may be taken, and how it is given away. */
import type { Claim, MarketKey } from "../domain/claim.ts";
import type { Clock } from "../domain/clock.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { Storage } from "../storage/storage.ts";
import type { Permit } from "./permit.ts";

export interface Claims {
  /**
   * Claims the market once nobody else has it. Throws LEASE_LOST where it is not this instance's to claim, or `signal`
   * was aborted meanwhile.
   */
  take(market: MarketKey, signal: AbortSignal): Promise<Claim>;
  /** Lets others claim it; the claim is void from here on. */
  release(claim: Claim): Promise<void>;
}

/** `solo`: the process lock keeps everybody else out. */
export function soloClaims(storage: Storage, holder: string): Claims {
  return {
    take: (market) => storage.claim(market, holder),
    release: async () => undefined,
  };
}

/** What a fleet's claims need to know of the fleet. */
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

/** `dynamic`: the seat says whose the market is; its last holder lets go, is gone, or is overruled. */
export class SeatClaims implements Claims {
  readonly #storage: Storage;
  readonly #holder: string;
  readonly #clock: Clock;
  readonly #fleet: SeatKnowledge;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(storage: Storage, holder: string, clock: Clock, fleet: SeatKnowledge) {
    this.#storage = storage;
    this.#holder = holder;
    this.#clock = clock;
    this.#fleet = fleet;
  }

  async take(market: MarketKey, signal: AbortSignal): Promise<Claim> {
    const { symbol } = market;
    const patience = this.#clock.monotonic() + PATIENCE_MS;
    for (;;) {
      if (signal.aborted || !this.#fleet.owns(symbol)) {
        throw new QuantmeshError("LEASE_LOST", `${symbol} is not assigned to this instance`);
      }
      const isPermitted = this.#fleet.permit.isValid();
      const claim = isPermitted ? await this.#tryTake(market, patience) : undefined;
      if (claim) return claim;
      await this.#somethingNew(symbol, signal);
    }
  }

  async release(claim: Claim): Promise<void> {
    await this.#storage.releaseClaim(claim);
  }

  /** A peer has let go of these symbols, or the fleet has changed: whoever waits looks again. */
  wake(symbols: Iterable<string>): void {
    for (const symbol of symbols) {
      for (const wake of this.#waiting.get(symbol) ?? []) wake();
    }
  }

  wakeAll(): void {
    this.wake([...this.#waiting.keys()]);
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

  async #somethingNew(symbol: string, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const others = this.#waiting.get(symbol) ?? new Set();
      const finish = (): void => {
        cancel();
        signal.removeEventListener("abort", finish);
        others.delete(finish);
        if (others.size === 0) this.#waiting.delete(symbol);
        resolve();
      };
      const cancel = this.#clock.after(LOOK_MS, finish);
      signal.addEventListener("abort", finish, { once: true });
      this.#waiting.set(symbol, others.add(finish));
    });
  }
}
