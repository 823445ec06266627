/** The order book as the venue shows it: what rests and, in a market of unlimited depth, what that would trade. */
import type { PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { ZERO_LOTS, addLots } from "../../domain/amounts.ts";
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
  const market = marketQuotes(world, symbol);
  if (!market) return { bids, asks };
  return {
    bids: market.bid > 0 ? withLevel(bids, market.bid, true, limit) : bids,
    asks: withLevel(asks, market.ask, false, limit),
  };
}

/** What one level of the view says. */
export function quantityShown(
  world: VenueWorld,
  symbol: string,
  isBuy: boolean,
  price: PriceTicks,
): QuantityLots {
  const market = marketQuotes(world, symbol);
  const own = price === (isBuy ? market?.bid : market?.ask) && price > 0 ? SHOWN_LOTS : ZERO_LOTS;
  return addLots(world.reads.quantityAt(symbol, isBuy, price), own);
}

/** Where a market of unlimited depth shows itself; a bid of 0 is not shown. Undefined for any other market. */
export function marketQuotes(
  world: VenueWorld,
  symbol: string,
): { readonly bid: PriceTicks; readonly ask: PriceTicks } | undefined {
  const price = world.isUnlimited ? world.reads.price(symbol)?.price : undefined;
  if (price === undefined) return undefined;
  // It trades at one price with both sides; a book shows a tick between them.
  const bestAsk = world.reads.bestPrice(symbol, false);
  const bid = (bestAsk !== undefined && bestAsk <= price ? price - 1 : price) as PriceTicks;
  return { bid, ask: (bid + 1) as PriceTicks };
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
