/** `quantmesh bots|orders|fills|trades`: what is stored, read beside a running instance. */
import { Option } from "commander";
import type { Command } from "commander";
import { loadConfig } from "../config/load-config.ts";
import { formatMoney } from "../domain/amounts.ts";
import { slotName } from "../domain/ids.ts";
import { formatQuantity } from "../domain/instrument.ts";
import type { BotSummary, DayRow, FillRow, OrderRow, Storage, TradeRow } from "../storage/storage.ts";
import { openExisting } from "./open-existing.ts";
import { parseWholeNumber } from "./parse-options.ts";
import { formatTable } from "./table.ts";

interface Options {
  readonly config: string;
  readonly json?: boolean;
  readonly limit: number;
  readonly open?: boolean;
  readonly by?: string;
}

/** One kind of list: how it is read, its rows as JSON, and its columns. */
interface Listing<Row> {
  readonly read: (storage: Storage, options: Options) => Promise<readonly Row[]>;
  readonly toJson: (row: Row) => object;
  readonly columns: Readonly<Record<string, (row: Row) => string>>;
}

const BOTS: Listing<BotSummary> = {
  read: async (storage) => storage.listBots(),
  toJson: describeBot,
  columns: {
    bot: ({ bot }) => bot.code,
    symbol: ({ bot }) => bot.market.symbol,
    mode: ({ mode }) => mode,
    orders: ({ workingOrders }) => String(workingOrders),
    position: ({ bot, totals }) => formatQuantity(bot.instrument, totals.position),
    fills: ({ totals }) => String(totals.fills),
    trades: ({ totals }) => String(totals.trades),
    "grid profit": ({ totals }) => formatMoney(totals.gridProfit),
    "inventory pnl": ({ totals }) => formatMoney(totals.inventoryPnl),
    fees: ({ totals }) => formatMoney(totals.fees),
  },
};

const ORDERS: Listing<OrderRow> = {
  read: async (storage, { limit, open }) => storage.listOrders({ limit, ...(open ? { working: true } : {}) }),
  toJson: withoutCursor,
  columns: {
    id: ({ id }) => id,
    symbol: ({ symbol }) => symbol,
    slot: ({ slot }) => slotName(slot),
    side: ({ side }) => side,
    gen: ({ generation }) => String(generation),
    type: ({ type }) => type,
    status: ({ status }) => status,
    price: ({ price }) => price,
    quantity: ({ quantity }) => quantity,
    executed: ({ executed }) => executed,
    updated: ({ updatedAt }) => isoTime(updatedAt),
  },
};

const FILLS: Listing<FillRow> = {
  read: async (storage, { limit }) => storage.listFills({ limit }),
  toJson: withoutCursor,
  columns: {
    time: ({ at }) => isoTime(at),
    symbol: ({ symbol }) => symbol,
    trade: ({ tradeId }) => tradeId,
    slot: ({ slot }) => slotName(slot),
    side: ({ side }) => side,
    price: ({ price }) => price,
    quantity: ({ quantity }) => quantity,
    fee: ({ fee }) => fee,
    asset: ({ feeAsset }) => feeAsset,
    as: ({ liquidity }) => liquidity,
  },
};

const TRADES: Listing<TradeRow> = {
  read: async (storage, { limit }) => storage.listTrades({ limit }),
  toJson: withoutCursor,
  columns: {
    time: ({ at }) => isoTime(at),
    symbol: ({ symbol }) => symbol,
    slot: ({ slot }) => slotName(slot),
    origin: ({ origin }) => origin,
    quantity: ({ quantity }) => quantity,
    bought: ({ buyQuote }) => buyQuote,
    sold: ({ sellQuote }) => sellQuote,
    profit: ({ profit }) => profit,
  },
};

const DAYS: Listing<DayRow> = {
  read: async (storage, { limit }) => storage.listDays({ limit }),
  toJson: ({ cursor: _, day, ...row }) => ({ day: day ?? null, ...row }),
  columns: {
    day: ({ day }) => day ?? "earlier",
    bot: ({ bot }) => bot,
    symbol: ({ symbol }) => symbol,
    fills: ({ fills }) => String(fills),
    trades: ({ trades }) => String(trades),
    "grid profit": ({ gridProfit }) => gridProfit,
    "inventory pnl": ({ inventoryPnl }) => inventoryPnl,
    fees: ({ fees }) => fees,
    position: ({ position }) => position,
  },
};

export function addListCommands(program: Command): void {
  addListing(program, "bots", "list the bots and what they have earned", shower(BOTS));
  addListing(program, "orders", "list orders, newest first", shower(ORDERS)).option(
    "--open",
    "only unfinished ones",
  );
  addListing(program, "fills", "list fills, newest first", shower(FILLS));
  addListing(
    program,
    "trades",
    "list completed trades, and sells of what was bought at the start (origin initial), newest first",
    shower(TRADES),
  );
  const [perBot, perDay] = [shower(BOTS), shower(DAYS)];
  addListing(program, "stats", "sum up what was earned, per bot or per day (UTC)", (storage, options) =>
    options.by === "day" ? perDay(storage, options) : perBot(storage, options),
  ).addOption(
    new Option("--by <what>", "one row per bot, or per bot and day").choices(["bot", "day"]).default("bot"),
  );
}

/** Reads a list and prints it. */
type Show = (storage: Storage, options: Options) => Promise<void>;

function addListing(program: Command, name: string, description: string, show: Show): Command {
  return program
    .command(name)
    .description(description)
    .requiredOption("-c, --config <file>", "config file")
    .option("-n, --limit <rows>", "at most so many rows", parseWholeNumber("--limit"), 50)
    .option("--json", "one JSON array")
    .action(async (options: Options) => {
      const storage = await openExisting(await loadConfig(options.config), options.config);
      try {
        await show(storage, options);
      } finally {
        await storage.close();
      }
    });
}

function shower<Row>({ read, toJson, columns }: Listing<Row>): Show {
  return async (storage, options) => {
    const rows = await read(storage, options);
    if (options.json) {
      process.stdout.write(`${JSON.stringify(rows.map(toJson), null, 2)}\n`);
      return;
    }
    const cells = rows.map((row) => Object.values(columns).map((column) => column(row)));
    process.stdout.write(rows.length === 0 ? "none\n" : `${formatTable(Object.keys(columns), cells)}\n`);
  };
}

function describeBot({ bot, mode, modeReason, totals, workingOrders }: BotSummary): object {
  const { instrument, market } = bot;
  return {
    bot: bot.code,
    ...market,
    settings: JSON.parse(bot.settings) as unknown,
    mode,
    modeReason,
    workingOrders,
    position: formatQuantity(instrument, totals.position),
    fills: totals.fills,
    trades: totals.trades,
    inventorySells: totals.inventorySells,
    gridProfit: formatMoney(totals.gridProfit),
    inventoryPnl: formatMoney(totals.inventoryPnl),
    fees: formatMoney(totals.fees),
  };
}

function withoutCursor(row: { readonly cursor: string }): object {
  const { cursor: _, ...rest } = row;
  return rest;
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
