/** One execution reported by the exchange. */
import type { Money, PriceTicks, QuantityLots } from "./amounts.ts";
import type { ClientOrderId, Instant, Side } from "./ids.ts";

/** An execution as the exchange tells it; its key is (exchange, account, symbol, tradeId, side). */
export interface Execution {
  readonly tradeId: string;
  readonly exchangeOrderId: string;
  readonly side: Side;
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
  readonly fee: Money;
  readonly feeAsset: string;
  readonly liquidity: "maker" | "taker";
  readonly at: Instant;
}

/** An execution of one of our orders. */
export interface Fill extends Execution {
  readonly id: ClientOrderId;
}
