/** What the charts draw agrees with the exact report, thinned out or not. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chartData } from "../../../src/backtest/chart-data.ts";
import type { FinishedBacktest } from "../../../src/backtest/export-backtest.ts";
import { markFills } from "../../../src/backtest/fill-markers.ts";
import { keepExtremes } from "../../../src/backtest/keep-extremes.ts";
import { parseMoney } from "../../../src/domain/amounts.ts";
import { finish, wanderingCandles } from "./report-kit.ts";

describe("the charts' data", () => {
  it.each([200, 20_000])("of %i candles have the extremes and ends of the exact figures", (count) => {
    const finished = finish(wanderingCandles(count, 11));
    const { report, candles } = finished;
    const { price, equity } = dataOf(finished);

    expect(Math.min(...price.price)).toBe(Math.min(...candles.low) / 100);
    expect(Math.max(...price.price)).toBe(Math.max(...candles.high) / 100);
    expect([price.price[0], price.price.at(-1)]).toEqual([
      Number(report.startPrice),
      Number(report.lastPrice),
    ]);
    expect(-Math.min(...equity.drawdown)).toBeCloseTo(Number(report.maxDrawdown), 5);
    expect(equity.grid[0]).toBeCloseTo(Number(report.initialEquity), 5);
    expect(equity.grid.at(-1)).toBeCloseTo(Number(report.equity), 5);
    expect(equity.hold.at(-1)).toBeCloseTo(
      (Number(report.initialEquity) * Number(report.lastPrice)) / Number(report.startPrice),
      5,
    );
    for (const { length } of [price.time, equity.time]) expect(length).toBeLessThanOrEqual(4_000);
    for (const { time } of [price, equity]) expect(time).toEqual([...time].sort((a, b) => a - b));
  });

  it("count every trade on its UTC day, days without one included", () => {
    const finished = finish(wanderingCandles(6_000, 3));
    const { days } = dataOf(finished);

    expect(finished.report.trades).toBeGreaterThan(100);
    expect(days.trades.reduce((sum, trades) => sum + trades, 0)).toBe(finished.report.trades);
    expect(days.time.map((at) => at % 86_400)).toEqual(days.time.map(() => 0));
    expect(days.time).toHaveLength(6);
    const firstDay = finished.fills.filter(({ execution }) => execution.at < (days.time[1] ?? 0) * 1000);
    expect(days.trades[0]).toBe(firstDay.at(-1)?.totals.trades);
  });

  it("have all levels of the grid, each once", () => {
    const { levels } = dataOf(finish(wanderingCandles(10, 1)));
    expect(levels).toEqual(Array.from({ length: 31 }, (_, i) => 25_000 + 100 * i));
  });
});

describe("keepExtremes", () => {
  it("keeps the ends and, in each stretch, the lowest and highest of each column, and no more than it says", () => {
    const column = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(column, fc.integer({ min: 1, max: 40 }), (values, buckets) => {
        const mirrored = values.map((value) => value * value);
        const kept = keepExtremes(values.length, [(i) => values[i] ?? 0, (i) => mirrored[i] ?? 0], buckets);

        expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
        expect(kept.length).toBeLessThanOrEqual(4 * buckets + 2);
        expect([kept[0], kept.at(-1)]).toEqual([0, values.length - 1]);
        for (let bucket = 0; bucket < buckets; bucket++) {
          const from = Math.floor((bucket * values.length) / buckets);
          const to = Math.floor(((bucket + 1) * values.length) / buckets);
          const here = kept.filter((index) => index >= from && index < to);
          for (const list of [values, mirrored]) {
            const all = list.slice(from, to);
            const some = here.map((index) => list[index] ?? Number.NaN);
            expect(Math.min(...some)).toBe(Math.min(...all));
            expect(Math.max(...some)).toBe(Math.max(...all));
          }
        }
      }),
    );
  });
});

describe("markFills", () => {
  const { fills } = finish(wanderingCandles(5_000, 5));

  it("marks every fill where that is few enough", () => {
    const markers = markFills(fills, fills.length);
    expect(markers).toEqual(fills.map(({ execution: { side, price, at } }) => ({ side, price, at })));
  });

  it("never marks more than the limit, and loses no price and no side of it", () => {
    const key = ({ side, price }: { side: string; price: number }): string => `${side} ${price}`;
    const all = new Set(fills.map(({ execution }) => key(execution)));
    for (const limit of [fills.length - 1, 500, 2 * all.size]) {
      const markers = markFills(fills, limit);
      expect(markers.length).toBeLessThanOrEqual(limit);
      expect(markers.length).toBeGreaterThan(limit / 20);
      expect(new Set(markers.map(key))).toEqual(all);
    }
  });
});

function dataOf({ bot, candles, fills, report }: FinishedBacktest): ReturnType<typeof chartData> {
  return chartData(bot, candles, fills, parseMoney(report.initialEquity));
}
