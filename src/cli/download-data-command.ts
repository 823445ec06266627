/** `quantmesh download-data`: candles of an exchange into the store, as far as they are not there yet. */
import type { Command } from "commander";
import type { Config } from "../config/schema.ts";
import { QuantmeshError, hasCode } from "../domain/errors.ts";
import type { TimeSpan } from "../domain/time-span.ts";
import type { ListedMarket } from "../exchange/ccxt/listed-markets.ts";
import type { MarketData } from "../exchange/ccxt/open-market-data.ts";
import { realClock } from "../exchange/sim/real-clock.ts";
import { CandleFolder } from "../backtest/history/candle-store.ts";
import { downloadCandles } from "../backtest/history/download.ts";
import type { Survey } from "../backtest/history/survey.ts";
import { countGaps, surveyOf } from "../backtest/history/survey.ts";
import { closeRange, isoTime } from "../backtest/history/time-range.ts";
import type { Timeframe } from "../backtest/history/timeframe.ts";
import { DAY_MS, isTimeframe, parseTimeframe } from "../backtest/history/timeframe.ts";
import { holdProcessLock } from "../storage/process-lock.ts";
import type { RangeOptions } from "./data-options.ts";
import {
  DEFAULT_TIMEFRAME,
  addDataFolderOption,
  addRangeOptions,
  addSeriesOptions,
  chosenRange,
} from "./data-options.ts";
import { seriesAsJson } from "./series-as-json.ts";
import { EXIT_INTERRUPTED } from "./exit-codes.ts";
import { findMarket, openChosenMarketData } from "./open-market-data.ts";
import { createProgressBar } from "./progress-bar.ts";
import { namesOf } from "./symbol-name.ts";

interface Options extends RangeOptions {
  readonly config?: string;
  readonly exchange?: string;
  readonly pairs?: readonly string[];
  readonly timeframe?: readonly string[];
  readonly timeframes?: readonly string[];
  readonly datadir: string;
  readonly askAgain?: boolean;
  readonly json?: boolean;
}

/** One series to download, and what part of it. */
interface Task {
  readonly folder: CandleFolder;
  readonly market: ListedMarket;
  readonly span: TimeSpan;
}

interface Result {
  readonly task: Task;
  readonly added: number;
  readonly survey: Survey;
}

const DEFAULT_DAYS = 30;

export function addDownloadDataCommand(program: Command): void {
  let command = program
    .command("download-data")
    .description("download candles of an exchange into the store, as far as they are not there yet")
    .option("-c, --config <file>", "take exchange, addresses and symbols from a config file")
    .option("-e, --exchange <name>", "ccxt's name of the exchange, like binance");
  command = addRangeOptions(addSeriesOptions(command), `the last days until now (default: ${DEFAULT_DAYS})`);
  addDataFolderOption(command)
    .option("--ask-again", "ask also for what the exchange has answered before that it does not have")
    .option("--json", "one JSON array, an object per series")
    .addHelpText(
      "after",
      "\nExit codes: 0 done · 1 failed; what has arrived is stored · 2 wrong usage · 130 stopped by Ctrl-C. " +
        "The same command goes on.",
    )
    .action(downloadData);
}

async function downloadData(options: Options): Promise<void> {
  const timeframes = timeframesOf(options);
  checkRange(options);
  const { data, config, server } = await openChosenMarketData(options, "candles");
  const stopping = new AbortController();
  // A second Ctrl-C ends the process at once; that leaves whole files, too.
  const stop = (): void => stopping.abort();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  const results: Result[] = [];
  try {
    const now = await data.time();
    for (const task of tasksOf(options, timeframes, symbolsOf(options, config), data, now)) {
      if (stopping.signal.aborted) break;
      results.push(await carryOut(options, { ...task, data, server, now, signal: stopping.signal }));
    }
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
    await data.close();
    if (results.length > 0) process.stdout.write(options.json ? asJson(results) : asText(results));
  }
  if (!stopping.signal.aborted) return;
  process.stderr.write("quantmesh: stopped; what has arrived is stored, and the same command goes on\n");
  process.exitCode = EXIT_INTERRUPTED;
}

/** What needs no exchange to be known as wrong. */
function checkRange(options: Options): void {
  const range = chosenRange(options, 0);
  if (range && range.from === undefined)
    throw usage(`--timerange ${options.timerange}: give its beginning, too`);
}

function timeframesOf({ timeframe = [], timeframes = [] }: Options): readonly Timeframe[] {
  const lengths = namesOf([...timeframe, ...timeframes]);
  return (lengths.length > 0 ? lengths : [DEFAULT_TIMEFRAME]).map(parseTimeframe);
}

function symbolsOf({ pairs }: Options, config: Config | undefined): readonly string[] {
  const named = namesOf(pairs);
  const symbols = named.length > 0 ? named : (config?.trading.symbols.map(({ symbol }) => symbol) ?? []);
  if (symbols.length > 0) return [...new Set(symbols)];
  throw usage("--pairs is missing: give it, like --pairs BTC/USDT, or a config with -c");
}

/** Everything is checked before the first candle is asked for. */
function tasksOf(
  options: Options,
  timeframes: readonly Timeframe[],
  symbols: readonly string[],
  data: MarketData,
  now: number,
): readonly Task[] {
  for (const timeframe of timeframes) checkTimeframe(data, timeframe);
  return symbols.flatMap((name) => {
    const market = findMarket(data, name);
    return timeframes.map((timeframe) => ({
      folder: new CandleFolder(options.datadir, { exchange: data.name, symbol: market.symbol, timeframe }),
      market,
      span: spanOf(options, timeframe, now),
    }));
  });
}

function checkTimeframe({ name, timeframes }: MarketData, timeframe: Timeframe): void {
  if (timeframes.includes(timeframe.name)) return;
  const storable = timeframes.filter(isTimeframe);
  const remedy = storable.length > 0 ? `it has ${storable.join(", ")}` : "it has none that can be stored";
  throw usage(`${name} has no candles of ${timeframe.name}; ${remedy}`);
}

/** Only candles that are over. */
function spanOf(options: Options, { ms, name }: Timeframe, now: number): TimeSpan {
  const range = chosenRange(options, now) ?? { from: now - DEFAULT_DAYS * DAY_MS, to: now };
  const span = closeRange({ ...range, to: Math.min(range.to ?? now, now) }, { from: 0, to: now }, ms);
  if (span) return span;
  const asked =
    options.timerange === undefined ? `--days ${options.days}` : `--timerange ${options.timerange}`;
  throw usage(`${asked} has no candle of ${name} that is over: it is ${isoTime(now)} on the exchange`);
}

interface Work extends Task {
  readonly data: MarketData;
  readonly server: string | undefined;
  readonly now: Awaited<ReturnType<MarketData["time"]>>;
  readonly signal: AbortSignal;
}

async function carryOut({ askAgain = false }: Options, work: Work): Promise<Result> {
  const { folder, market, span, data, server, now, signal } = work;
  const name = nameOf(folder);
  folder.prepare();
  const lock = lockOf(folder, name);
  const bar = createProgressBar();
  try {
    await folder.clean();
    await checkServer(folder, server);
    const { symbol: _, base: __, quote: ___, ...rules } = market;
    await folder.writeRules({ ...rules, server });
    const { added } = await downloadCandles({
      source: data,
      folder,
      span,
      now,
      askAgain,
      clock: realClock,
      signal,
      onBegin: (candles) => {
        if (candles > 0) bar.begin(name, candles, "candles");
      },
      onProgress: (candles) => bar.add(candles),
    });
    return { task: work, added, survey: await surveyOf(folder, span) };
  } catch (error) {
    if (!hasCode(error, "EXCHANGE_UNAVAILABLE") && !hasCode(error, "RATE_LIMITED")) throw error;
    const remedy = "what has arrived is stored, and the same command goes on";
    throw new QuantmeshError(error.code, `${name}: ${error.message}; ${remedy}`, { cause: error });
  } finally {
    bar.end();
    lock.release();
  }
}

/** Candles of an exchange and of a server that plays it are never put together. */
async function checkServer(folder: CandleFolder, server: string | undefined): Promise<void> {
  const before = await folder.rules();
  if (!before || before.server === server || (await folder.months()).length === 0) return;
  const [stored, asked] = [before.server, server].map((each) => each ?? "the exchange itself");
  throw usage(`${folder.path} has candles of ${stored}, not of ${asked}: give --datadir another folder`);
}

/** The operating system frees it with its process, however that ends. */
function lockOf(folder: CandleFolder, name: string): ReturnType<typeof holdProcessLock> {
  try {
    return holdProcessLock(folder.lockFile);
  } catch (error) {
    if (!hasCode(error, "ALREADY_RUNNING")) throw error;
    const message = `${name} is being downloaded into ${folder.path} by another process: wait until it is done, or stop it`;
    throw new QuantmeshError("ALREADY_RUNNING", message, { cause: error });
  }
}

function asText(results: readonly Result[]): string {
  const lines = results.map(({ task: { folder }, added, survey }) => {
    const [absent, missing] = [countGaps(survey, "absent"), countGaps(survey, "missing")];
    return [
      `${nameOf(folder)}: ${survey.candles} candles from ${isoTime(survey.from)} to ${isoTime(survey.to)}, ${added} of them new`,
      absent.candles > 0 ? `; ${absent.candles} in ${absent.gaps} gaps that the exchange has not got` : "",
      missing.candles > 0 ? `; ${missing.candles} not there yet` : "",
    ].join("");
  });
  return `${lines.join("\n")}\n`;
}

function asJson(results: readonly Result[]): string {
  const objects = results.map(({ task: { folder }, added, survey }) =>
    seriesAsJson(folder, survey, { added }),
  );
  return `${JSON.stringify(objects, null, 2)}\n`;
}

function nameOf({ series: { exchange, symbol, timeframe } }: CandleFolder): string {
  return `${exchange} ${symbol} ${timeframe.name}`;
}

function usage(message: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", message);
}
