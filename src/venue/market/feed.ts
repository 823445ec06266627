/** The points of all symbols in one order that never changes: a position in it is a place in the market's history. */
import type { PriceTicks } from "../../domain/amounts.ts";
import type { Instant } from "../../domain/ids.ts";
import { POINTS_PER_CANDLE, pathInstant, pathPrice } from "./candle-path.ts";
import type { Candles } from "./candles.ts";
import type { Walk } from "./walk.ts";

export interface Point {
  readonly symbol: string;
  readonly price: PriceTicks;
  /** Candles: their own time. Walks, which have none: milliseconds of being driven. */
  readonly at: Instant;
}

/** One symbol's points in ascending time, one after the other. */
export interface PointSource {
  readonly symbol: string;
  /** When the next point is due; undefined after the last one. */
  nextAt(): Instant | undefined;
  /** The next point's price; called only where there is one. */
  next(): PriceTicks;
}

export interface Feed {
  /** The number of points consumed. */
  readonly position: number;
  nextAt(): Instant | undefined;
  /** Consumes a point; undefined after the last one. */
  next(): Point | undefined;
}

/** Merges `sources` by time; of points due together that of the source listed first comes first. */
export function createFeed(sources: readonly PointSource[]): Feed {
  let position = 0;
  return {
    get position(): number {
      return position;
    },
    nextAt: () => earliest(sources)?.nextAt(),
    next(): Point | undefined {
      const source = earliest(sources);
      const at = source?.nextAt();
      if (!source || at === undefined) return undefined;
      position += 1;
      return { symbol: source.symbol, price: source.next(), at };
    },
  };
}

export function candleSource(symbol: string, candles: Candles): PointSource {
  let index = 0;
  let point = 0;
  return {
    symbol,
    nextAt: () => (index < candles.length ? pathInstant(candles, index, point) : undefined),
    next(): PriceTicks {
      const price = pathPrice(candles, index, point);
      point += 1;
      if (point === POINTS_PER_CANDLE) {
        point = 0;
        index += 1;
      }
      return price;
    },
  };
}

/** An endless source with a point each `stepMs`. */
export function walkSource(symbol: string, walk: Walk, stepMs: number): PointSource {
  let steps = 1;
  return {
    symbol,
    nextAt: () => (steps * stepMs) as Instant,
    next(): PriceTicks {
      steps += 1;
      return walk.next();
    },
  };
}

function earliest(sources: readonly PointSource[]): PointSource | undefined {
  let best: PointSource | undefined;
  let bestAt = Number.POSITIVE_INFINITY;
  for (const source of sources) {
    const at = source.nextAt();
    if (at !== undefined && at < bestAt) {
      best = source;
      bestAt = at;
    }
  }
  return best;
}
