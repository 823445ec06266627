/** `quantmesh plan`: what each configured grid would place and need, and what its cells earn, before anything trades. */
import type { Command } from "commander";
import type { GridPreview, LevelPreview } from "../backtest/preview-grid.ts";
import { previewGrid } from "../backtest/preview-grid.ts";
import { loadConfig } from "../config/load-config.ts";
import { formatDecimal, parseDecimal } from "../domain/decimal.ts";
import { QuantmeshError, hasCode } from "../domain/errors.ts";
import type { Bot } from "../domain/grid.ts";
import { parsePrice } from "../domain/instrument.ts";
import { createBot } from "../strategy/create-bot.ts";
import type { CheckedGrid } from "./check-grids.ts";
import { previewGrids, withStartingSlots } from "./preview-grids.ts";
import { parseAmount } from "./parse-options.ts";
import { formatTable } from "./table.ts";

interface Options {
  readonly config: string;
  readonly symbol?: string;
  readonly price?: string;
  readonly json?: boolean;
}

export function addPlanCommand(program: Command): void {
  program
    .command("plan")
    .description("preview the configured grids: levels, cost, profit per cell after fees, break-even")
    .requiredOption("-c, --config <file>", "config file")
    .option("-s, --symbol <symbol>", "only the grid of this symbol, BASE/QUOTE")
    .option(
      "-p, --price <price>",
      "start price (default: the first price of the simulated market)",
      parseAmount("--price"),
    )
    .option("--json", "one JSON array, an object per grid")
    .action(plan);
}

async function plan(options: Options): Promise<void> {
  const grids = chooseGrids(await previewGrids(await loadConfig(options.config)), options);
  const previews = grids.map((grid) => previewGrid(withStartingSlots(botOf(grid, options.price), grid)));
  process.stdout.write(
    options.json ? `${JSON.stringify(previews, null, 2)}\n` : `${previews.map(describe).join("\n\n")}\n`,
  );
}

function chooseGrids(grids: readonly CheckedGrid[], options: Options): readonly CheckedGrid[] {
  const symbol = options.symbol?.replace("-", "/");
  const chosen = symbol === undefined ? grids : grids.filter((grid) => grid.symbol === symbol);
  if (chosen.length === 0) throw usage(`${options.config} has no grid for ${symbol ?? "any symbol"}`);
  if (options.price !== undefined && chosen.length > 1) {
    throw usage(`--price is for one grid of the ${chosen.length}: name it with --symbol`);
  }
  return chosen;
}

function botOf({ preview, instrument, settings, rules }: CheckedGrid, price: string | undefined): Bot {
  if (price === undefined) return preview;
  const { code, market, createdAt } = preview;
  try {
    const startPrice = parsePrice(instrument, price);
    if (startPrice < 1) throw usage("--price must be above 0");
    return createBot({ code, market, instrument, settings, rules, price: startPrice, createdAt });
  } catch (error) {
    throw hasCode(error, "DATA_INVALID") ? usage(`--price: ${error.message}`) : error;
  }
}

function describe(grid: GridPreview): string {
  const { base, quote, levels } = grid;
  const header = [
    "slot",
    "starts",
    "buy",
    "sell",
    base,
    `cost ${quote}`,
    `profit ${quote}`,
    "profit %",
    "break-even",
  ];
  const rows = levels
    .toReversed()
    .map((level) => [
      String(level.slot),
      level.start,
      level.buyPrice,
      level.sellPrice,
      level.quantity,
      level.cost,
      level.profit,
      percent(level.profitRate),
      level.breakEven,
    ]);
  const totals = [
    ["start price", grid.startPrice],
    ["quote needed", `${grid.quoteNeeded} ${quote}`],
    ["initial purchase", `${grid.initialPurchase} ${quote} of it, for ${grid.baseBought} ${base}`],
    ["resting at start", restingText(grid)],
    ["best cell", cellText(grid.best, quote)],
    ["worst cell", cellText(grid.worst, quote)],
    ["break-even", `the worst cell loses nothing if its sell fills at ${grid.worst.breakEven} or above`],
    ["fees", `maker ${percent(grid.makerFee)} %, taker ${percent(grid.takerFee)} %`],
  ];
  return [
    `${grid.symbol}  ${levels.length} cells`,
    formatTable(header, rows),
    "",
    ...totals.map(([name = "", value]) => `${name.padEnd(18)}${value}`),
  ].join("\n");
}

function restingText({ restingBuys, restingSells, waiting }: GridPreview): string {
  const resting = `${restingBuys} buys, ${restingSells} sells`;
  return waiting === 0 ? resting : `${resting}; ${waiting} cells wait until the price was above them`;
}

function cellText({ slot, buyPrice, sellPrice, profit, profitRate }: LevelPreview, quote: string): string {
  return `slot ${slot}, ${buyPrice} → ${sellPrice}: ${profit} ${quote} per cycle, ${percent(profitRate)} %`;
}

/** A share as percent: the point moves two places to the right. */
export function percent(share: string): string {
  return formatDecimal(parseDecimal(share) * 100n);
}

function usage(message: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", message);
}
