/** Engine speed of the back-test: 30 levels, full accounting, one core, the data in memory. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { runBacktest } from "../src/backtest/run-backtest.ts";
import type { FillModel } from "../src/backtest/run-backtest.ts";
import type { PriceTicks } from "../src/domain/amounts.ts";
import { botCode } from "../src/domain/ids.ts";
import type { Instant } from "../src/domain/ids.ts";
import { createInstrument } from "../src/domain/instrument.ts";
import { createBot } from "../src/strategy/create-bot.ts";
import { resolveRules } from "../src/strategy/rules.ts";
import { DEFAULT_RULES } from "../src/strategy/settings.ts";
import type { Candles } from "../src/venue/market/candles.ts";
import { loadCandles } from "../src/venue/market/candles.ts";
import type { BenchResult } from "./bench.ts";
import { secondsOf, spreadOf } from "./bench.ts";

const FILE = resolve("../shared/data/binance-btcusdt-1m-2023.csv.gz");
const CANDLES = 500_000;
const ROUNDS = 5;
const WARM_UPS = 3;

const INSTRUMENT = createInstrument({
  exchange: "sim",
  symbol: "BTC/USDT",
  tickSize: "0.01",
  lotSize: "0.00001",
  makerFee: "0.001",
  takerFee: "0.001",
});

export async function benchBacktest(): Promise<readonly BenchResult[]> {
  if (!existsSync(FILE)) throw new Error(`${FILE} is missing: the bench is of that file, looped`);
  const candles = loop(await loadCandles(FILE, INSTRUMENT.tickSize), CANDLES);
  const touch: number[] = [];
  const through: number[] = [];
  const bare: number[] = [];
  for (let round = -WARM_UPS; round < ROUNDS; round++) {
    const seconds = [
      secondsOf(() => backtest(candles, "touch")),
      secondsOf(() => backtest(candles, "through")),
      secondsOf(() => void scan(candles)),
    ];
    // The compiler optimises while the first rounds run.
    if (round < 0) continue;
    for (const [index, list] of [touch, through, bare].entries()) {
      list.push(candles.length / (seconds[index] as number));
    }
  }
  const reference = { name: "bare typed-array loop", value: spreadOf(bare).median };
  return [
    result("backtest: grid 30 levels", touch, reference),
    result("backtest: grid 30 levels, through", through, reference),
  ];
}

function result(
  name: string,
  rates: readonly number[],
  reference: { name: string; value: number },
): BenchResult {
  const { median, min, max } = spreadOf(rates);
  return { name, value: median, unit: "candles/s", min, max, reference, ratio: median / reference.value };
}

function backtest(candles: Candles, fill: FillModel): void {
  const bot = createBot({
    code: botCode("bench00000"),
    market: { exchange: "sim", account: "bench", symbol: "BTC/USDT" },
    instrument: INSTRUMENT,
    settings: {
      lattice: "range",
      lower: "25000",
      upper: "28000",
      grids: 30,
      spacing: "arithmetic",
      amount: { kind: "order_quantity", value: "100" },
      initial: "buy",
    },
    rules: DEFAULT_RULES,
    price: candles.open[0] as PriceTicks,
    createdAt: candles.timestamp[0] as Instant,
  });
  const { state } = runBacktest({ bot, rules: resolveRules(bot, DEFAULT_RULES), candles, fill });
  if (state.totals.trades === 0) throw new Error("the bench traded nothing");
}

/** The least that any back-test must do: look at every candle's low, high and close. */
function scan({ low, high, close, length }: Candles): number {
  let hits = 0;
  for (let i = 0; i < length; i++) {
    if ((low[i] as number) <= 2_500_000 || (high[i] as number) >= 2_800_000) hits += close[i] as number;
  }
  return hits;
}

/** The series end to end until it has `length` candles, with time going on. */
function loop(candles: Candles, length: number): Candles {
  const repeat = (column: Float64Array): Float64Array =>
    Float64Array.from({ length }, (_, i) => column[i % candles.length] as number);
  const span = candles.length * candles.intervalMs;
  const timestamp = Float64Array.from(
    { length },
    (_, i) => (candles.timestamp[i % candles.length] as number) + Math.floor(i / candles.length) * span,
  );
  return {
    length,
    intervalMs: candles.intervalMs,
    timestamp,
    open: repeat(candles.open),
    high: repeat(candles.high),
    low: repeat(candles.low),
    close: repeat(candles.close),
  };
}
