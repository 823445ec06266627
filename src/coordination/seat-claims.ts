/** Claims in mode `dynamic`: the seat says whose a market is; its last holder lets go, is gone, or is overruled. */
import type { Claim, MarketKey } from "../domain/claim.ts";
import type { Clock } from "../domain/clock.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { ClaimAnswer, ClaimRequest, Storage } from "../storage/storage.ts";
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
/** How soon a claim is asked for again that somebody writes under, who is gone or asleep: its server ends that at once. */
const WRITTEN_LOOK_MS = 50;
/** One that guesses, one that knows, and one after a sleeper's transaction was ended. */
const ATTEMPTS = 3;

interface HeldClaim {
  readonly holder: string;
  readonly epoch: number;
}

interface Asked {
  readonly request: ClaimRequest;
  readonly resolve: (answer: ClaimAnswer) => void;
  readonly reject: (error: unknown) => void;
}

export class SeatClaims implements Claims {
  readonly #storage: Storage;
  readonly #holder: string;
  readonly #clock: Clock;
  readonly #fleet: SeatKnowledge;
  readonly #wakeUps: WakeUps;
  /** What a standby has read of others' claims, by market, as fleets may share a database: the first guess of a takeover. */
  readonly #known = new Map<string, HeldClaim>();
  /** Who has said of a symbol that it let go: a claim that still names it is void. */
  readonly #letGo = new Map<string, string>();
  #asked: Asked[] = [];

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
      const wakeUp = this.#wakeUps.listen(symbol, signal);
      try {
        if (signal.aborted || !this.#fleet.owns(symbol)) {
          throw new QuantmeshError("LEASE_LOST", `${symbol} is not assigned to this instance`);
        }
        const taken = this.#fleet.permit.isValid() ? await this.#tryTake(market, patience) : "held";
        if (typeof taken === "object") {
          this.#letGo.delete(symbol);
          return taken;
        }
        await wakeUp.within(taken === "written" ? WRITTEN_LOOK_MS : LOOK_MS);
      } finally {
        wakeUp.close();
      }
    }
  }

  /** Reads who holds what, so that a takeover need not ask first. */
  async warm(): Promise<void> {
    this.#known.clear();
    for (const { holder, epoch, ...market } of await this.#storage.listClaims())
      this.#known.set(keyOf(market), { holder, epoch });
  }

  async release(claim: Claim): Promise<void> {
    await this.#storage.releaseClaim(claim);
  }

  /**
   * `by`, a holder of claims, has let go of these symbols: whoever waits for them looks again, and need not wait for a
   * claim that `by` could not release, or does not know of.
   */
  released(symbols: readonly string[], by: string): void {
    for (const symbol of symbols) this.#letGo.set(symbol, by);
    this.#wakeUps.wake(symbols);
  }

  /** Somebody trades the symbol: who had let go of it before may have it again. */
  traded(symbol: string): void {
    this.#letGo.delete(symbol);
  }

  /**
   * Asks together with everything else that is asked for now: a takeover is one transaction. `written`: the claim is
   * void, but somebody writes under it at this moment. `held`: it is not void.
   */
  async #tryTake(market: MarketKey, patience: number): Promise<Claim | "written" | "held"> {
    let known = this.#known.get(keyOf(market));
    let isOverruled = false;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const answer = await this.#ask(market, known, isOverruled);
      if (answer.kind === "claimed") return answer.claim;
      // Somebody writes under the claim at this moment: what was known of it may still be so.
      if (answer.holder !== "") {
        this.#known.delete(keyOf(market));
        known = answer;
      }
      known ??= await this.#look(market);
      isOverruled = this.#clock.monotonic() >= patience;
      if (known === undefined || (!this.#isVoid(market, known) && !isOverruled)) return "held";
    }
    return "written";
  }

  /** Who has the market, read past whoever writes under its claim. */
  async #look(market: MarketKey): Promise<HeldClaim | undefined> {
    const claims = await this.#storage.listClaims();
    return claims.find((claim) => keyOf(claim) === keyOf(market));
  }

  #isVoid({ symbol }: MarketKey, { holder }: HeldClaim): boolean {
    return holder === this.#holder || !this.#fleet.hasSeat(holder) || this.#letGo.get(symbol) === holder;
  }

  #ask(market: MarketKey, known: HeldClaim | undefined, isOverruled: boolean): Promise<ClaimAnswer> {
    const replaces = known && (isOverruled || this.#isVoid(market, known)) ? { replaces: known.epoch } : {};
    const request: ClaimRequest = { market, holder: this.#holder, ttlMs: FOR_EVER_MS, ...replaces };
    return new Promise((resolve, reject) => {
      this.#asked.push({ request, resolve, reject });
      if (this.#asked.length === 1) this.#clock.after(0, () => void this.#askAll());
    });
  }

  async #askAll(): Promise<void> {
    const asked = this.#asked;
    this.#asked = [];
    try {
      const answers = await this.#storage.requestClaims(asked.map(({ request }) => request));
      for (const [index, { resolve, reject }] of asked.entries()) {
        const answer = answers[index];
        if (answer) resolve(answer);
        else reject(new QuantmeshError("INVARIANT", "a request has no answer"));
      }
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}

function keyOf({ exchange, account, symbol }: MarketKey): string {
  return JSON.stringify([exchange, account, symbol]);
}
