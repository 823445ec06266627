/** A back-test over candles in pieces is the back-test over all of them, and sees every gap. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BacktestRun, runBacktest } from "../../../src/backtest/run-backtest.ts";
import { SeenCandles, summarize } from "../../../src/backtest/seen-candles.ts";
import { resolveRules } from "../../../src/strategy/rules.ts";
import { DEFAULT_RULES } from "../../../src/strategy/settings.ts";
import type { Candles } from "../../../src/venue/market/candles.ts";
import { joinCandles, sliceCandles } from "../../../src/venue/market/candles.ts";
import { freshSeed, scaled } from "../../support/scale.ts";
import { makeBot, wanderingCandles } from "../backtest-report/report-kit.ts";

const COUNT = 3_000;
const MINUTE = 60_000;
const candles = wanderingCandles(COUNT, 11);
const start = candles.timestamp[0] as number;
const bot = makeBot({ startPrice: candles.open[0] as number });
const rules = resolveRules(bot, DEFAULT_RULES);

/** Cut before each of these indexes. */
function cutAt(cuts: readonly number[]): readonly Candles[] {
  const edges = [0, ...[...new Set(cuts)].sort((a, b) => a - b), COUNT];
  return edges.slice(1).map((end, index) => {
    const from = start + (edges[index] as number) * MINUTE;
    return sliceCandles(candles, from, start + end * MINUTE);
  });
}

const cuts = fc.array(fc.integer({ min: 1, max: COUNT - 1 }), { maxLength: 6 });
const settings = { seed: freshSeed() | 0, numRuns: scaled(200) };

describe("a back-test in pieces", () => {
  it("ends in the same state, with the same drawdown, as in one piece", () => {
    const whole = runBacktest({ bot, rules, candles, fill: "touch" });
    expect(whole.state.totals.trades).toBeGreaterThan(10);
    fc.assert(
      fc.property(cuts, (at) => {
        const run = new BacktestRun({ bot, rules, fill: "touch" });
        for (const piece of cutAt(at)) run.feed(piece);
        expect(run.finish()).toEqual(whole);
      }),
      settings,
    );
  });

  it("is of the same candles, put together again", () => {
    fc.assert(
      fc.property(cuts, (at) => {
        expect(joinCandles(cutAt(at))).toEqual(candles);
      }),
      settings,
    );
  });
});

describe("the candles that a back-test has seen", () => {
  it("have exactly the gaps that were made, also between pieces and at both ends", () => {
    const span = { from: start - 2 * MINUTE, to: start + 50 * MINUTE };
    const property = fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 46 }), { maxLength: 40 }),
      (holes) => {
        const seen = new SeenCandles(span);
        for (let minute = 0; minute < 47; minute++) {
          if (!holes.includes(minute)) seen.note(one(minute));
        }
        const { gaps, candles: count } = seen.summary();
        expect(count).toBe(47 - holes.length);
        const missing = gaps.flatMap(({ from, to }) => {
          const length = (to - from) / MINUTE;
          return Array.from({ length }, (_, index) => (from - start) / MINUTE + index);
        });
        expect(missing).toEqual([-2, -1, ...holes.sort((a, b) => a - b), 47, 48, 49]);
        for (const gap of gaps) expect(gap.candles).toBe((gap.to - gap.from) / MINUTE);
      },
    );
    fc.assert(property, settings);
  });

  it("have none where none are missing", () => {
    expect(summarize(candles)).toEqual({
      from: start,
      to: start + COUNT * MINUTE,
      candles: COUNT,
      gaps: [],
    });
  });
});

function one(minute: number): Candles {
  return sliceCandles(candles, start + minute * MINUTE, start + (minute + 1) * MINUTE);
}
