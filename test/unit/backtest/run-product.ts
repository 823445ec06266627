/** Runs the product's back-test with the naive one's words, and brings its report into the same form. */
import type { BacktestReport } from "../../../src/backtest/report.ts";
import { reportBacktest } from "../../../src/backtest/report.ts";
import { runBacktest } from "../../../src/backtest/run-backtest.ts";
import { summarize } from "../../../src/backtest/seen-candles.ts";
import type { PriceTicks } from "../../../src/domain/amounts.ts";
import { hasCode } from "../../../src/domain/errors.ts";
import type { Bot } from "../../../src/domain/grid.ts";
import { INITIAL_PURCHASE_SLOT, botCode, instant } from "../../../src/domain/ids.ts";
import { createInstrument } from "../../../src/domain/instrument.ts";
import { createBot } from "../../../src/strategy/create-bot.ts";
import { resolveRules } from "../../../src/strategy/rules.ts";
import { DEFAULT_RULES } from "../../../src/strategy/settings.ts";
import type { Candles } from "../../../src/venue/market/candles.ts";
import type { NaiveCandle, NaiveFill, NaiveGrid, NaiveResult } from "./naive-backtest.ts";

export type ProductResult = NaiveResult & { readonly identityError: string };

/** Undefined where the grid is refused as a config problem. */
export function runProduct(grid: NaiveGrid, candles: Candles): ProductResult | undefined {
  const bot = botOf(grid, candles);
  if (!bot) return undefined;
  const fills: NaiveFill[] = [];
  const outcome = runBacktest({
    bot,
    rules: resolveRules(bot, DEFAULT_RULES),
    candles,
    fill: grid.fill,
    onFill: ({ slot, side }, { price, quantity }) =>
      fills.push({ side, slot: slot === INITIAL_PURCHASE_SLOT ? "initial" : slot, price, quantity }),
  });
  const report = reportBacktest(outcome, summarize(candles), grid.fill, { seconds: 1, loadSeconds: 0 });
  if (report.fills !== fills.length) throw new Error(`${report.fills} fills reported of ${fills.length}`);
  return { ...pick(report), fills };
}

export function columnsOf(candles: readonly NaiveCandle[]): Candles {
  const column = (of: (candle: NaiveCandle, index: number) => number): Float64Array =>
    Float64Array.from(candles, of);
  return {
    length: candles.length,
    intervalMs: 60_000,
    timestamp: column((_, i) => 1_700_000_000_000 + i * 60_000),
    open: column(({ open }) => open),
    high: column(({ high }) => high),
    low: column(({ low }) => low),
    close: column(({ close }) => close),
  };
}

function botOf(grid: NaiveGrid, candles: Candles): Bot | undefined {
  const { tick, lot, minNotional, maker, taker, lower, upper, grids, spacing, amount, initial } = grid;
  const instrument = createInstrument({
    exchange: "sim",
    symbol: "BTC/USDT",
    tickSize: tick,
    lotSize: lot,
    minNotional,
    makerFee: maker,
    takerFee: taker,
  });
  try {
    return createBot({
      code: botCode("0123456789"),
      market: { exchange: "sim", account: "test", symbol: "BTC/USDT" },
      instrument,
      settings: { lattice: "range", lower, upper, grids, spacing, amount, initial },
      rules: DEFAULT_RULES,
      price: candles.open[0] as PriceTicks,
      createdAt: instant(0),
    });
  } catch (error) {
    if (hasCode(error, "CONFIG_INVALID")) return undefined;
    throw error;
  }
}

function pick(report: BacktestReport): Omit<ProductResult, "fills"> {
  const { trades, inventorySells, gridProfit, inventoryPnl, unrealizedPnl, fees, initialEquity } = report;
  const { totalPnl, equity, maxDrawdown, position, openBuys, openSells, identityError } = report;
  return {
    trades,
    inventorySells,
    gridProfit,
    inventoryPnl,
    unrealizedPnl,
    fees,
    initialEquity,
    totalPnl,
    equity,
    maxDrawdown,
    position,
    openBuys,
    openSells,
    identityError,
  };
}
