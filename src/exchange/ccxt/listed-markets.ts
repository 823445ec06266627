/** The spot markets that an exchange lists, with their rules as decimal text. */
import { formatMoney } from "../../domain/amounts.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import { formatQuantity } from "../../domain/instrument.ts";
import type { CcxtClient, CcxtRecord } from "./ccxt-client.ts";
import { toInstrument } from "./ccxt-normalize.ts";
import type { Dialect } from "./dialect.ts";

export interface ListedMarket {
  /** `BTC/USDT`. */
  readonly symbol: string;
  readonly base: string;
  readonly quote: string;
  readonly tickSize: string;
  readonly lotSize: string;
  readonly minQuantity: string;
  /** Smallest value of an order, in quote. */
  readonly minNotional: string;
  /** As the exchange publishes them for everybody; undefined where it does not. */
  readonly makerFee: string | undefined;
  readonly takerFee: string | undefined;
  /** So many orders of an account may rest; undefined where the exchange does not tell. */
  readonly mostOpenOrders: number | undefined;
}

export interface MarketList {
  /** By symbol. */
  readonly markets: readonly ListedMarket[];
  /** Spot markets that are traded, but whose rules make no sense to us. */
  readonly unreadable: readonly string[];
}

/** Those that are traded at present. */
export function listMarkets(
  exchange: string,
  client: Pick<CcxtClient, "markets" | "precisionMode">,
  dialect: Pick<Dialect, "mostOpenOrders">,
): MarketList {
  const markets: ListedMarket[] = [];
  const unreadable: string[] = [];
  for (const [symbol, market] of Object.entries(client.markets ?? {})) {
    if (market["spot"] !== true || market["active"] === false) continue;
    try {
      const mostOpenOrders = dialect.mostOpenOrders(market);
      markets.push({ ...describe(exchange, market, client.precisionMode), mostOpenOrders });
    } catch (error) {
      if (!(error instanceof QuantmeshError) || error.code === "INVARIANT") throw error;
      unreadable.push(symbol);
    }
  }
  const bySymbol = (a: { readonly symbol: string }, b: { readonly symbol: string }): number =>
    a.symbol < b.symbol ? -1 : 1;
  return { markets: markets.sort(bySymbol), unreadable: unreadable.sort() };
}

function describe(
  exchange: string,
  market: CcxtRecord,
  precisionMode: number,
): Omit<ListedMarket, "mostOpenOrders"> {
  const [makerFee, takerFee] = [feeOf(market["maker"]), feeOf(market["taker"])];
  const fees = { maker: makerFee ?? "0", taker: takerFee ?? "0" };
  const instrument = toInstrument(exchange, market, precisionMode, fees);
  const { symbol, base, quote, tickSize, lotSize, minQuantity, minNotional } = instrument;
  return {
    symbol,
    base,
    quote,
    tickSize: formatMoney(tickSize),
    lotSize: formatMoney(lotSize),
    minQuantity: formatQuantity(instrument, minQuantity),
    minNotional: formatMoney(minNotional),
    makerFee,
    takerFee,
  };
}

function feeOf(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}
