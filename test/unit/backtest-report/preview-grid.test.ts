/** The preview of a grid is what the grid then does. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { previewGrid } from "../../../src/backtest/preview-grid.ts";
import { feeOn, formatMoney, money } from "../../../src/domain/amounts.ts";
import { parseDecimal } from "../../../src/domain/decimal.ts";
import { notional, parsePrice, parseQuantity } from "../../../src/domain/instrument.ts";
import type { Candles } from "../../../src/venue/market/candles.ts";
import { finish, makeBot } from "./report-kit.ts";

const START = 2_655_000;

describe("the preview of a grid", () => {
  it.each(["buy", "none"] as const)(
    "rests, buys and needs what the grid does at its start (initial: %s)",
    (initial) => {
      const { bot, report } = finish(flatCandles([START]), { settings: { initial } });
      const preview = previewGrid(bot);

      expect(preview).toMatchObject({
        startPrice: report.startPrice,
        quoteNeeded: report.initialEquity,
        baseBought: report.position,
        restingBuys: report.openBuys,
        restingSells: report.openSells,
        waiting: initial === "buy" ? 0 : 14,
      });
      expect(preview.levels).toHaveLength(30);
      const spent = initial === "buy" ? parseDecimal(report.fees) * 1001n : 0n;
      expect(parseDecimal(preview.initialPurchase)).toBe(spent);
    },
  );

  it("tells the profit that a cycle of each cell then makes", () => {
    // Once down through every buy and up through every sell.
    const { bot, fills } = finish(flatCandles([START, 2_450_000, 2_850_000]), {
      settings: { initial: "none" },
    });
    const { levels } = previewGrid(bot);

    const sells = fills.filter(({ execution }) => execution.side === "sell");
    expect(sells).toHaveLength(16);
    let before = 0n;
    for (const { order, totals } of sells) {
      expect(levels[order.slot]?.profit).toBe(formatMoney(money(totals.gridProfit - before)));
      before = totals.gridProfit;
    }
  });

  it("names the cells with the lowest and highest share of profit, and gives the share in full places", () => {
    const { worst, best, levels } = previewGrid(makeBot({ startPrice: START }));
    const rates = levels.map(({ profit, cost }) => Number(profit) / Number(cost));

    expect(rates.indexOf(Math.min(...rates))).toBe(worst.slot);
    expect(rates.indexOf(Math.max(...rates))).toBe(best.slot);
    for (const [i, { profitRate }] of levels.entries()) {
      expect(Number(profitRate)).toBeLessThanOrEqual(rates[i] ?? 0);
      expect(Number(profitRate)).toBeGreaterThan((rates[i] ?? 0) - 1.1e-8);
    }
  });

  it("breaks even at the lowest price at which a cycle loses nothing", () => {
    const grids = fc.record({
      grids: fc.integer({ min: 1, max: 25 }),
      fee: fc.integer({ min: 0, max: 17 }).map((fee) => `0.${String(fee).padStart(4, "0")}`),
      value: fc.integer({ min: 3, max: 5_000 }).map(String),
    });
    fc.assert(
      fc.property(grids, ({ grids, fee, value }) => {
        const bot = makeBot({
          settings: { grids, amount: { kind: "order_quantity", value } },
          fee,
          startPrice: START,
        });
        for (const { quantity, cost, breakEven } of previewGrid(bot).levels) {
          const earns = (ticks: number): boolean => {
            const gross = notional(bot.instrument, ticks as never, parseQuantity(bot.instrument, quantity));
            return gross - feeOn(gross, bot.instrument.makerFee) >= parseDecimal(cost);
          };
          const price = parsePrice(bot.instrument, breakEven);
          expect([earns(price), earns(price - 1)]).toEqual([true, false]);
        }
      }),
      { numRuns: 50 },
    );
  });
});

/** One candle for each price, without any width. */
function flatCandles(prices: readonly number[]): Candles {
  const column = Float64Array.from(prices);
  const timestamp = Float64Array.from(prices, (_, i) => 1_700_000_000_000 + i * 60_000);
  return {
    length: prices.length,
    intervalMs: 60_000,
    timestamp,
    open: column,
    high: column,
    low: column,
    close: column,
  };
}
