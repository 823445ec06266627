/** The market that a config trades on: the simulated one, or a real exchange in one of its modes. */
import type { Config, RealExchangeConfig } from "../config/schema.ts";
import { isRealExchange } from "../config/real-exchange-schema.ts";
import { parseMoney } from "../domain/amounts.ts";
import { invariant } from "../domain/assert.ts";
import { QuantmeshError } from "../domain/errors.ts";
import { parsePrice } from "../domain/instrument.ts";
import type { Log } from "../domain/log.ts";
import type { Metrics } from "../domain/metrics.ts";
import type { CcxtOptions } from "../exchange/ccxt/open-ccxt-exchange.ts";
import type { SharedLimits } from "../exchange/limits/choose-windows.ts";
import type { PriceSource } from "../exchange/paper/dry-run-exchange.ts";
import { createDryRunExchange } from "../exchange/paper/dry-run-exchange.ts";
import { NO_FAULT_COUNTS } from "../exchange/sim/fault-dice.ts";
import { realClock } from "../exchange/sim/real-clock.ts";
import type { SimMarket } from "../exchange/sim/sim-exchange.ts";
import { openSimExchange } from "../exchange/sim/sim-exchange.ts";
import type { SimSymbol } from "../exchange/sim/sim-market.ts";
import type { CheckedGrid } from "./check-grids.ts";
import { readKeys } from "./exchange-keys.ts";
import { namingRemedy } from "./naming-remedy.ts";
import { instancesOf } from "./shared-limits.ts";
import { crowdOptions, faultOptions } from "./sim-options.ts";

/** A market of either kind; a real one moves by itself. */
export type Market = SimMarket;

/** The name and the config of the real exchange that is traded; undefined on the simulated market. */
export function realExchangeOf(
  config: Config,
): { readonly name: string; readonly real: RealExchangeConfig } | undefined {
  const name = config.trading.symbols[0]?.exchange ?? config.app.current_exchange;
  const real = isRealExchange(name) ? config.exchanges[name] : undefined;
  return real && { name, real };
}

/** Opens the real exchange in its mode; undefined on the simulated market. ccxt is loaded here, and only then. */
export async function openRealMarket(
  config: Config,
  log: Log,
  metrics: Metrics,
  shared?: SharedLimits,
): Promise<Market | undefined> {
  const found = realExchangeOf(config);
  if (!found) return undefined;
  const { name, real } = found;
  const { mode, allow_withdrawal_key: mayWithdraw } = real;
  const keys = readKeys(name, real, process.env);
  const options = { ...ccxtOptions(name, real, log, metrics), instances: instancesOf(config, real), shared };
  log.info({ exchange: name, mode, account: options.account }, "exchange.opening");
  const { openCcxtExchange, openCcxtPrices } = await import("../exchange/ccxt/open-ccxt-exchange.ts");
  if (mode === "dry_run") {
    const source = await namingRemedy<PriceSource>(name, () =>
      keys ? openCcxtExchange({ ...options, keys, mayWithdraw }) : openCcxtPrices(options),
    );
    return movingMarket(createDryRunExchange(source, log));
  }
  if (mode === "paper") {
    const { openPaperExchange } = await import("./paper-market.ts");
    const symbols = config.trading.symbols.map(({ symbol }) => symbol);
    const prices = await namingRemedy(name, () => openCcxtPrices(options));
    return movingMarket(await openPaperExchange(options, real.paper, symbols, prices));
  }
  if (!keys) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `exchanges.${name}: mode ${mode} needs api_key and secret_key, a key_file, ` +
        `or ${name.toUpperCase()}_API_KEY and ${name.toUpperCase()}_SECRET_KEY in the environment`,
    );
  }
  return movingMarket(await namingRemedy(name, () => openCcxtExchange({ ...options, keys, mayWithdraw })));
}

/** Prices and rules of the exchange that the config trades on, without keys; undefined on the simulated market. */
export async function openPrices(
  config: Config,
  log: Log,
  metrics: Metrics,
): Promise<PriceSource | undefined> {
  const found = realExchangeOf(config);
  if (!found) return undefined;
  const { openCcxtPrices } = await import("../exchange/ccxt/open-ccxt-exchange.ts");
  return namingRemedy(found.name, () => openCcxtPrices(ccxtOptions(found.name, found.real, log, metrics)));
}

/** Opens the simulated market where its journal left it. */
export async function openSim(config: Config, grids: readonly CheckedGrid[]): Promise<Market> {
  const { sim } = config.exchanges;
  const balances = Object.fromEntries(
    Object.entries(sim.balances).map(([asset, amount]) => [asset, parseMoney(amount)]),
  );
  return openSimExchange({
    name: "sim",
    account: sim.account,
    journalFile: sim.journal,
    balances,
    symbols: grids.map(simSymbol),
    requestWindowMs: sim.request_window_ms,
    settleMs: sim.settle_ms,
    feeAsset: sim.fee_asset,
    ...(sim.faults ? { faults: faultOptions(sim.faults) } : {}),
    ...(sim.crowd ? { crowd: crowdOptions(sim.crowd) } : {}),
  });
}

/** How the exchange `name` is opened, keys aside. */
export function ccxtOptions(name: string, real: RealExchangeConfig, log: Log, metrics: Metrics): CcxtOptions {
  const { mode, maker_fee: maker, taker_fee: taker, limits, urls } = real;
  return {
    exchange: name,
    // Orders of one mode are never taken for those of another.
    account: mode === "live" ? real.account : `${real.account}.${mode}`,
    isSandbox: mode === "sandbox" && urls === undefined,
    urls,
    requestWindowMs: real.request_window_ms,
    settleMs: real.settle_ms,
    fees: maker !== undefined && taker !== undefined ? { maker, taker } : undefined,
    limits: {
      maxOrderValue: limits.max_order_value === undefined ? undefined : parseMoney(limits.max_order_value),
      maxOpenOrders: limits.max_open_orders,
      maxOrdersPerMinute: limits.max_orders_per_minute,
    },
    mostOf: ({ counts, perMs }) => {
      if (counts === "weight") return limits.weight_per_minute;
      return perMs === 10_000 ? limits.orders_per_10_seconds : undefined;
    },
    clock: realClock,
    log,
    metrics,
  };
}

/** A market that nobody here moves. */
function movingMarket(exchange: Market["exchange"]): Market {
  return {
    exchange,
    clock: realClock,
    drive: async (_idle, signal) => {
      if (signal.aborted) return;
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    },
    progress: () => ({ position: 0, total: undefined }),
    faults: () => NO_FAULT_COUNTS,
    close: async () => exchange.close(),
  };
}

function simSymbol({ instrument, market, candles }: CheckedGrid): SimSymbol {
  invariant(market !== undefined, "a symbol of the simulated market has a market");
  if (market.type === "replay") {
    invariant(candles !== undefined, "a replay has candles");
    return { instrument, market: { type: "replay", candles, fill: market.fill } };
  }
  const { seed, reversion, step_ms: stepMs } = market;
  const startPrice = parsePrice(instrument, market.start_price);
  const stepTicks = parsePrice(instrument, market.step);
  return { instrument, market: { type: "walk", seed, startPrice, stepTicks, reversion, stepMs } };
}
