/** The right to trade one symbol of one account. */
export interface MarketKey {
  readonly exchange: string;
  readonly account: string;
  readonly symbol: string;
}

/** A held claim: every write compares both numbers with the stored row. */
export interface Claim {
  readonly market: MarketKey;
  /** Grows by one each time that somebody claims. */
  readonly epoch: number;
  /** Random for each claim: tells two claims apart whose epochs a failed-over database handed out twice. */
  readonly token: string;
  readonly holder: string;
}
