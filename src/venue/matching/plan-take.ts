/** What an incoming order would take at once: from the book, and from a market of unlimited depth. */
import type { PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { ZERO_LOTS } from "../../domain/amounts.ts";
import type { BookSide } from "./book.ts";
import { NO_SLOT } from "./book.ts";
import type { PlaceCommand, SelfTradeMode } from "./commands.ts";

/** What the plan must know of a resting order: whose it is, by identity. */
export interface Maker {
  readonly trader: object;
}

/** One trade to come; without a maker it is with the market itself. */
export interface TakePart<Order extends Maker> {
  readonly maker: Order | undefined;
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
}

export interface Take<Order extends Maker> {
  readonly parts: readonly TakePart<Order>[];
  /** How much all parts are together. */
  readonly quantity: QuantityLots;
  /** Resting orders of the taker's own account that give way to it. */
  readonly ownMakers: readonly Order[];
  /** The order meets one of its own account and gives way: it trades no further and does not rest. */
  readonly stops: boolean;
  /** It would trade with somebody, itself included. */
  readonly crosses: boolean;
}

type Incoming = Pick<PlaceCommand, "side" | "type" | "price" | "quantity">;

/**
 * Better-priced resting orders first, by price and time; then all the rest at the market price, if it crosses.
 * `makers` is the other side of the book, `trader` whose order it is.
 */
export function planTake<Order extends Maker>(
  makers: BookSide<Order>,
  marketPrice: PriceTicks | undefined,
  trader: object,
  incoming: Incoming,
  selfTrade: SelfTradeMode,
): Take<Order> {
  const isBuy = incoming.side === "buy";
  const limit = incoming.type === "market" ? (isBuy ? Infinity : -Infinity) : incoming.price;
  const crosses = (price: number): boolean => (isBuy ? price <= limit : price >= limit);
  const beatsMarket = (price: number): boolean =>
    marketPrice === undefined || (isBuy ? price < marketPrice : price > marketPrice);
  const best = makers.first();
  const meetsBook = best !== NO_SLOT && crosses(makers.price(best)) && beatsMarket(makers.price(best));
  const meetsMarket = marketPrice !== undefined && crosses(marketPrice);
  if (!meetsBook && !meetsMarket) return NOTHING;
  const parts: TakePart<Order>[] = [];
  const ownMakers: Order[] = [];
  let left = incoming.quantity;
  for (let slot = best; slot !== NO_SLOT && left > 0; slot = makers.after(slot)) {
    const price = makers.price(slot) as PriceTicks;
    if (!crosses(price) || !beatsMarket(price)) break;
    const maker = makers.owner(slot);
    if (maker.trader === trader && selfTrade !== "none") {
      if (selfTrade !== "expire_taker") ownMakers.push(maker);
      if (selfTrade === "expire_maker") continue;
      return {
        parts,
        quantity: (incoming.quantity - left) as QuantityLots,
        ownMakers,
        stops: true,
        crosses: true,
      };
    }
    const quantity = Math.min(left, makers.remaining(slot)) as QuantityLots;
    parts.push({ maker, price, quantity });
    left = (left - quantity) as QuantityLots;
  }
  if (left > 0 && meetsMarket) {
    parts.push({ maker: undefined, price: marketPrice, quantity: left });
    left = ZERO_LOTS;
  }
  return {
    parts,
    quantity: (incoming.quantity - left) as QuantityLots,
    ownMakers,
    stops: false,
    crosses: true,
  };
}

const NOTHING: Take<never> = {
  parts: [],
  quantity: ZERO_LOTS,
  ownMakers: [],
  stops: false,
  crosses: false,
};
