/** The three files of `backtest --export`: the figures, the fills, and the page that shows both. */
import type { Bot } from "../domain/grid.ts";
import { initialEquity } from "../strategy/sizing.ts";
import type { Candles } from "../venue/market/candles.ts";
import { loadChartLibrary } from "./chart-library.ts";
import type { RecordedFill } from "./recorded-fill.ts";
import { renderReport } from "./report-page.ts";
import type { BacktestReport } from "./report.ts";
import type { BacktestOutcome } from "./run-backtest.ts";
import { formatTradesCsv } from "./trades-csv.ts";
import { writeExport } from "./write-export.ts";

export interface FinishedBacktest {
  readonly bot: Bot;
  readonly candles: Candles;
  readonly outcome: BacktestOutcome;
  readonly report: BacktestReport;
  /** Every execution, in order. */
  readonly fills: readonly RecordedFill[];
}

/** Throws CONFIG_INVALID where the folder cannot be written to. */
export async function exportBacktest(folder: string, finished: FinishedBacktest): Promise<void> {
  const { bot, candles, outcome, report, fills } = finished;
  const { instrument, slots, startPrice } = bot;
  const start = initialEquity(bot, instrument, slots, startPrice);
  const page = { report, bot, candles, fills, initialEquity: start, lastPrice: outcome.lastPrice };
  await writeExport(folder, [
    { name: "result.json", text: formatResult(report) },
    { name: "trades.csv", text: formatTradesCsv(instrument, start, fills) },
    { name: "report.html", text: renderReport(page, await loadChartLibrary()) },
  ]);
}

/** What `--json` prints. */
export function formatResult(report: BacktestReport): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
