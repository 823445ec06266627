/** What candles a back-test has seen, and what was missing among them: a price that jumps over a gap is no price. */
import type { TimeSpan } from "../domain/time-span.ts";
import { GapFinder, candlesIn } from "../domain/time-span.ts";
import type { Candles } from "../venue/market/candles.ts";

export interface SeenSummary extends TimeSpan {
  readonly candles: number;
  /** Ascending. */
  readonly gaps: readonly (TimeSpan & { readonly candles: number })[];
}

export class SeenCandles {
  readonly #asked: TimeSpan | undefined;
  #finder: GapFinder | undefined;
  #stepMs = 0;
  #candles = 0;
  #from = 0;
  #to = 0;

  /** `asked`: what ought to be there; from the first to the last candle unless given. */
  constructor(asked?: TimeSpan) {
    this.#asked = asked;
  }

  /** The next candles, at least one. */
  note({ timestamp, length, intervalMs }: Candles): void {
    if (!this.#finder) {
      this.#stepMs = intervalMs;
      this.#from = timestamp[0] as number;
      this.#finder = new GapFinder(this.#asked?.from ?? this.#from, intervalMs);
    }
    for (let i = 0; i < length; i++) this.#finder.see(timestamp[i] as number);
    this.#candles += length;
    this.#to = (timestamp[length - 1] as number) + intervalMs;
  }

  summary(): SeenSummary {
    const holes = this.#finder?.end(this.#asked?.to ?? this.#to) ?? [];
    const gaps = holes.map((hole) => ({ ...hole, candles: candlesIn([hole], this.#stepMs) }));
    const isWhole = ({ candles }: { readonly candles: number }): boolean => candles > 0;
    return { candles: this.#candles, from: this.#from, to: this.#to, gaps: gaps.filter(isWhole) };
  }
}

/** The summary of a series that is there as a whole. */
export function summarize(candles: Candles): SeenSummary {
  const seen = new SeenCandles();
  seen.note(candles);
  return seen.summary();
}
