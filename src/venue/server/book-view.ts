/** The order book as the venue shows it: what rests and, in a market of unlimited depth, what that would trade. */
import type { PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { addLots, priceTicks } from "../../domain/amounts.ts";
import type { VenueWorld } from "./venue-world.ts";

/** All that rests at one price. */
export interface PriceLevel {
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
}

export interface BookView {
  readonly bids: readonly PriceLevel[];
  readonly asks: readonly PriceLevel[];
}

/** What a market of unlimited depth shows of itself on each side. */
const SHOWN_LOTS = 1_000_000 as QuantityLots;

/** The best `limit` levels of each side, best first. */
export function bookView(world: VenueWorld, symbol: string, limit: number): BookView {
  const bids = levelsOf(world, symbol, true, limit);
  const asks = levelsOf(world, symbol, false, limit);
  const price = world.isUnlimited ? world.reads.price(symbol)?.price : undefined;
  if (price === undefined) return { bids, asks };
  // It trades at one price with both sides; a book shows a tick between them.
  const isAskAtPrice = asks[0] !== undefined && asks[0].price <= price;
  const bid = isAskAtPrice ? price - 1 : price;
  const ask = isAskAtPrice ? price : price + 1;
  return {
    bids: bid > 0 ? withLevel(bids, priceTicks(bid), true, limit) : bids,
    asks: withLevel(asks, priceTicks(ask), false, limit),
  };
}

/** The book knows plain numbers: they are ticks and lots of the symbol. */
function levelsOf(
  { reads }: VenueWorld,
  symbol: string,
  isBuy: boolean,
  limit: number,
): readonly PriceLevel[] {
  return reads.depth(symbol, isBuy, limit) as readonly PriceLevel[];
}

function withLevel(
  levels: readonly PriceLevel[],
  price: PriceTicks,
  isBuy: boolean,
  limit: number,
): readonly PriceLevel[] {
  const at = levels.findIndex((level) => (isBuy ? level.price <= price : level.price >= price));
  const [before, after] = at < 0 ? [levels, []] : [levels.slice(0, at), levels.slice(at)];
  const [same, ...others] = after;
  const merged =
    same?.price === price
      ? [{ price, quantity: addLots(same.quantity, SHOWN_LOTS) }, ...others]
      : [{ price, quantity: SHOWN_LOTS }, ...after];
  return [...before, ...merged].slice(0, limit);
}
