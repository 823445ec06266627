/** An order as the exchange shows it, ours or not. */
import type { PriceTicks, QuantityLots } from "./amounts.ts";
import type { ClientOrderId, Instant, Side } from "./ids.ts";
import type { OrderType } from "./order.ts";

export interface ExchangeOrder {
  readonly id: ClientOrderId | undefined;
  readonly exchangeOrderId: string;
  readonly side: Side;
  readonly type: OrderType;
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
  readonly executed: QuantityLots;
  readonly status: "open" | "filled" | "canceled" | "expired" | "rejected";
  readonly createdAt: Instant;
}
