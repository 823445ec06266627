/** Opens what an exchange tells everybody, as the user names it: by `--exchange`, or by a config with its addresses and limits. */
import { loadConfig } from "../config/load-config.ts";
import { isRealExchange } from "../config/real-exchange-schema.ts";
import type { Config } from "../config/schema.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { ListedMarket } from "../exchange/ccxt/listed-markets.ts";
import type { MarketData, MarketDataOptions } from "../exchange/ccxt/open-market-data.ts";
import { realClock } from "../exchange/sim/real-clock.ts";
import { namingRemedy } from "./naming-remedy.ts";
import { realExchangeOf } from "./open-market.ts";
import { meansSymbol } from "./symbol-name.ts";

export interface ExchangeChoice {
  readonly config?: string;
  readonly exchange?: string;
}

export interface ChosenMarketData {
  readonly data: MarketData;
  /** Where one was named. */
  readonly config: Config | undefined;
  /** Address of the private server that the config puts in the exchange's place. */
  readonly server: string | undefined;
}

/**
 * `kind`: a testnet's `rules` are what is traded by there; its candles are of no use, and are the exchange's own.
 * Throws CONFIG_INVALID where no exchange is named anywhere.
 */
export async function openChosenMarketData(
  choice: ExchangeChoice,
  kind: "rules" | "candles",
): Promise<ChosenMarketData> {
  const config = choice.config === undefined ? undefined : await loadConfig(choice.config);
  const name = choice.exchange ?? (config && realExchangeOf(config)?.name);
  if (name === undefined) {
    throw usage(
      config
        ? `${choice.config} trades on the simulated market: give --exchange`
        : "--exchange is missing: give it, like --exchange binance, or a config with -c",
    );
  }
  const { openMarketData } = await import("../exchange/ccxt/open-market-data.ts");
  const options = optionsFor(name, config);
  const data = await namingRemedy(name, () =>
    openMarketData(kind === "candles" ? { ...options, isSandbox: false } : options),
  );
  return { data, config, server: options.urls?.rest };
}

/** The listed market that `name` means: BTC/USDT, BTC-USDT or BTCUSDT. Throws CONFIG_INVALID where it is none or several. */
export function findMarket({ name: exchange, list }: MarketData, name: string): ListedMarket {
  const [found, second] = list.markets.filter(({ symbol }) => meansSymbol(name, symbol));
  if (found && !second) return found;
  const remedy = `\`quantmesh list-markets --exchange ${exchange}\` shows them`;
  if (found && second) {
    throw usage(`${name} may be ${found.symbol} or ${second.symbol} on ${exchange}: write it with a slash`);
  }
  if (list.unreadable.some((symbol) => meansSymbol(name, symbol))) {
    throw usage(`the rules of ${name} on ${exchange} make no sense here, so it cannot be used`);
  }
  throw usage(`${exchange} has no spot market ${name} that is traded at present; ${remedy}`);
}

function optionsFor(exchange: string, config: Config | undefined): MarketDataOptions {
  const real = config && isRealExchange(exchange) ? config.exchanges[exchange] : undefined;
  if (!real) return { exchange, clock: realClock };
  const { urls, mode, limits } = real;
  return {
    exchange,
    urls,
    isSandbox: mode === "sandbox" && urls === undefined,
    mostOf: ({ counts }) => (counts === "weight" ? limits.weight_per_minute : undefined),
    instances: limits.instances ?? 1,
    clock: realClock,
  };
}

function usage(message: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", message);
}
