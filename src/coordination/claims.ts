/** The right to trade one market: when it may be taken, and how it is given away. */
import type { Claim, MarketKey } from "../domain/claim.ts";
import type { Storage } from "../storage/storage.ts";

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
