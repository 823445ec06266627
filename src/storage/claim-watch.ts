/** Remembers from which running server each claim was taken. */
import type { Claim, MarketKey } from "../domain/claim.ts";

interface Taken {
  readonly token: string;
  readonly incarnation: number;
}

/** The newest claim of each market; of claims that somebody else took nothing is known, and nothing is held against them. */
export class ClaimWatch {
  readonly #taken = new Map<string, Taken>();

  note({ market, token }: Claim, incarnation: number): void {
    this.#taken.set(keyOf(market), { token, incarnation });
  }

  /** False where the claim was taken under another number than `incarnation`. */
  isCurrent({ market, token }: Claim, incarnation: number): boolean {
    const taken = this.#taken.get(keyOf(market));
    return taken?.token !== token || taken.incarnation === incarnation;
  }
}

function keyOf({ exchange, account, symbol }: MarketKey): string {
  return JSON.stringify([exchange, account, symbol]);
}
