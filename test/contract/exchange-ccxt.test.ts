/** The exchange contract, kept by the ccxt adapter against the venue's server: real HTTP, real WebSockets. */
import { afterAll, beforeAll } from "vitest";
import type { PriceTicks, QuantityLots } from "../../src/domain/amounts.ts";
import { createInstrument, formatPrice } from "../../src/domain/instrument.ts";
import { openOnVenue } from "../support/ccxt-on-venue.ts";
import { drillMarket, startVenueOfMarkets } from "../support/venue-markets.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import type { ExchangeFixture } from "./describe-exchange.ts";
import { describeExchange } from "./describe-exchange.ts";

/** One market and one account for each test: nobody sees what another left. */
const MARKETS = 60;
let venue: VenueProcess;
let next = 0;

beforeAll(async () => {
  venue = await startVenueOfMarkets(MARKETS, {
    fee_asset: "quote",
    maker_fee: "0.001",
    taker_fee: "0.002",
  });
});
afterAll(async () => venue.server.stop());

describeExchange("ccxt against a venue's server", open);

async function open(): Promise<ExchangeFixture> {
  const market = drillMarket(next);
  next += 1;
  const { symbol } = market;
  const instrument = createInstrument({
    exchange: "binance",
    symbol,
    tickSize: "0.01",
    lotSize: "0.001",
    minNotional: "5",
    makerFee: "0.001",
    takerFee: "0.002",
  });
  const exchange = await openOnVenue(venue, { key: market });
  return {
    exchange,
    instrument,
    price: 10_000 as PriceTicks,
    quantity: 100 as QuantityLots,
    movePrice: async (price) => venue.admin.move(symbol, formatPrice(instrument, price)),
    close: async () => exchange.close(),
  };
}
