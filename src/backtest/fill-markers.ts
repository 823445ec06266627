/** The fills of a back-test as marks on a chart: neighbours on one price become one mark where there are too many. */
import type { PriceTicks } from "../domain/amounts.ts";
import type { Instant, Side } from "../domain/ids.ts";
import type { RecordedFill } from "./recorded-fill.ts";

/** One or more fills of one side at one price. */
export interface FillMarker {
  readonly side: Side;
  readonly price: PriceTicks;
  /** Of the first of them. */
  readonly at: Instant;
}

/** At most `limit` marks, in the order of time; `limit` is at least twice the number of prices. */
export function markFills(fills: readonly RecordedFill[], limit: number): readonly FillMarker[] {
  const first = fills[0]?.execution.at ?? 0;
  const last = fills.at(-1)?.execution.at ?? 0;
  if (fills.length <= limit) return fills.map(markerOf);
  for (let stretches = limit; ; stretches = Math.floor(stretches / 2)) {
    const markers = new Map<string, FillMarker>();
    for (const fill of fills) {
      const { at, side, price } = fill.execution;
      const stretch = Math.floor(((at - first) / (last - first + 1)) * stretches);
      const key = `${stretch} ${side} ${price}`;
      if (!markers.has(key)) markers.set(key, markerOf(fill));
    }
    if (markers.size <= limit || stretches <= 1) return [...markers.values()];
  }
}

function markerOf({ execution }: RecordedFill): FillMarker {
  return { side: execution.side, price: execution.price, at: execution.at };
}
