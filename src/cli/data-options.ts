/** The options that all commands about stored candles have in common. */
import type { Command } from "commander";
import { Option } from "commander";
import { QuantmeshError } from "../domain/errors.ts";
import { DAY_MS } from "../backtest/history/timeframe.ts";
import type { TimeRange } from "../backtest/history/time-range.ts";
import { parseTimeRange } from "../backtest/history/time-range.ts";
import { parseWholeNumber } from "./parse-options.ts";

export const DEFAULT_TIMEFRAME = "1m";
export const DEFAULT_DATA_FOLDER = "./data/candles";

export interface RangeOptions {
  readonly timerange?: string;
  readonly days?: number;
}

export function addDataFolderOption(command: Command): Command {
  return command.option("--datadir <folder>", "where candles are stored", DEFAULT_DATA_FOLDER);
}

export function addRangeOptions(command: Command, days: string): Command {
  return command
    .option("--timerange <range>", "FROM-TO in days (UTC), TO not included: 20240101-20240201, 20240101-")
    .option("--days <days>", days, parseWholeNumber("--days"));
}

export function addSeriesOptions(command: Command): Command {
  return command
    .option("-p, --pairs <symbols...>", "BASE/QUOTE, one or more: BTC/USDT ETH/USDT")
    .option("-i, --timeframe <lengths...>", "length of a candle, one or more: 1m, 5m, 1h, 1d")
    .addOption(new Option("-t, --timeframes <lengths...>").hideHelp());
}

/** What `--timerange` and `--days` say together; days end at `end`. Undefined where neither is given. */
export function chosenRange({ timerange, days }: RangeOptions, end: number): TimeRange | undefined {
  if (timerange !== undefined && days !== undefined) {
    throw new QuantmeshError("CONFIG_INVALID", "give --timerange or --days, not both");
  }
  if (timerange !== undefined) return parseTimeRange(timerange);
  return days === undefined ? undefined : { from: end - days * DAY_MS, to: end };
}
