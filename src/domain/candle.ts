/** A candle as an exchange tells it: nothing is rounded, because the rules of a market change over the years. */
import type { Instant } from "./ids.ts";

/** Prices in quote and the volume in base, each as the shortest exact decimal text. */
export interface TextCandle {
  readonly openTime: Instant;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
}
