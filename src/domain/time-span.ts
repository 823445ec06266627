/** Spans of time as sets: what is missing of a range, and what of that is known to be nowhere. */

/** From `from` up to, not including, `to`; ms since 1970 UTC. */
export interface TimeSpan {
  readonly from: number;
  readonly to: number;
}

/** Collects the holes in a series of candles that each last `stepMs`, while they come by in ascending order. */
export class GapFinder {
  readonly #stepMs: number;
  readonly #gaps: TimeSpan[] = [];
  #next: number;

  /** `from`: where the series ought to begin, on a multiple of `stepMs`. */
  constructor(from: number, stepMs: number) {
    this.#next = from;
    this.#stepMs = stepMs;
  }

  /** There is a candle that begins at `at`; one from before the beginning counts for nothing. */
  see(at: number): void {
    if (at < this.#next) return;
    if (at > this.#next) this.#gaps.push({ from: this.#next, to: at });
    this.#next = at + this.#stepMs;
  }

  /** The series ought to end at `to`. */
  end(to: number): readonly TimeSpan[] {
    if (to > this.#next) this.#gaps.push({ from: this.#next, to });
    this.#next = Math.max(this.#next, to);
    return this.#gaps;
  }
}

/** The same set of moments, ascending, with what overlaps or touches joined. */
export function joinSpans(spans: readonly TimeSpan[]): readonly TimeSpan[] {
  const joined: TimeSpan[] = [];
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last && span.from <= last.to) {
      joined[joined.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
    } else if (span.to > span.from) joined.push(span);
  }
  return joined;
}

/** The parts of `span` that are in none of `others`, ascending. */
export function withoutSpans(span: TimeSpan, others: readonly TimeSpan[]): readonly TimeSpan[] {
  const rest: TimeSpan[] = [];
  let { from } = span;
  for (const other of joinSpans(others)) {
    if (other.to <= from || other.from >= span.to) continue;
    if (other.from > from) rest.push({ from, to: other.from });
    from = other.to;
  }
  if (from < span.to) rest.push({ from, to: span.to });
  return rest;
}

/** The parts of `span` that are in one of `others`, ascending. */
export function withinSpans(span: TimeSpan, others: readonly TimeSpan[]): readonly TimeSpan[] {
  return joinSpans(others)
    .map(({ from, to }) => ({ from: Math.max(from, span.from), to: Math.min(to, span.to) }))
    .filter(({ from, to }) => from < to);
}

/** How many candles of `stepMs` have room in them. */
export function candlesIn(spans: readonly TimeSpan[], stepMs: number): number {
  return spans.reduce((count, { from, to }) => count + Math.round((to - from) / stepMs), 0);
}
