/** The price path that a candle is taken to have had: four points, a quarter of its interval apart. */
import type { PriceTicks } from "../../domain/amounts.ts";
import type { Instant } from "../../domain/ids.ts";
import type { Candles } from "./candles.ts";

export const POINTS_PER_CANDLE = 4;

/**
 * The price at point `point` (0 to 3) of candle `index`, in ticks.
 * A rising candle goes open → low → high → close, a falling one open → high → low → close: the longer way, which
 * reaches both extremes and invents none.
 */
export function pathPrice(candles: Candles, index: number, point: number): PriceTicks {
  const rises = at(candles.close, index) >= at(candles.open, index);
  if (point === 0) return at(candles.open, index) as PriceTicks;
  if (point === 3) return at(candles.close, index) as PriceTicks;
  return at((point === 1) === rises ? candles.low : candles.high, index) as PriceTicks;
}

/** When point `point` of candle `index` is reached: at 0, ¼, ½ and ¾ of the interval, in whole ms. */
export function pathInstant(candles: Candles, index: number, point: number): Instant {
  const offset = Math.floor((candles.intervalMs * point) / POINTS_PER_CANDLE);
  return (at(candles.timestamp, index) + offset) as Instant;
}

function at(column: Float64Array, index: number): number {
  return column[index] ?? Number.NaN;
}
