/** The markets that can be simulated: candles replayed at full speed, or a seeded walk in real time. */
import type { PriceTicks } from "../../domain/amounts.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Instant } from "../../domain/ids.ts";
import { instant } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import { POINTS_PER_CANDLE, pathInstant, pathPrice } from "../../venue/market/candle-path.ts";
import type { Candles } from "../../venue/market/candles.ts";
import type { PointSource } from "../../venue/market/feed.ts";
import { candleSource, walkSource } from "../../venue/market/feed.ts";
import { createWalk } from "../../venue/market/walk.ts";
import type { FillRule } from "../../venue/matching/commands.ts";
import type { Filters } from "../../venue/matching/filters.ts";

export interface WalkMarket {
  readonly type: "walk";
  readonly seed: number;
  readonly startPrice: PriceTicks;
  /** The largest move of one step. */
  readonly stepTicks: number;
  /** The time between two steps, ms. */
  readonly stepMs: number;
  /** How many steps the way home takes, see `createWalk`; 400 unless given. */
  readonly reversion?: number;
}

export interface ReplayMarket {
  readonly type: "replay";
  readonly candles: Candles;
  readonly fill: FillRule;
  readonly speed?: "max";
}

export interface SimSymbol {
  readonly instrument: Instrument;
  readonly market: WalkMarket | ReplayMarket;
  /** What orders must keep besides the instrument's own minimums. */
  readonly filters?: Filters;
}

/** Everything about the symbols' markets that moving them takes. */
export interface PreparedMarket {
  /** Where a replay begins; undefined for walks, which have no time of their own. */
  readonly replayFrom: Instant | undefined;
  /** The number of points; undefined where they do not end. */
  readonly total: number | undefined;
  readonly sources: readonly PointSource[];
  /** By symbol: where it stands before its first point. */
  readonly startPrices: ReadonlyMap<string, PriceTicks>;
  readonly fillRules: ReadonlyMap<string, FillRule>;
}

export const DEFAULT_REVERSION = 400;

/** Throws CONFIG_INVALID where the symbols do not go together. */
export function prepareMarket(symbols: readonly SimSymbol[]): PreparedMarket {
  const names = symbols.map(({ instrument }) => instrument.symbol);
  if (names.length === 0) throw invalid("has no symbols");
  if (new Set(names).size < names.length) throw invalid(`lists a symbol twice: ${names.join(", ")}`);
  const replays = symbols.flatMap(({ market }) => (market.type === "replay" ? [market] : []));
  if (replays.length > 0 && replays.length < symbols.length) {
    throw invalid("mixes walks, which move in real time, with replays, which do not; use two markets");
  }
  const starts = replays.map(({ candles }) => pathInstant(candles, 0, 0));
  const candles = replays.reduce((sum, market) => sum + market.candles.length, 0);
  return {
    replayFrom: replays.length > 0 ? instant(Math.min(...starts)) : undefined,
    total: replays.length > 0 ? candles * POINTS_PER_CANDLE : undefined,
    sources: symbols.map(sourceOf),
    startPrices: new Map(symbols.map(({ instrument, market }) => [instrument.symbol, startPriceOf(market)])),
    fillRules: new Map(
      symbols.map(({ instrument, market }) => [
        instrument.symbol,
        market.type === "replay" ? market.fill : "touch",
      ]),
    ),
  };
}

function startPriceOf(market: SimSymbol["market"]): PriceTicks {
  return market.type === "replay" ? pathPrice(market.candles, 0, 0) : market.startPrice;
}

function sourceOf({ instrument: { symbol }, market }: SimSymbol): PointSource {
  if (market.type === "replay") return candleSource(symbol, market.candles);
  const { seed, startPrice, stepTicks, stepMs, reversion = DEFAULT_REVERSION } = market;
  for (const value of [startPrice, stepTicks, stepMs, reversion]) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw invalid(`walks with ${value}, not a whole number above 0`);
  }
  return walkSource(symbol, createWalk({ seed, startTicks: startPrice, stepTicks, reversion }), stepMs);
}

function invalid(reason: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", `the simulated market ${reason}`);
}
