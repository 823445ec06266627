/** Where a back-test's candles come from: a file as a whole, or the store month by month. */
import type { Money } from "../domain/amounts.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { TimeSpan } from "../domain/time-span.ts";
import { candlesIn, withoutSpans } from "../domain/time-span.ts";
import type { CandleFolder, StoredRules } from "../backtest/history/candle-store.ts";
import { listFolders } from "../backtest/history/candle-store.ts";
import { monthOf } from "../backtest/history/month-file.ts";
import { extentOf } from "../backtest/history/survey.ts";
import { closeRange, formatTimeRange, isoTime } from "../backtest/history/time-range.ts";
import { parseTimeframe } from "../backtest/history/timeframe.ts";
import type { Candles } from "../venue/market/candles.ts";
import { loadCandles, sliceCandles } from "../venue/market/candles.ts";
import type { RangeOptions } from "./data-options.ts";
import { DEFAULT_DATA_FOLDER, chosenRange } from "./data-options.ts";
import { meansSymbol } from "./symbol-name.ts";

export interface BacktestInput {
  /** What was asked for; what is missing of it is reported. Undefined: from the first to the last candle. */
  readonly asked: TimeSpan | undefined;
  /** As it is stored; undefined of a file. */
  readonly symbol: string | undefined;
  /** Of the market, where they were stored with its candles. */
  readonly rules: StoredRules | undefined;
  /** How many candles there may be; undefined where that is known only once they are read. */
  readonly most: number | undefined;
  /** Pieces in ascending order, none empty; one is held in memory at a time. Throws DATA_INVALID. */
  pieces(tickSize: Money): AsyncIterable<Candles>;
}

export interface StoredChoice {
  readonly dataFolder: string;
  readonly exchange: string | undefined;
  readonly symbol: string;
  readonly timeframe: string;
  /** Days end where the stored candles do; all of them where nothing is asked for. */
  readonly range: RangeOptions;
}

export function openFile(file: string): BacktestInput {
  return {
    asked: undefined,
    symbol: undefined,
    rules: undefined,
    most: undefined,
    async *pieces(tickSize) {
      yield await loadCandles(file, tickSize);
    },
  };
}

/**
 * Throws DATA_INVALID with the command that downloads what is missing at the beginning or the end of what was asked for;
 * holes inside of it are for the report.
 */
export async function openStored(choice: StoredChoice): Promise<BacktestInput> {
  const folder = await findFolder(choice);
  const extent = folder && (await extentOf(folder));
  if (!folder || !extent) throw missing(choice, choice.exchange, "no candles", writtenRange(choice.range));
  const stepMs = folder.series.timeframe.ms;
  const asked = closeRange(chosenRange(choice.range, extent.to) ?? {}, extent, stepMs);
  if (!asked) throw usage(`there is not one candle of ${choice.timeframe} in the range that was asked for`);
  const absent = await folder.absent();
  const ends = withoutSpans(asked, [...absent, extent]);
  if (ends.length > 0) {
    const lacks = ends.map((span) => `${isoTime(span.from)} to ${isoTime(span.to)}`).join(" and ");
    const whole = {
      from: Math.min(...ends.map(({ from }) => from)),
      to: Math.max(...ends.map(({ to }) => to)),
    };
    throw missing(
      choice,
      folder.series.exchange,
      `no candles from ${lacks}`,
      `--timerange ${formatTimeRange(whole)}`,
    );
  }
  const [first, last] = [monthOf(asked.from), monthOf(asked.to - 1)];
  const months = (await folder.months()).filter((month) => month >= first && month <= last);
  return {
    asked,
    symbol: folder.series.symbol,
    rules: await folder.rules(),
    most: candlesIn([asked], stepMs),
    async *pieces(tickSize) {
      let isEmpty = true;
      for (const month of months) {
        const candles = await loadCandles(folder.fileOf(month), tickSize);
        const piece = { ...sliceCandles(candles, asked.from, asked.to), intervalMs: stepMs };
        if (piece.length === 0) continue;
        isEmpty = false;
        yield piece;
      }
      if (isEmpty)
        throw missing(choice, folder.series.exchange, "no candles", `--timerange ${formatTimeRange(asked)}`);
    },
  };
}

/** Undefined where there is none. */
async function findFolder({
  dataFolder,
  exchange,
  symbol,
  timeframe,
}: StoredChoice): Promise<CandleFolder | undefined> {
  const { name } = parseTimeframe(timeframe);
  const found = (await listFolders(dataFolder)).filter(
    ({ series }) =>
      series.timeframe.name === name &&
      meansSymbol(symbol, series.symbol) &&
      (exchange === undefined || series.exchange === exchange),
  );
  if (found.length < 2) return found[0];
  const names = [...new Set(found.map(({ series }) => series.exchange))].join(", ");
  throw usage(`several exchanges have candles of ${symbol} ${name}: choose one of ${names} with --exchange`);
}

/** The user's own words, where a download understands them. */
function writtenRange(range: RangeOptions): string {
  const { from, to } = chosenRange(range, Date.now()) ?? {};
  if (range.days !== undefined || from === undefined) return `--days ${range.days ?? 30}`;
  return `--timerange ${to === undefined ? range.timerange : formatTimeRange({ from, to })}`;
}

function missing(
  { dataFolder, symbol, timeframe }: StoredChoice,
  exchange: string | undefined,
  what: string,
  range: string,
): QuantmeshError {
  const command = [
    `quantmesh download-data --exchange ${exchange ?? "binance"} --pairs ${symbol} --timeframe ${timeframe} ${range}`,
    dataFolder === DEFAULT_DATA_FOLDER ? "" : ` --datadir ${dataFolder}`,
  ].join("");
  return new QuantmeshError(
    "DATA_INVALID",
    `${what} of ${symbol} ${timeframe} in ${dataFolder}: download them with \`${command}\`, or name a candle file with --data`,
  );
}

function usage(message: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", message);
}
