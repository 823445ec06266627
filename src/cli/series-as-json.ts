/** Stored candles and their gaps as JSON. */
import type { CandleFolder } from "../backtest/history/candle-store.ts";
import type { Survey } from "../backtest/history/survey.ts";
import { countGaps } from "../backtest/history/survey.ts";
import { isoTime } from "../backtest/history/time-range.ts";

/** A series, how many of its candles are stored, nowhere and missing, and each gap; `more` stands before the gaps. */
export function seriesAsJson({ series }: CandleFolder, survey: Survey, more: object = {}): object {
  return {
    exchange: series.exchange,
    symbol: series.symbol,
    timeframe: series.timeframe.name,
    from: isoTime(survey.from),
    to: isoTime(survey.to),
    candles: survey.candles,
    ...more,
    absent: countGaps(survey, "absent").candles,
    missing: countGaps(survey, "missing").candles,
    gaps: survey.gaps.map(({ kind, from, to, candles }) => ({
      kind,
      from: isoTime(from),
      to: isoTime(to),
      candles,
    })),
  };
}
