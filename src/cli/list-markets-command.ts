/** `quantmesh list-markets`: the spot markets of an exchange with the rules of their orders. */
import type { Command } from "commander";
import type { ListedMarket } from "../exchange/ccxt/listed-markets.ts";
import { openChosenMarketData } from "./open-market-data.ts";
import { formatTable } from "./table.ts";

interface Options {
  readonly config?: string;
  readonly exchange?: string;
  readonly base?: string;
  readonly quote?: string;
  readonly json?: boolean;
}

const COLUMNS: Readonly<Record<string, (market: ListedMarket) => string>> = {
  symbol: ({ symbol }) => symbol,
  tick: ({ tickSize }) => tickSize,
  lot: ({ lotSize }) => lotSize,
  "min quantity": ({ minQuantity }) => minQuantity,
  "min notional": ({ minNotional }) => minNotional,
  maker: ({ makerFee }) => makerFee ?? "not told",
  taker: ({ takerFee }) => takerFee ?? "not told",
};

export function addListMarketsCommand(program: Command): void {
  program
    .command("list-markets")
    .alias("list-pairs")
    .description("list the spot markets that an exchange trades, with tick, lot and smallest order")
    .option("-c, --config <file>", "take the exchange and its addresses from a config file")
    .option("-e, --exchange <name>", "ccxt's name of the exchange, like binance")
    .option("--base <asset>", "only markets of this asset, like BTC")
    .option("--quote <asset>", "only markets that are paid in this asset, like USDT")
    .option("--json", "one JSON array, an object per market")
    .action(listMarkets);
}

async function listMarkets(options: Options): Promise<void> {
  const { data } = await openChosenMarketData(options, "rules");
  await data.close();
  const { markets, unreadable } = data.list;
  const shown = markets.filter(
    ({ base, quote }) => isSame(options.base, base) && isSame(options.quote, quote),
  );
  const cells = shown.map((market) => Object.values(COLUMNS).map((column) => column(market)));
  const text = shown.length === 0 ? "none" : formatTable(Object.keys(COLUMNS), cells);
  process.stdout.write(`${options.json ? JSON.stringify(shown, null, 2) : text}\n`);
  if (unreadable.length > 0) {
    process.stderr.write(`left out, because their rules make no sense here: ${unreadable.join(", ")}\n`);
  }
}

function isSame(wanted: string | undefined, asset: string): boolean {
  return wanted === undefined || wanted.toUpperCase() === asset.toUpperCase();
}
