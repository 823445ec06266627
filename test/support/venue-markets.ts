/** A venue with a market, an account and a key of its own for each of many drills. */
import type { VenueProcess } from "./venue-process.ts";
import { startVenueProcess } from "./venue-process.ts";

export interface DrillMarket {
  readonly symbol: string;
  readonly account: string;
  readonly apiKey: string;
  readonly secret: string;
}

export const QUOTE_AT_START = "1000000";
export const BASE_AT_START = "1000";

export function drillMarket(index: number): DrillMarket {
  return {
    symbol: `C${index}/USDT`,
    account: `account${index}`,
    apiKey: `key-of-${index}`,
    secret: `secret-of-${index}`,
  };
}

/** Starts a venue of `count` markets at a price of 100.00, moved by hand only; `changes` replace sections. */
export async function startVenueOfMarkets(
  count: number,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<VenueProcess> {
  const markets = Array.from({ length: count }, (_, index) => drillMarket(index));
  return startVenueProcess({
    accounts: Object.fromEntries(
      markets.map(({ symbol, account }) => [
        account,
        { USDT: QUOTE_AT_START, [symbol.replace("/USDT", "")]: BASE_AT_START },
      ]),
    ),
    symbols: Object.fromEntries(
      markets.map(({ symbol }) => [
        symbol,
        {
          tick_size: "0.01",
          lot_size: "0.001",
          min_notional: "5",
          max_quantity: "1000000000",
          max_notional: "1000000000000",
          market: { type: "manual", start_price: "100" },
        },
      ]),
    ),
    keys_list: markets.map(({ apiKey, secret, account }) => ({
      api_key: apiKey,
      secret_key: secret,
      account,
      permissions: ["read", "trade"],
    })),
    ...changes,
  });
}
