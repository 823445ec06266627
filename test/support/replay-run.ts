/** Replays candles through a whole instance in this process, and through a back-test, for comparison. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { resolveRules } from "../../src/strategy/rules.ts";
import { runBacktest } from "../../src/backtest/run-backtest.ts";
import type { PortWrappers, RunningInstance } from "../../src/cli/run-instance.ts";
import { startInstance } from "../../src/cli/run-instance.ts";
import { checkGrids } from "../../src/cli/check-grids.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import type { Config } from "../../src/config/schema.ts";
import { formatMoney } from "../../src/domain/amounts.ts";
import { invariant } from "../../src/domain/assert.ts";
import type { Execution } from "../../src/domain/fill.ts";
import type { Totals, Trade } from "../../src/domain/grid.ts";
import type { OrderRef } from "../../src/domain/order.ts";
import type { Exchange } from "../../src/exchange/exchange.ts";
import type { AuditEntry } from "../../src/exchange/sim/read-audit.ts";
import { readAudit } from "../../src/exchange/sim/read-audit.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { decodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import type { KeptLine } from "./kept-log.ts";
import { logInto } from "./kept-log.ts";

export interface ReplayGrid {
  readonly symbol: string;
  readonly candleFile: string;
  readonly lower: number;
  readonly upper: number;
  readonly grids: number;
  readonly spacing?: "arithmetic" | "geometric";
  readonly initial?: "buy" | "none";
}

/** A config that replays every grid's candles with `touch`; the file, its database and its journal are in `folder`. */
export async function replayConfig(folder: string, grids: readonly ReplayGrid[]): Promise<Config> {
  const symbols = grids.map(
    ({ symbol, candleFile }) =>
      `      ${symbol}: { tick_size: 0.01, lot_size: 0.00001, market: { type: replay, file: ${candleFile}, fill: touch } }`,
  );
  const trading = grids.map(
    ({ symbol, lower, upper, grids: cells, spacing = "arithmetic", initial = "buy" }) =>
      `    - { symbol: ${symbol}, lower: ${lower}, upper: ${upper}, grids: ${cells}, spacing: ${spacing}, initial: ${initial}, order_quantity: 100 }`,
  );
  const text = `exchanges:
  sim:
    fee_rate: 0.001
    balances: { USDT: 1000000 }
    journal: ${join(folder, "venue.journal")}
    symbols:
${symbols.join("\n")}
trading:
  symbols:
${trading.join("\n")}
database: { dsn: ${join(folder, "quantmesh.db")} }
web: { enabled: false }
`;
  const file = join(folder, "replay.yaml");
  writeFileSync(file, text);
  return loadConfig(file);
}

/** A fill as both worlds tell it: trade ids are each exchange's own. */
export interface FillLine {
  readonly slot: number;
  readonly side: string;
  readonly generation: number;
  readonly price: number;
  readonly quantity: number;
  readonly fee: string;
  readonly at: number;
}

/** What one bot's replay left behind, and what the exchange says of it. */
export interface ReplayEnd {
  readonly symbol: string;
  /** In the order of storing. */
  readonly fills: readonly FillLine[];
  readonly trades: readonly Trade[];
  readonly totals: Totals;
  readonly resting: readonly string[];
  readonly unresolved: number;
  /** From the exchange's own list. */
  readonly exchangeFills: readonly FillLine[];
  readonly exchangeOpen: readonly string[];
}

export interface Replay {
  readonly bots: readonly ReplayEnd[];
  readonly balances: Readonly<Record<string, string>>;
  readonly audit: readonly AuditEntry[];
  readonly log: readonly KeptLine[];
}

/**
 * Replays to the end of the data, or until `signal` aborts. `onStart` is called before the market moves; `books` is where
 * the end is read from, unless it is the config's own database.
 */
export async function replay(
  config: Config,
  wrappers: PortWrappers = {},
  onStart: (running: RunningInstance, storage: Storage) => void = () => undefined,
  {
    books,
    signal = new AbortController().signal,
  }: { readonly books?: Storage; readonly signal?: AbortSignal } = {},
): Promise<Replay> {
  const log: KeptLine[] = [];
  let exchange: Exchange | undefined;
  let storage: Storage | undefined;
  const running = await startInstance(config, logInto(log), {
    ...wrappers,
    exchange: (real) => {
      exchange = real;
      return wrappers.exchange?.(real) ?? real;
    },
    storage: (real) => {
      storage = real;
      return wrappers.storage?.(real) ?? real;
    },
  });
  invariant(exchange !== undefined && storage !== undefined, "an instance has an exchange and a storage");
  try {
    onStart(running, storage);
    await running.run(signal);
    return await readReplay(exchange, books ?? storage, config, log);
  } finally {
    await running.close("end of data");
  }
}

export interface BacktestEnd {
  readonly symbol: string;
  readonly fills: readonly FillLine[];
  readonly totals: Totals;
}

/** The back-test of every grid of the config, each on the bot that an instance would set up. */
export async function backtest(config: Config): Promise<readonly BacktestEnd[]> {
  const grids = await checkGrids(config);
  return grids.map(({ symbol, preview, candles, rules }) => {
    invariant(candles !== undefined, "a replay has candles");
    const fills: FillLine[] = [];
    const { state } = runBacktest({
      bot: preview,
      rules: resolveRules(preview, rules),
      candles,
      fill: "touch",
      onFill: (order, execution) => fills.push(fillLine(order, execution)),
    });
    return { symbol, fills, totals: state.totals };
  });
}

async function readReplay(
  exchange: Exchange,
  storage: Storage,
  config: Config,
  log: readonly KeptLine[],
): Promise<Replay> {
  const bots: ReplayEnd[] = [];
  for (const { bot, totals } of await storage.listBots()) {
    const { symbol } = bot.market;
    const { working } = await storage.loadLedger(bot);
    const orders = await exchange.ordersSince(symbol, bot.createdAt);
    const idOf = new Map(orders.map(({ exchangeOrderId, id }) => [exchangeOrderId, id]));
    bots.push({
      symbol,
      fills: (await storage.fillsOf(bot)).map((fill) => fillLine(refOf(fill.id), fill)),
      trades: await storage.tradesOf(bot),
      totals,
      resting: working
        .filter(({ order }) => order.kind === "open")
        .map(({ order }) => order.terms.id)
        .sort(),
      unresolved: working.filter(({ order }) => order.kind !== "open").length,
      exchangeFills: (await exchange.fillsSince(symbol, undefined)).fills.map((fill) =>
        fillLine(refOf(idOf.get(fill.exchangeOrderId)), fill),
      ),
      exchangeOpen: (await exchange.openOrders(symbol)).map(({ id }) => String(id)).sort(),
    });
  }
  const balances = await exchange.balances();
  return {
    bots,
    balances: Object.fromEntries(
      balances.map(({ asset, free, locked }) => [asset, formatMoney((free + locked) as typeof free)]),
    ),
    audit: readAudit(config.exchanges.sim.journal),
    log,
  };
}

function refOf(id: string | undefined): Omit<OrderRef, "id"> {
  const name = decodeClientOrderId(id ?? "");
  invariant(name !== undefined, `the exchange has an order "${id}" that is not ours`);
  return name;
}

function fillLine({ slot, side, generation }: Omit<OrderRef, "id">, execution: Execution): FillLine {
  const { price, quantity, fee, at } = execution;
  return { slot, side, generation, price, quantity, fee: formatMoney(fee), at };
}
