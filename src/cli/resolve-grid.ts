/** The grid that a back-test runs: from flags, from a config, or a config's range grid with flags over it. */
import { loadConfig } from "../config/load-config.ts";
import type { Config } from "../config/schema.ts";
import { formatMoney } from "../domain/amounts.ts";
import { formatDecimal } from "../domain/decimal.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { Instrument } from "../domain/instrument.ts";
import { createInstrument } from "../domain/instrument.ts";
import type { StoredRules } from "../backtest/history/candle-store.ts";
import { DEFAULT_RULES } from "../strategy/settings.ts";
import type { Amount, GridRules, GridSettings, RangeSettings, Spacing } from "../strategy/settings.ts";
import { simInstrument } from "./check-grids.ts";
import { gridRules, gridSettings } from "./grid-config.ts";
import { realExchangeOf } from "./open-market.ts";
import { meansSymbol } from "./symbol-name.ts";

export interface GridOptions {
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
}

/** One grid of the config, or the flags alone. */
export interface GridChoice {
  /** `BTC/USDT`, or what the user has written where no config knows it. */
  readonly symbol: string;
  /** Where the config trades it; undefined without one and on the simulated market. */
  readonly exchange: string | undefined;
  readonly configured: { readonly settings: GridSettings; readonly rules: GridRules } | undefined;
  /** The rules that the config gives its simulated market. */
  readonly instrument: Instrument | undefined;
}

export interface ResolvedGrid {
  readonly instrument: Instrument;
  readonly settings: GridSettings;
  readonly rules: GridRules;
  /** So many orders the market lets rest; undefined where nobody said. */
  readonly mostOpenOrders: number | undefined;
}

/**
 * The grids that the options name: that of `--symbol`, else all of the config. `isStored`: of a real exchange the stored
 * rules count, not those of a simulated market of that name. Throws CONFIG_INVALID where there is no grid.
 */
export async function chooseGrids(options: GridOptions, isStored: boolean): Promise<readonly GridChoice[]> {
  const { config: file, symbol } = options;
  if (file === undefined) {
    const named = given("symbol", symbol).replace("-", "/");
    return [{ symbol: named, exchange: undefined, configured: undefined, instrument: undefined }];
  }
  const config = await loadConfig(file);
  const { symbols } = config.trading;
  const grids = symbols.filter((grid) => symbol === undefined || meansSymbol(symbol, grid.symbol));
  if (grids.length === 0) throw usage(`${file} has no grid for ${symbol ?? "any symbol"}`);
  const exchange = realExchangeOf(config)?.name;
  return grids.map((grid) => ({
    symbol: grid.symbol,
    exchange,
    configured: { settings: gridSettings(grid), rules: gridRules(grid) },
    instrument: exchange !== undefined && isStored ? undefined : simRules(config, grid.symbol),
  }));
}

function simRules(config: Config, symbol: string): Instrument | undefined {
  return config.exchanges.sim.symbols[symbol] ? simInstrument(config, symbol) : undefined;
}

/** `stored`: the market's rules beside its candles, for what neither flags nor config say. */
export function resolveGrid(
  choice: GridChoice,
  options: GridOptions,
  stored: StoredRules | undefined,
): ResolvedGrid {
  const { configured } = choice;
  const base = choice.instrument ? rulesOf(choice.instrument) : stored;
  const instrument = resolveInstrument(choice.symbol, options, base);
  const rules = configured?.rules ?? DEFAULT_RULES;
  const mostOpenOrders = choice.instrument ? undefined : stored?.mostOpenOrders;
  const grid = configured?.settings;
  if (grid?.lattice === "window") {
    const flag = RANGE_FLAGS.find((name) => options[name] !== undefined);
    if (flag) throw usage(`--${flag} is for range grids; ${options.config} has a window grid`);
    return { instrument, settings: grid, rules, mostOpenOrders };
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
  return { instrument, settings, rules, mostOpenOrders };
}

const RANGE_FLAGS = ["lower", "upper", "grids", "spacing", "initial", "investment"] as const;

function resolveInstrument(
  symbol: string,
  options: GridOptions,
  base: Partial<StoredRules> | undefined,
): Instrument {
  return createInstrument({
    exchange: "sim",
    symbol,
    tickSize: given("tick", options.tick, base?.tickSize),
    lotSize: given("lot", options.lot, base?.lotSize),
    ...(base?.minQuantity === undefined || options.lot !== undefined
      ? {}
      : { minQuantity: base.minQuantity }),
    minNotional: options.minNotional ?? base?.minNotional ?? "0",
    makerFee: options.makerFee ?? options.fee ?? base?.makerFee ?? "0.001",
    takerFee: options.takerFee ?? options.fee ?? base?.takerFee ?? "0.001",
  });
}

/** What a config says of its simulated market; its smallest quantity has never counted in a back-test. */
function rulesOf(instrument: Instrument): Partial<StoredRules> {
  return {
    tickSize: formatMoney(instrument.tickSize),
    lotSize: formatMoney(instrument.lotSize),
    minNotional: formatMoney(instrument.minNotional),
    makerFee: formatDecimal(instrument.makerFee),
    takerFee: formatDecimal(instrument.takerFee),
  };
}

function given(name: string, value: string | undefined, fallback?: string): string {
  if (value !== undefined) return value;
  if (fallback !== undefined) return fallback;
  throw usage(`--${name} is missing: give it, or a config file with -c`);
}

function amountOf(options: GridOptions): Amount | undefined {
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
