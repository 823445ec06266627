/** The `exchanges` section: the simulated market, its account and its symbols, and the real exchanges. */
import { z } from "zod";
import { QuantmeshError } from "../domain/errors.ts";
import type { Instrument } from "../domain/instrument.ts";
import { createInstrument, parsePrice } from "../domain/instrument.ts";
import { crowdSchema, faultsSchema } from "./drill-schema.ts";
import { MAX_SEED, amount, choice, positiveAmount, section, share, text, wholeNumber } from "./fields.ts";
import type { RealExchangeName } from "./real-exchange-schema.ts";
import { REAL_EXCHANGES, realExchangeSchema } from "./real-exchange-schema.ts";

export const SIM = "sim";
const MAX_DELAY_MS = 3_600_000;
const MAX_REVERSION = 1_000_000;

/** Why an exchange is refused that nothing is known of. */
export function exchangeUnavailable(name: string): string {
  return `exchange "${name}" is not known; known are ${[SIM, ...REAL_EXCHANGES].join(", ")}`;
}

const market = z.discriminatedUnion(
  "type",
  [
    section({
      type: z.literal("walk").describe("A seeded random walk that pulls back towards its start."),
      seed: wholeNumber(0, MAX_SEED).default(1).describe("The same seed gives the same prices."),
      start_price: positiveAmount().describe("First price, in quote per base; a multiple of tick_size."),
      step: positiveAmount().describe("Largest move of one step, in quote; a multiple of tick_size."),
      reversion: wholeNumber(1, MAX_REVERSION)
        .default(1000)
        .describe("Steps in which the price is pulled back to its start: the fewer, the nearer it stays."),
      step_ms: wholeNumber(1, MAX_DELAY_MS)
        .default(1000)
        .describe("Time between two steps, in milliseconds."),
    }),
    section({
      type: z.literal("replay").describe("Prices from a file of candles."),
      file: text().describe("The candle file; a relative path starts at the current working directory."),
      fill: choice(["touch", "through"])
        .default("through")
        .describe("Whether an order fills when the price touches it, or only when it goes through it."),
    }),
  ],
  { error: (issue) => (issue.code === "invalid_union" ? "market type must be walk or replay" : undefined) },
);

const simSymbol = section({
  tick_size: positiveAmount().describe("Smallest step of a price, in quote."),
  lot_size: positiveAmount().describe("Smallest step of a quantity, in base."),
  min_quantity: positiveAmount()
    .optional()
    .describe("Smallest quantity of an order, in base; lot_size if left out."),
  min_notional: amount().default("0").describe("Smallest value of an order, in quote."),
  market: market.describe("Where the prices of this symbol come from."),
}).transform((symbol) => ({ ...symbol, min_quantity: symbol.min_quantity ?? symbol.lot_size }));

const symbolName = z
  .string()
  .regex(/^[A-Za-z0-9]+\/[A-Za-z0-9]+$/, "must be written BASE/QUOTE, like BTC/USDT");

const sim = section({
  account: text().default("main").describe("Name of the account on the simulated market."),
  fee_rate: share()
    .default("0.001")
    .describe("Fee as a share of the value traded, for maker_fee and taker_fee where they are left out."),
  maker_fee: share().optional().describe("Fee of an order that rested, as a share; fee_rate if left out."),
  taker_fee: share()
    .optional()
    .describe("Fee of an order that did not rest, as a share; fee_rate if left out."),
  fee_asset: choice(["quote", "base"])
    .default("quote")
    .describe(
      "What the fee of a buy is taken from: quote, or the base that was bought, as on real exchanges.",
    ),
  balances: z
    .record(text(), amount())
    .describe("What the account owns when the journal is new: asset → amount."),
  journal: text()
    .default("./data/sim-venue.journal")
    .describe(
      "File that remembers the simulated market; a relative path starts at the current working directory.",
    ),
  request_window_ms: wholeNumber(1, MAX_DELAY_MS)
    .default(1000)
    .describe("How long a signed request stays valid, in milliseconds."),
  settle_ms: wholeNumber(0, MAX_DELAY_MS)
    .default(2000)
    .describe("How late the market's own queries may be, in milliseconds."),
  faults: faultsSchema
    .optional()
    .describe("What goes wrong on the simulated market, for drills; nothing if left out."),
  crowd: crowdSchema
    .optional()
    .describe("Other users who trade against the bots; without them every limit finds unlimited depth."),
  symbols: z.record(symbolName, simSymbol).describe("The symbols of the market, by name: BTC/USDT."),
})
  .transform(({ fee_rate, maker_fee, taker_fee, ...rest }) => ({
    ...rest,
    maker_fee: maker_fee ?? fee_rate,
    taker_fee: taker_fee ?? fee_rate,
  }))
  .superRefine((exchange, context) => {
    for (const [symbol, rules] of Object.entries(exchange.symbols)) {
      const attempt = <Made>(path: readonly string[], make: () => Made): Made | undefined => {
        try {
          return make();
        } catch (error) {
          if (!(error instanceof QuantmeshError)) throw error;
          context.addIssue({ code: "custom", path: ["symbols", symbol, ...path], message: error.message });
          return undefined;
        }
      };
      const { market } = rules;
      const instrument = attempt([], () => instrumentOf(symbol, rules, exchange));
      if (instrument === undefined || market.type !== "walk") continue;
      attempt(["market", "start_price"], () => parsePrice(instrument, market.start_price));
      attempt(["market", "step"], () => parsePrice(instrument, market.step));
    }
  });

const real = (name: RealExchangeName) =>
  realExchangeSchema.optional().describe(`The exchange ${name}, through ccxt.`);

export const exchangesSchema = z.strictObject(
  {
    [SIM]: sim.prefault({ balances: {}, symbols: {} }).describe("The built-in simulated market."),
    binance: real("binance"),
    bybit: real("bybit"),
    okx: real("okx"),
    kucoin: real("kucoin"),
    gate: real("gate"),
    kraken: real("kraken"),
    bitmex: real("bitmex"),
    whitebit: real("whitebit"),
    hyperliquid: real("hyperliquid"),
    coinbase: real("coinbase"),
  } satisfies Record<RealExchangeName | typeof SIM, z.ZodType>,
  {
    error: (issue) =>
      issue.code === "unrecognized_keys" ? issue.keys.map(exchangeUnavailable).join("\n") : undefined,
  },
);

function instrumentOf(
  symbol: string,
  rules: z.output<typeof simSymbol>,
  fees: { readonly maker_fee: string; readonly taker_fee: string },
): Instrument {
  return createInstrument({
    exchange: SIM,
    symbol,
    tickSize: rules.tick_size,
    lotSize: rules.lot_size,
    minQuantity: rules.min_quantity,
    minNotional: rules.min_notional,
    makerFee: fees.maker_fee,
    takerFee: fees.taker_fee,
  });
}
