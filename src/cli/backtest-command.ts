/** `quantmesh backtest`: one grid over a candle file, with the numbers in full. */
import { join } from "node:path";
import type { Command } from "commander";
import { Option } from "commander";
import { SingleBar } from "cli-progress";
import { exportBacktest, formatResult } from "../backtest/export-backtest.ts";
import { figureRows, noTradesReason } from "../backtest/figure-rows.ts";
import type { RecordedFill } from "../backtest/recorded-fill.ts";
import { reportBacktest } from "../backtest/report.ts";
import type { BacktestReport } from "../backtest/report.ts";
import type { FillModel } from "../backtest/run-backtest.ts";
import { runBacktest } from "../backtest/run-backtest.ts";
import { checkExportFolder } from "../backtest/write-export.ts";
import { loadConfig } from "../config/load-config.ts";
import type { PriceTicks } from "../domain/amounts.ts";
import { formatMoney } from "../domain/amounts.ts";
import { formatDecimal } from "../domain/decimal.ts";
import { QuantmeshError } from "../domain/errors.ts";
import { botCode } from "../domain/ids.ts";
import type { Instant } from "../domain/ids.ts";
import type { Instrument } from "../domain/instrument.ts";
import { createInstrument } from "../domain/instrument.ts";
import { createBot } from "../strategy/create-bot.ts";
import { resolveRules } from "../strategy/rules.ts";
import { DEFAULT_RULES } from "../strategy/settings.ts";
import type { Amount, GridRules, GridSettings, RangeSettings, Spacing } from "../strategy/settings.ts";
import { loadCandles } from "../venue/market/candles.ts";
import { simInstrument } from "./check-grids.ts";
import { gridRules, gridSettings } from "./grid-config.ts";
import { parseAmount, parseWholeNumber } from "./parse-options.ts";

interface Options {
  readonly data: string;
  readonly config?: string;
  readonly symbol?: string;
  readonly tick?: string;
  readonly lot?: string;
  readonly minNotional?: string;
  readonly lower?: string;
  readonly upper?: string;
  readonly grids?: number;
  readonly spacing?: Spacing;
  readonly orderQuantity?: string;
  readonly baseQuantity?: string;
  readonly investment?: string;
  readonly initial?: "buy" | "none";
  readonly makerFee?: string;
  readonly takerFee?: string;
  readonly fee?: string;
  readonly fill: FillModel;
  readonly json?: boolean;
  readonly export?: string;
  readonly force?: boolean;
}

export function addBacktestCommand(program: Command): void {
  const amount = (command: Command, flags: string, description: string): Command =>
    command.option(flags, description, parseAmount(flags.split(" ")[0] ?? flags));
  let command = program
    .command("backtest")
    .alias("backtesting")
    .description("run a grid over a candle file with the code that trades live")
    .requiredOption(
      "-d, --data <file>",
      "candles: CSV or CSV.gz with timestamp,open,high,low,close,volume (ms)",
    )
    .option("-c, --config <file>", "take the grid and the instrument of --symbol from a config file")
    .option("-s, --symbol <symbol>", "BASE/QUOTE, like BTC/USDT")
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
  const { instrument, settings, rules } = await resolveGrid(options);
  const folder = options.export;
  if (folder !== undefined) await checkExportFolder(folder, options.force === true);
  else if (options.force) throw usage("--force is for --export");
  const loading = performance.now();
  const candles = await loadCandles(options.data, instrument.tickSize);
  const loadSeconds = (performance.now() - loading) / 1000;
  const bot = createBot({
    code: botCode("backtest00"),
    market: { exchange: "sim", account: "backtest", symbol: instrument.symbol },
    instrument,
    settings,
    rules,
    price: candles.open[0] as PriceTicks,
    createdAt: candles.timestamp[0] as Instant,
  });
  const bar = process.stderr.isTTY
    ? new SingleBar({
        format: "{bar} {percentage} %  {value}/{total} candles  ETA {eta_formatted}",
        stream: process.stderr,
      })
    : undefined;
  bar?.start(candles.length, 0);
  const fills: RecordedFill[] = [];
  const started = performance.now();
  const outcome = runBacktest({
    bot,
    rules: resolveRules(bot, rules),
    candles,
    fill: options.fill,
    onProgress: (done) => bar?.update(done),
    ...(folder === undefined
      ? {}
      : { onFill: (order, execution, totals) => fills.push({ order, execution, totals }) }),
  });
  const seconds = (performance.now() - started) / 1000;
  bar?.update(candles.length);
  bar?.stop();
  const report = reportBacktest(outcome, candles, options.fill, { seconds, loadSeconds });
  if (folder !== undefined) await exportBacktest(folder, { bot, candles, outcome, report, fills });
  if (options.json) process.stdout.write(formatResult(report));
  else process.stdout.write(`${describe(report, settings, folder)}\n`);
}

/** What is back-tested: from flags, from a config, or a config's range grid with flags over it. */
interface ResolvedGrid {
  readonly instrument: Instrument;
  readonly settings: GridSettings;
  readonly rules: GridRules;
}

async function resolveGrid(options: Options): Promise<ResolvedGrid> {
  const configured =
    options.config === undefined ? undefined : await configuredGrid(options.config, options.symbol);
  const instrument = resolveInstrument(options, configured?.instrument);
  const rules = configured?.rules ?? DEFAULT_RULES;
  const grid = configured?.settings;
  if (grid?.lattice === "window") {
    const flag = RANGE_FLAGS.find((name) => options[name] !== undefined);
    if (flag) throw usage(`--${flag} is for range grids; ${options.config} has a window grid`);
    return { instrument, settings: grid, rules };
  }
  const grids = options.grids ?? grid?.grids;
  if (grids === undefined) throw usage("--grids is missing: give it, or a config file with -c");
  const settings: RangeSettings = {
    lattice: "range",
    lower: given("lower", options.lower, grid?.lower),
    upper: given("upper", options.upper, grid?.upper),
    grids,
    spacing: options.spacing ?? grid?.spacing ?? "arithmetic",
    amount: amountOf(options) ?? grid?.amount ?? missingAmount(),
    initial: options.initial ?? grid?.initial ?? "buy",
  };
  return { instrument, settings, rules };
}

const RANGE_FLAGS = ["lower", "upper", "grids", "spacing", "initial", "investment"] as const;

function resolveInstrument(options: Options, base: Instrument | undefined): Instrument {
  return createInstrument({
    exchange: "sim",
    symbol: given("symbol", options.symbol?.replace("-", "/"), base?.symbol),
    tickSize: given("tick", options.tick, base && formatMoney(base.tickSize)),
    lotSize: given("lot", options.lot, base && formatMoney(base.lotSize)),
    minNotional: options.minNotional ?? (base ? formatMoney(base.minNotional) : "0"),
    makerFee: options.makerFee ?? options.fee ?? (base ? formatDecimal(base.makerFee) : "0.001"),
    takerFee: options.takerFee ?? options.fee ?? (base ? formatDecimal(base.takerFee) : "0.001"),
  });
}

function given(name: string, value: string | undefined, fallback?: string): string {
  if (value !== undefined) return value;
  if (fallback !== undefined) return fallback;
  throw usage(`--${name} is missing: give it, or a config file with -c`);
}

async function configuredGrid(file: string, symbol: string | undefined): Promise<ResolvedGrid> {
  const config = await loadConfig(file);
  const { symbols } = config.trading;
  const grid =
    symbol === undefined ? symbols[0] : symbols.find((one) => one.symbol === symbol.replace("-", "/"));
  if (!grid) throw usage(`${file} has no grid for ${symbol ?? "any symbol"}`);
  const instrument = simInstrument(config, grid.symbol);
  return { instrument, settings: gridSettings(grid), rules: gridRules(grid) };
}

function amountOf(options: Options): Amount | undefined {
  const given: Amount[] = [];
  if (options.orderQuantity !== undefined)
    given.push({ kind: "order_quantity", value: options.orderQuantity });
  if (options.baseQuantity !== undefined) given.push({ kind: "base_quantity", value: options.baseQuantity });
  if (options.investment !== undefined) given.push({ kind: "investment", value: options.investment });
  if (given.length > 1) throw usage("give only one of --order-quantity, --base-quantity and --investment");
  return given[0];
}

function missingAmount(): never {
  throw usage("give one of --order-quantity, --base-quantity and --investment");
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
