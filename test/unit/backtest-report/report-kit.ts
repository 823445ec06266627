/** Finished back-tests to export: a seeded wandering price, or candles given in full. */
import { join } from "node:path";
import type { FinishedBacktest } from "../../../src/backtest/export-backtest.ts";
import type { RecordedFill } from "../../../src/backtest/recorded-fill.ts";
import { reportBacktest } from "../../../src/backtest/report.ts";
import type { FillModel } from "../../../src/backtest/run-backtest.ts";
import { runBacktest } from "../../../src/backtest/run-backtest.ts";
import { summarize } from "../../../src/backtest/seen-candles.ts";
import type { PriceTicks } from "../../../src/domain/amounts.ts";
import type { Bot } from "../../../src/domain/grid.ts";
import { botCode, instant } from "../../../src/domain/ids.ts";
import { createInstrument } from "../../../src/domain/instrument.ts";
import { createBot } from "../../../src/strategy/create-bot.ts";
import { resolveRules } from "../../../src/strategy/rules.ts";
import { DEFAULT_RULES } from "../../../src/strategy/settings.ts";
import type { RangeSettings } from "../../../src/strategy/settings.ts";
import type { Candles } from "../../../src/venue/market/candles.ts";
import { seededRandom } from "../../support/scale.ts";

/** Shared between checkouts; a checkout alone does not have it. */
export const REAL_CANDLES = join(
  import.meta.dirname,
  "../../../../shared/data/binance-btcusdt-1m-2023.csv.gz",
);

export const SETTINGS: RangeSettings = {
  lattice: "range",
  lower: "25000",
  upper: "28000",
  grids: 30,
  spacing: "arithmetic",
  amount: { kind: "order_quantity", value: "100" },
  initial: "buy",
};

export interface BotOptions {
  readonly settings?: Partial<RangeSettings>;
  readonly symbol?: string;
  readonly fee?: string;
  readonly startPrice: number;
}

export function makeBot({ settings, symbol = "BTC/USDT", fee = "0.001", startPrice }: BotOptions): Bot {
  return createBot({
    code: botCode("0123456789"),
    market: { exchange: "sim", account: "test", symbol },
    instrument: createInstrument({
      exchange: "sim",
      symbol,
      tickSize: "0.01",
      lotSize: "0.00001",
      makerFee: fee,
      takerFee: fee,
    }),
    settings: { ...SETTINGS, ...settings },
    rules: DEFAULT_RULES,
    price: startPrice as PriceTicks,
    createdAt: instant(0),
  });
}

/** Candles of a minute around 26,500, from the middle of a day on; `move` is the largest move of one, in ticks. */
export function wanderingCandles(count: number, seed: number, move = 12_000): Candles {
  const random = seededRandom(seed);
  const column = (): Float64Array => new Float64Array(count);
  const [timestamp, open, high, low, close] = [column(), column(), column(), column(), column()];
  let price = 2_650_000;
  for (let i = 0; i < count; i++) {
    timestamp[i] = 1_700_000_000_000 + i * 60_000;
    open[i] = price;
    const end = price + Math.round((random() * 2 - 1) * move - (price - 2_650_000) / 60);
    high[i] = Math.max(price, end) + Math.round((random() * move) / 6);
    low[i] = Math.min(price, end) - Math.round((random() * move) / 6);
    close[i] = price = end;
  }
  return { length: count, intervalMs: 60_000, timestamp, open, high, low, close };
}

export function finish(
  candles: Candles,
  options: Partial<BotOptions> = {},
  fill: FillModel = "touch",
): FinishedBacktest {
  const bot = makeBot({ startPrice: candles.open[0] as number, ...options });
  const fills: RecordedFill[] = [];
  const outcome = runBacktest({
    bot,
    rules: resolveRules(bot, DEFAULT_RULES),
    candles,
    fill,
    onFill: (order, execution, totals) => fills.push({ order, execution, totals }),
  });
  const report = reportBacktest(outcome, summarize(candles), fill, { seconds: 1, loadSeconds: 0 });
  return { bot, candles, outcome, report, fills };
}
