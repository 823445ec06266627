/** Runs one grid over candles that come piece by piece, and times the engine apart from the reading. */
import type { FinishedBacktest } from "../backtest/export-backtest.ts";
import type { RecordedFill } from "../backtest/recorded-fill.ts";
import { reportBacktest } from "../backtest/report.ts";
import type { FillModel, RunOptions } from "../backtest/run-backtest.ts";
import { BacktestRun } from "../backtest/run-backtest.ts";
import { SeenCandles } from "../backtest/seen-candles.ts";
import type { PriceTicks } from "../domain/amounts.ts";
import { invariant } from "../domain/assert.ts";
import type { Bot } from "../domain/grid.ts";
import { botCode } from "../domain/ids.ts";
import type { Instant } from "../domain/ids.ts";
import { createBot } from "../strategy/create-bot.ts";
import { resolveRules } from "../strategy/rules.ts";
import type { Candles } from "../venue/market/candles.ts";
import { joinCandles } from "../venue/market/candles.ts";
import type { BacktestInput } from "./backtest-input.ts";
import { refuseTooManyOrders } from "./fit-order-counts.ts";
import type { ResolvedGrid } from "./resolve-grid.ts";

export interface OverCandles extends ResolvedGrid {
  readonly input: BacktestInput;
  readonly fill: FillModel;
  /** Keeps candles and fills for an export; without that memory does not grow with the time that is tested. */
  readonly keepsAll: boolean;
  /** Called once with the number of candles that there may be. */
  readonly onBegin: (candles: number) => void;
  readonly onProgress: (candles: number) => void;
}

/** Of what is finished, `candles` and `fills` are only there with `keepsAll`. Throws as the input and `createBot`. */
export async function runOverCandles(options: OverCandles): Promise<FinishedBacktest> {
  const { input, instrument, fill, keepsAll, rules, onProgress } = options;
  const seen = new SeenCandles(input.asked);
  const kept: Candles[] = [];
  const fills: RecordedFill[] = [];
  let started: { readonly bot: Bot; readonly run: BacktestRun } | undefined;
  let [seconds, loadSeconds, before] = [0, 0, 0];
  let readFrom = performance.now();
  for await (const piece of input.pieces(instrument.tickSize)) {
    if (!started) {
      options.onBegin(input.most ?? piece.length);
      const bot = botAt(options, piece);
      const onFill: RunOptions["onFill"] = (order, execution, totals) =>
        fills.push({ order, execution, totals });
      const run = new BacktestRun({
        bot,
        rules: resolveRules(bot, rules),
        fill,
        onProgress,
        ...(keepsAll ? { onFill } : {}),
      });
      started = { bot, run };
    }
    seen.note(piece);
    const runFrom = performance.now();
    started.run.feed(piece);
    const end = performance.now();
    loadSeconds += (runFrom - readFrom) / 1000;
    seconds += (end - runFrom) / 1000;
    readFrom = end;
    before += piece.length;
    onProgress(before);
    if (keepsAll) kept.push(piece);
  }
  invariant(started !== undefined, "an input has at least one piece");
  const { bot, run } = started;
  const outcome = run.finish();
  const report = reportBacktest(outcome, seen.summary(), fill, { seconds, loadSeconds });
  return { bot, candles: joinCandles(kept), outcome, report, fills };
}

function botAt(
  { instrument, settings, rules, mostOpenOrders }: OverCandles,
  { open, timestamp }: Candles,
): Bot {
  const bot = createBot({
    code: botCode("backtest00"),
    market: { exchange: "sim", account: "backtest", symbol: instrument.symbol },
    instrument,
    settings,
    rules,
    price: open[0] as PriceTicks,
    createdAt: timestamp[0] as Instant,
  });
  refuseTooManyOrders({ symbol: instrument.symbol, preview: bot, rules }, mostOpenOrders);
  return bot;
}
