/** What an incoming order would take at once: from the book, and from a market of unlimited depth. */
import type { PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { quantityLots, subtractLots } from "../../domain/amounts.ts";
import type { OrderBook } from "./book.ts";
import type { PlaceCommand, SelfTradeMode } from "./commands.ts";
import type { VenueOrder } from "./order-history.ts";

/** One trade to come; without a maker it is with the market itself. */
export interface TakePart {
  readonly maker: VenueOrder | undefined;
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
}

export interface Take {
  readonly parts: readonly TakePart[];
  /** Resting orders of the taker's own account that give way to it. */
  readonly ownMakers: readonly VenueOrder[];
  /** The order meets one of its own account and gives way: it trades no further and does not rest. */
  readonly stops: boolean;
  /** It would trade with somebody, itself included. */
  readonly crosses: boolean;
}

type Incoming = Pick<PlaceCommand, "account" | "side" | "type" | "price" | "quantity">;

/** Better-priced resting orders first, by price and time; then all the rest at the market price, if it crosses. */
export function planTake(
  book: OrderBook<VenueOrder>,
  marketPrice: PriceTicks | undefined,
  incoming: Incoming,
  selfTrade: SelfTradeMode,
): Take {
  const isBuy = incoming.side === "buy";
  const crosses = (price: PriceTicks): boolean =>
    incoming.type === "market" || (isBuy ? price <= incoming.price : price >= incoming.price);
  const beatsMarket = (price: PriceTicks): boolean =>
    marketPrice === undefined || (isBuy ? price < marketPrice : price > marketPrice);
  const parts: TakePart[] = [];
  const ownMakers: VenueOrder[] = [];
  let left = incoming.quantity;
  for (const { owner: maker } of book.inPriority(!isBuy)) {
    if (left <= 0 || !crosses(maker.price) || !beatsMarket(maker.price)) break;
    if (maker.account === incoming.account && selfTrade !== "none") {
      if (selfTrade !== "expire_taker") ownMakers.push(maker);
      if (selfTrade !== "expire_maker") return { parts, ownMakers, stops: true, crosses: true };
      continue;
    }
    const quantity = quantityLots(Math.min(left, subtractLots(maker.quantity, maker.executed)));
    parts.push({ maker, price: maker.price, quantity });
    left = subtractLots(left, quantity);
  }
  if (left > 0 && marketPrice !== undefined && crosses(marketPrice)) {
    parts.push({ maker: undefined, price: marketPrice, quantity: left });
  }
  return { parts, ownMakers, stops: false, crosses: parts.length > 0 || ownMakers.length > 0 };
}

/** True where the take leaves nothing of the order. */
export function takesAll(take: Take, quantity: QuantityLots): boolean {
  return take.parts.reduce((sum, part) => sum + part.quantity, 0) === quantity;
}
