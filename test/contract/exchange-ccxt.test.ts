/** The exchange contract, kept by the ccxt adapter against the venue's server: real HTTP, real WebSockets. */
import { afterAll, beforeAll } from "vitest";
import type { PriceTicks, QuantityLots } from "../../src/domain/amounts.ts";
import { createInstrument, formatPrice } from "../../src/domain/instrument.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { startVenueProcess } from "../support/venue-process.ts";
import { openOnVenue } from "../support/ccxt-on-venue.ts";
import type { ExchangeFixture } from "./describe-exchange.ts";
import { describeExchange } from "./describe-exchange.ts";

/** One market and one account for each test: nobody sees what another left. */
const MARKETS = 60;
const PRICE = 10_000 as PriceTicks;

const symbolOf = (market: number): string => `C${market}/USDT`;
let venue: VenueProcess;
let next = 0;

beforeAll(async () => {
  const markets = Array.from({ length: MARKETS }, (_, index) => index);
  venue = await startVenueProcess({
    fee_asset: "quote",
    maker_fee: "0.001",
    taker_fee: "0.002",
    accounts: Object.fromEntries(
      markets.map((market) => [`account${market}`, { USDT: "1000000", [`C${market}`]: "1000" }]),
    ),
    symbols: Object.fromEntries(
      markets.map((market) => [
        symbolOf(market),
        {
          tick_size: "0.01",
          lot_size: "0.001",
          min_notional: "5",
          market: { type: "manual", start_price: "100" },
        },
      ]),
    ),
    keys_list: markets.map((market) => ({
      api_key: `key-of-${market}`,
      secret_key: `secret-of-${market}`,
      account: `account${market}`,
      permissions: ["read", "trade"],
    })),
  });
});
afterAll(async () => venue.server.stop());

describeExchange("ccxt against a venue's server", open);

async function open(): Promise<ExchangeFixture> {
  const market = next;
  next += 1;
  const symbol = symbolOf(market);
  const instrument = createInstrument({
    exchange: "binance",
    symbol,
    tickSize: "0.01",
    lotSize: "0.001",
    minNotional: "5",
    makerFee: "0.001",
    takerFee: "0.002",
  });
  const exchange = await openOnVenue(venue, {
    key: { apiKey: `key-of-${market}`, secret: `secret-of-${market}` },
  });
  return {
    exchange,
    instrument,
    price: PRICE,
    quantity: 100 as QuantityLots,
    movePrice: async (price) => venue.admin.move(symbol, formatPrice(instrument, price)),
    close: async () => exchange.close(),
  };
}
