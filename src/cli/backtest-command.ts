/** `quantmesh backtest`: grids over stored candles or a candle file, with the numbers in full. */
import { join } from "node:path";
import type { Command } from "commander";
import { Option } from "commander";
import { SingleBar } from "cli-progress";
import { exportBacktest, formatResult } from "../backtest/export-backtest.ts";
import { figureRows, noTradesReason } from "../backtest/figure-rows.ts";
import type { BacktestReport } from "../backtest/report.ts";
import type { FillModel } from "../backtest/run-backtest.ts";
import { checkExportFolder } from "../backtest/write-export.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { GridSettings } from "../strategy/settings.ts";
import type { BacktestInput } from "./backtest-input.ts";
import { openFile, openStored } from "./backtest-input.ts";
import { DEFAULT_TIMEFRAME, addDataFolderOption, addRangeOptions } from "./data-options.ts";
import { parseAmount, parseWholeNumber } from "./parse-options.ts";
import type { GridChoice, GridOptions, ResolvedGrid } from "./resolve-grid.ts";
import { chooseGrids, resolveGrid } from "./resolve-grid.ts";
import { runOverCandles } from "./run-over-candles.ts";

interface Options extends GridOptions {
  readonly data?: string;
  readonly exchange?: string;
  readonly timeframe?: string;
  readonly timerange?: string;
  readonly days?: number;
  readonly datadir: string;
  readonly fill: FillModel;
  readonly json?: boolean;
  readonly export?: string;
  readonly force?: boolean;
}

/** A grid, and what it runs over. */
interface Prepared extends ResolvedGrid {
  readonly input: BacktestInput;
}

export function addBacktestCommand(program: Command): void {
  const amount = (command: Command, flags: string, description: string): Command =>
    command.option(flags, description, parseAmount(flags.split(" ")[0] ?? flags));
  let command = program
    .command("backtest")
    .alias("backtesting")
    .description("run grids over downloaded candles, or over a candle file, with the code that trades live")
    .option(
      "-d, --data <file>",
      "a candle file instead of the store: CSV or CSV.gz with timestamp,open,high,low,close,volume (ms)",
    )
    .option("-c, --config <file>", "take the grids, or that of --symbol, from a config file")
    .option("-s, --symbol <symbol>", "BASE/QUOTE, like BTC/USDT")
    .option("-e, --exchange <name>", "whose stored candles, where several exchanges have the symbol")
    .option("-i, --timeframe <length>", `length of the stored candles (default: ${DEFAULT_TIMEFRAME})`);
  command = addRangeOptions(command, "only the last days of what is stored");
  command = addDataFolderOption(command)
    .option("-g, --grids <cells>", "number of cells", parseWholeNumber("--grids"))
    .addOption(
      new Option("--spacing <kind>", "how prices are spaced (default: arithmetic)").choices([
        "arithmetic",
        "geometric",
      ]),
    )
    .addOption(
      new Option("--initial <mode>", "how cells above the price start (default: buy)").choices([
        "buy",
        "none",
      ]),
    )
    .addOption(
      new Option("--fill <model>", "a limit fills when the price touches it, or goes one tick through it")
        .choices(["touch", "through"])
        .default("through"),
    )
    .option("--json", "one JSON object")
    .option("--export <dir>", "also write result.json, trades.csv and report.html into this folder")
    .option("--force", "with --export: the folder may hold files; those of the same names are overwritten");
  command = amount(command, "--tick <size>", "smallest price step, in quote");
  command = amount(command, "--lot <size>", "smallest quantity step, in base");
  command = amount(command, "--min-notional <quote>", "smallest order value");
  command = amount(command, "--lower <price>", "lowest price of the grid");
  command = amount(command, "--upper <price>", "highest price of the grid");
  command = amount(command, "--order-quantity <quote>", "value of each order");
  command = amount(command, "--base-quantity <base>", "quantity of each order");
  command = amount(command, "--investment <quote>", "value of the whole grid, fees included");
  command = amount(
    command,
    "--maker-fee <share>",
    "fee of orders that rested, 0.001 = 0.1 % (default: 0.001)",
  );
  command = amount(command, "--taker-fee <share>", "fee of orders that did not (default: 0.001)");
  command = amount(command, "--fee <share>", "both fees");
  command.action(backtest);
}

async function backtest(options: Options): Promise<void> {
  const prepared: Prepared[] = [];
  for (const choice of await chooseGrids(options, options.data === undefined)) {
    const input = await openInput(choice, options);
    const { symbol = choice.symbol, rules } = input;
    prepared.push({ ...resolveGrid({ ...choice, symbol }, options, rules), input });
    // A file has the candles of one symbol.
    if (options.data !== undefined) break;
  }
  const folder = options.export;
  if (folder !== undefined && prepared.length > 1) {
    throw usage(`--export is for one grid of the ${prepared.length}: name it with --symbol`);
  }
  if (folder !== undefined) await checkExportFolder(folder, options.force === true);
  else if (options.force) throw usage("--force is for --export");
  const reports: BacktestReport[] = [];
  for (const each of prepared) {
    const report = await runOne(each, options);
    reports.push(report);
    if (options.json) continue;
    const text = describe(report, each.settings, folder);
    process.stdout.write(reports.length > 1 ? `\n${text}\n` : `${text}\n`);
  }
  const [only] = reports;
  if (!options.json || !only) return;
  process.stdout.write(reports.length === 1 ? formatResult(only) : `${JSON.stringify(reports, null, 2)}\n`);
}

async function openInput(choice: GridChoice, options: Options): Promise<BacktestInput> {
  const { data, exchange, timeframe = DEFAULT_TIMEFRAME, timerange, days, datadir } = options;
  if (data === undefined) {
    return openStored({
      dataFolder: datadir,
      exchange: exchange ?? choice.exchange,
      symbol: choice.symbol,
      timeframe,
      range: options,
    });
  }
  const flag = Object.entries({ exchange, timeframe: options.timeframe, timerange, days }).find(
    ([, value]) => value !== undefined,
  );
  if (flag) throw usage(`--${flag[0]} is for stored candles; ${data} is read as a whole`);
  return openFile(data);
}

async function runOne({ input, ...grid }: Prepared, options: Options): Promise<BacktestReport> {
  const bar = process.stderr.isTTY
    ? new SingleBar({
        format: "{bar} {percentage} %  {value}/{total} candles  ETA {eta_formatted}",
        stream: process.stderr,
      })
    : undefined;
  const finished = await runOverCandles({
    ...grid,
    input,
    fill: options.fill,
    keepsAll: options.export !== undefined,
    onBegin: (candles) => bar?.start(candles, 0),
    onProgress: (candles) => bar?.update(candles),
  });
  bar?.stop();
  if (options.export !== undefined) await exportBacktest(options.export, finished);
  return finished.report;
}

function usage(message: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", message);
}

function describe(report: BacktestReport, settings: GridSettings, folder: string | undefined): string {
  const rows = [
    ["grid", `${report.symbol}  ${describeLattice(settings)}, fill ${report.fill}`],
    ...figureRows(report),
    ...(folder === undefined ? [] : [["exported", join(folder, "report.html")]]),
  ];
  const lines = rows.map(([name = "", value]) => `${name.padEnd(17)}${value}`);
  return [...lines, noTradesReason(report) ?? []].flat().join("\n");
}

function describeLattice(settings: GridSettings): string {
  if (settings.lattice === "window") return `window, levels ${settings.priceInterval} apart`;
  const { lower, upper, grids, spacing } = settings;
  return `${lower} – ${upper}  ${grids} cells, ${spacing}`;
}
