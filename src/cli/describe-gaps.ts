/** The gaps of stored candles as JSON. */
import type { Survey } from "../history/survey.ts";
import { countGaps } from "../history/survey.ts";
import { isoTime } from "../history/time-range.ts";

/** How many candles are known to be nowhere, how many are missing, and each gap. */
export function gapsAsJson(survey: Survey): object {
  return {
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
