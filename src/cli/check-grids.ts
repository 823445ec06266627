/** Lays every configured grid out before anything is opened or written: what cannot trade is refused here. */
import type { Config, GridConfig } from "../config/schema.ts";
import type { PriceTicks } from "../domain/amounts.ts";
import { QuantmeshError, hasCode } from "../domain/errors.ts";
import type { MarketKey } from "../domain/claim.ts";
import type { Bot } from "../domain/grid.ts";
import { botCode } from "../domain/ids.ts";
import type { Instant } from "../domain/ids.ts";
import type { Log } from "../domain/log.ts";
import type { Instrument } from "../domain/instrument.ts";
import { createInstrument, parsePrice } from "../domain/instrument.ts";
import { createBot } from "../strategy/create-bot.ts";
import { resolveRules } from "../strategy/rules.ts";
import type { GridRules, GridSettings } from "../strategy/settings.ts";
import { fitOrderCount, sendsOrders } from "./fit-order-counts.ts";
import { gridRules, gridSettings } from "./grid-config.ts";
import type { PriceSource } from "../exchange/paper/dry-run-exchange.ts";
import { realExchangeOf } from "./open-market.ts";
import type { Candles } from "../venue/market/candles.ts";
import { loadCandles } from "../venue/market/candles.ts";

export type SymbolConfig = Config["exchanges"]["sim"]["symbols"][string];

/** A configured grid with all that it needs to start. */
export interface CheckedGrid {
  readonly symbol: string;
  readonly settings: GridSettings;
  readonly rules: GridRules;
  readonly instrument: Instrument;
  /** Of the simulated market. */
  readonly market: SymbolConfig["market"] | undefined;
  /** Of a replay. */
  readonly candles: Candles | undefined;
  /** The grid as it would be laid out at the market's first price; as it is where that is not possible any more. */
  readonly preview: Bot;
}

export interface GridChoice {
  /** These symbols alone are laid out. */
  readonly only?: ReadonlySet<string> | undefined;
  readonly findBot?: FindBot;
  readonly log?: Log;
}

/** The bot that trades a market already: whatever the price is now, its grid was laid out at another. */
export type FindBot = (market: MarketKey) => Promise<Bot | undefined>;

/**
 * Throws CONFIG_INVALID with the place and the numbers; reads candle files, writes nothing. `prices` tells the rules
 * and prices of a real exchange.
 */
export async function checkGrids(
  config: Config,
  prices?: Prices,
  { only, findBot, log }: GridChoice = {},
): Promise<readonly CheckedGrid[]> {
  checkTimes(config);
  const isSent = sendsOrders(realExchangeOf(config)?.real.mode ?? "sim");
  const check = async (grid: GridConfig, index: number): Promise<CheckedGrid> => {
    try {
      const checked = await checkOneGrid(config, grid, prices, findBot);
      return prices && isSent ? await fitOrderCount(checked, prices, grid.exchange, findBot, log) : checked;
    } catch (error) {
      if (!hasCode(error, "CONFIG_INVALID")) throw error;
      const place = `trading.symbols[${index}] (${grid.symbol})`;
      throw new QuantmeshError("CONFIG_INVALID", `${place}: ${error.message}`, { cause: error });
    }
  };
  const grids: CheckedGrid[] = [];
  const chosen = config.trading.symbols
    .map((grid, index) => ({ grid, index }))
    .filter(({ grid }) => only?.has(grid.symbol) ?? true);
  // A real exchange is asked for each symbol's price: some at a time, so that thousands do not take minutes.
  for (let from = 0; from < chosen.length; from += GRIDS_AT_ONCE) {
    const some = chosen.slice(from, from + GRIDS_AT_ONCE);
    grids.push(...(await Promise.all(some.map(({ grid, index }) => check(grid, index)))));
  }
  return grids;
}

const GRIDS_AT_ONCE = 20;

export type Prices = Pick<PriceSource, "instrument" | "price" | "account" | "mostOpenOrders">;

/** One grid by itself. Throws CONFIG_INVALID that names no place. */
export async function checkOneGrid(
  config: Config,
  grid: GridConfig,
  prices?: Prices,
  findBot?: FindBot,
): Promise<CheckedGrid> {
  return prices ? checkRealGrid(prices, grid, findBot) : checkGrid(config, grid);
}

/** What no single section can see. Throws CONFIG_INVALID. */
export function checkTimes(config: Config): void {
  const { distributed_lock: lock, exchanges, trading } = config;
  const found = realExchangeOf(config);
  const section = found ? `exchanges.${found.name}` : "exchanges.sim";
  const windowMs = found ? found.real.request_window_ms : exchanges.sim.request_window_ms;
  if (lock.default_ttl * 1000 < 3 * windowMs) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `distributed_lock.default_ttl: ${lock.default_ttl} s is less than three times ${section}.request_window_ms ` +
        `(${windowMs} ms): a request is sent only under a lock that outlives it; raise default_ttl`,
    );
  }
  if (found) return;
  const types = new Set(trading.symbols.map(({ symbol }) => exchanges.sim.symbols[symbol]?.market.type));
  if (types.size > 1) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      "exchanges.sim.symbols: walks, which move in real time, and replays, which do not, cannot be traded together",
    );
  }
}

export function simInstrument(config: Config, symbol: string): Instrument {
  const { sim } = config.exchanges;
  const rules = sim.symbols[symbol];
  if (!rules) throw new QuantmeshError("CONFIG_INVALID", `exchanges.sim.symbols has no ${symbol}`);
  return createInstrument({
    exchange: "sim",
    symbol,
    tickSize: rules.tick_size,
    lotSize: rules.lot_size,
    minQuantity: rules.min_quantity,
    minNotional: rules.min_notional,
    makerFee: sim.maker_fee,
    takerFee: sim.taker_fee,
  });
}

async function checkRealGrid(prices: Prices, grid: GridConfig, findBot?: FindBot): Promise<CheckedGrid> {
  const { symbol, exchange } = grid;
  const instrument = await prices.instrument(symbol);
  const { price } = await prices.price(symbol);
  const settings = gridSettings(grid);
  const rules = gridRules(grid);
  const market = { exchange, account: prices.account, symbol };
  const checked = { symbol, settings, rules, instrument, market: undefined, candles: undefined };
  try {
    const seed = { code: botCode("0".repeat(10)), market, instrument, settings, rules, price };
    return { ...checked, preview: createBot({ ...seed, createdAt: 0 as Instant }) };
  } catch (error) {
    // A new grid cannot begin at this price; one that is there must go on, be it only to close by its stop_loss.
    const bot = await findBot?.(market);
    if (!bot) throw error;
    resolveRules(bot, rules);
    return { ...checked, preview: bot };
  }
}

async function checkGrid(config: Config, grid: GridConfig): Promise<CheckedGrid> {
  const { symbol } = grid;
  const instrument = simInstrument(config, symbol);
  const market = config.exchanges.sim.symbols[symbol]?.market;
  if (!market) throw new QuantmeshError("CONFIG_INVALID", `exchanges.sim.symbols.${symbol} has no market`);
  const candles = market.type === "replay" ? await loadCandles(market.file, instrument.tickSize) : undefined;
  const startPrice = market.type === "replay" ? candles?.open[0] : parsePrice(instrument, market.start_price);
  const settings = gridSettings(grid);
  const rules = gridRules(grid);
  const preview = createBot({
    code: botCode("0".repeat(10)),
    market: { exchange: "sim", account: config.exchanges.sim.account, symbol },
    instrument,
    settings,
    rules,
    price: (startPrice ?? 0) as PriceTicks,
    createdAt: 0 as Instant,
  });
  return { symbol, settings, rules, instrument, market, candles, preview };
}
