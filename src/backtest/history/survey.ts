/** What the store has of a series: how many candles, and every gap with the reason for it. */
import type { TimeSpan } from "../../domain/time-span.ts";
import { GapFinder, candlesIn, withinSpans, withoutSpans } from "../../domain/time-span.ts";
import type { CandleFolder } from "./candle-store.ts";
import { monthOf } from "./month-file.ts";

/** `absent`: the exchange was asked and has no candles there; `missing`: it was not asked, or not late enough. */
export interface Gap extends TimeSpan {
  readonly kind: "absent" | "missing";
  readonly candles: number;
}

export interface Survey extends TimeSpan {
  readonly candles: number;
  /** Ascending. */
  readonly gaps: readonly Gap[];
}

/** From the first candle to the end of the last one; undefined where there is none. */
export async function extentOf(folder: CandleFolder): Promise<TimeSpan | undefined> {
  const months = await folder.months();
  const [first, last] = [months[0], months.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const from = (await folder.read(first))[0]?.at;
  const to = (await folder.read(last)).at(-1)?.at;
  return from === undefined || to === undefined ? undefined : { from, to: to + folder.series.timeframe.ms };
}

/** Reads month after month, so that memory does not grow with the span. */
export async function surveyOf(folder: CandleFolder, span: TimeSpan): Promise<Survey> {
  const stepMs = folder.series.timeframe.ms;
  const absent = await folder.absent();
  const finder = new GapFinder(span.from, stepMs);
  const [first, last] = [monthOf(span.from), monthOf(span.to - 1)];
  let candles = 0;
  for (const month of await folder.months()) {
    if (month < first || month > last) continue;
    for (const { at } of await folder.read(month)) {
      if (at < span.from || at >= span.to) continue;
      finder.see(at);
      candles += 1;
    }
  }
  const gapOf =
    (kind: Gap["kind"]) =>
    (part: TimeSpan): Gap => ({
      ...part,
      kind,
      candles: candlesIn([part], stepMs),
    });
  const gaps = finder
    .end(span.to)
    .flatMap((hole) => [
      ...withinSpans(hole, absent).map(gapOf("absent")),
      ...withoutSpans(hole, absent).map(gapOf("missing")),
    ])
    .sort((a, b) => a.from - b.from);
  return { ...span, candles, gaps };
}

/** How many gaps of one kind there are, and how many candles they are. */
export function countGaps(
  { gaps }: Survey,
  kind: Gap["kind"],
): { readonly gaps: number; readonly candles: number } {
  const found = gaps.filter((gap) => gap.kind === kind);
  return { gaps: found.length, candles: found.reduce((count, { candles }) => count + candles, 0) };
}
