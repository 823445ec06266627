/** Sets of time spans against sets of single minutes, in which nothing can be got wrong. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TimeSpan } from "../../../src/domain/time-span.ts";
import { GapFinder, candlesIn, joinSpans, withinSpans, withoutSpans } from "../../../src/domain/time-span.ts";
import { freshSeed, scaled } from "../../support/scale.ts";

const STEP = 60_000;
const MINUTES = 40;
const settings = { seed: freshSeed() | 0, numRuns: scaled(5_000) };

const span = fc
  .tuple(fc.integer({ min: 0, max: MINUTES }), fc.integer({ min: 0, max: MINUTES }))
  .map(([a, b]) => ({ from: Math.min(a, b) * STEP, to: Math.max(a, b) * STEP }));
const spans = fc.array(span, { maxLength: 6 });

/** The minutes of a set. */
function minutesOf(list: readonly TimeSpan[]): ReadonlySet<number> {
  const minutes = new Set<number>();
  for (const { from, to } of list) for (let at = from; at < to; at += STEP) minutes.add(at);
  return minutes;
}

/** Ascending, apart from each other, none empty. */
function expectCanonical(list: readonly TimeSpan[]): void {
  for (const [index, { from, to }] of list.entries()) {
    expect(from).toBeLessThan(to);
    const next = list[index + 1];
    if (next) expect(to).toBeLessThan(next.from);
  }
}

describe("the gap finder", () => {
  it("finds exactly the holes that were made, wherever they are", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: MINUTES - 1 })), (holes) => {
        const removed = new Set(holes.map((minute) => minute * STEP));
        const finder = new GapFinder(0, STEP);
        for (let at = 0; at < MINUTES * STEP; at += STEP) if (!removed.has(at)) finder.see(at);

        const gaps = finder.end(MINUTES * STEP);

        expect(minutesOf(gaps)).toEqual(new Set([...removed].sort((a, b) => a - b)));
        expect(candlesIn(gaps, STEP)).toBe(removed.size);
        expectCanonical(gaps);
      }),
      settings,
    );
  });

  it("takes a candle from before the beginning, or one that comes twice, for nothing", () => {
    const finder = new GapFinder(2 * STEP, STEP);
    for (const minute of [0, 1, 2, 2, 4]) finder.see(minute * STEP);
    expect(finder.end(5 * STEP)).toEqual([{ from: 3 * STEP, to: 4 * STEP }]);
  });
});

describe("time spans", () => {
  it("joined are the same minutes, ascending and apart", () => {
    fc.assert(
      fc.property(spans, (list) => {
        const joined = joinSpans(list);
        expect(minutesOf(joined)).toEqual(new Set([...minutesOf(list)].sort((a, b) => a - b)));
        expectCanonical(joined);
      }),
      settings,
    );
  });

  it("fall apart into what is in others and what is not", () => {
    fc.assert(
      fc.property(span, spans, (whole, others) => {
        const [inside, outside] = [withinSpans(whole, others), withoutSpans(whole, others)];
        const covered = minutesOf(others);
        const minutes = [...minutesOf([whole])];
        expect([...minutesOf(inside)]).toEqual(minutes.filter((at) => covered.has(at)));
        expect([...minutesOf(outside)]).toEqual(minutes.filter((at) => !covered.has(at)));
        expectCanonical(inside);
        expectCanonical(outside);
      }),
      settings,
    );
  });
});
