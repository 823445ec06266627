/** The config of `quantmesh venue`: everything has a default, so that the command alone starts something useful. */
import { z } from "zod";
import { crowdSchema } from "./drill-schema.ts";
import {
  MAX_SEED,
  amount,
  choice,
  flag,
  positiveAmount,
  section,
  share,
  text,
  wholeNumber,
} from "./fields.ts";

const MAX_DELAY_MS = 3_600_000;
const MAX_COUNT = 2 ** 31;

const market = z.discriminatedUnion(
  "type",
  [
    section({
      type: z.literal("walk").describe("A seeded random walk that pulls back towards its start."),
      seed: wholeNumber(0, MAX_SEED).default(1).describe("The same seed gives the same prices."),
      start_price: positiveAmount().describe("First price; a multiple of tick_size."),
      step: positiveAmount().describe("Largest move of one step, in quote; a multiple of tick_size."),
      reversion: wholeNumber(1, 1_000_000).default(1000).describe("Steps of the pull back to the start."),
      step_ms: wholeNumber(1, MAX_DELAY_MS).default(1000).describe("Time between two steps, in ms."),
    }),
    section({
      type: z.literal("replay").describe("Prices from a file of candles, in their own time."),
      file: text().describe("The candle file; a relative path starts at the working directory."),
      speed: wholeNumber(1, 1_000_000).default(1).describe("How many times as fast as real time."),
    }),
    section({
      type: z.literal("manual").describe("Only the admin port moves the price."),
      start_price: positiveAmount().describe("First price; a multiple of tick_size."),
    }),
  ],
  {
    error: (issue) =>
      issue.code === "invalid_union" ? "market type must be walk, replay or manual" : undefined,
  },
);

const symbol = section({
  tick_size: positiveAmount().describe("Smallest step of a price, in quote: PRICE_FILTER."),
  lot_size: positiveAmount().describe("Smallest step of a quantity, in base: LOT_SIZE."),
  min_quantity: positiveAmount().optional().describe("LOT_SIZE minQty; lot_size if left out."),
  max_quantity: positiveAmount().default("9000").describe("LOT_SIZE maxQty; a multiple of lot_size."),
  min_price: positiveAmount().optional().describe("PRICE_FILTER minPrice; tick_size if left out."),
  max_price: positiveAmount().default("1000000").describe("PRICE_FILTER maxPrice; a multiple of tick_size."),
  min_notional: amount().default("5").describe("NOTIONAL minNotional."),
  max_notional: positiveAmount().default("9000000").describe("NOTIONAL maxNotional."),
  max_open_orders: wholeNumber(1, MAX_COUNT).default(200).describe("MAX_NUM_ORDERS of one account."),
  fill: choice(["touch", "through"])
    .default("touch")
    .describe("Whether a price that only touches a limit fills it, where there are no other users."),
  market: market.describe("What moves the price."),
  history: text()
    .optional()
    .describe("A candle file that klines shows for the time before the venue's own, with its gaps."),
});

const key = section({
  api_key: z.string().regex(/^[A-Za-z0-9_-]{4,128}$/, "must be 4 to 128 letters, digits, - or _"),
  secret_key: text().describe("Take it from the environment: ${NAME}."),
  account: text().default("main").describe("Whose key it is."),
  permissions: z
    .array(choice(["read", "trade", "withdraw"]))
    .default(["read", "trade"])
    .describe("What it may do."),
  allowed_ips: z
    .array(
      z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], "must be an address or a range like 10.0.0.0/8"),
    )
    .min(1)
    .optional()
    .describe("Addresses, or ranges like 10.0.0.0/8 and fd00::/8, that may use it; any if left out."),
});

const limits = section({
  weight_per_minute: wholeNumber(1, MAX_COUNT).default(6000).describe("Request weight of one address."),
  orders_per_10_seconds: wholeNumber(1, MAX_COUNT).default(100).describe("New orders of one account."),
  orders_per_day: wholeNumber(1, MAX_COUNT).default(200_000).describe("New orders of one account."),
  ban_ms: wholeNumber(1, 259_200_000).default(120_000).describe("First ban of an address, in ms."),
});

const DEFAULT_SYMBOLS = {
  "BTC/USDT": {
    tick_size: "0.01",
    lot_size: "0.00001",
    market: { type: "walk" as const, start_price: "60000", step: "15" },
  },
  "ETH/USDT": {
    tick_size: "0.01",
    lot_size: "0.0001",
    market: { type: "walk" as const, seed: "2", start_price: "3000", step: "1" },
  },
};

export const venueSchema = section({
  host: text().default("127.0.0.1").describe("Address that the exchange listens on."),
  port: wholeNumber(0, 65_535).default(9080).describe("Its port; 0 takes any free one."),
  admin_port: wholeNumber(0, 65_535)
    .default(9081)
    .describe("Port of the admin server, on this machine only."),
  journal: text().default("./data/venue").describe("Folder of the journal; `none` keeps nothing."),
  snapshot_every: wholeNumber(1, MAX_COUNT).default(200_000).describe("Commands between two snapshots."),
  seed: wholeNumber(0, MAX_SEED).default(1).describe("Seed of the fault switches."),
  maker_fee: share().default("0.001").describe("Fee of an order that rested, as a share."),
  taker_fee: share().default("0.001").describe("Fee of an order that did not rest, as a share."),
  fee_asset: choice(["base", "quote"]).default("base").describe("What the fee of a buy is taken from."),
  refuse_replays: flag()
    .default(true)
    .describe("Refuses a second order or cancel with the same signature; Binance does not."),
  limits: limits.prefault({}).describe("Binance's own unless given."),
  crowd: crowdSchema
    .optional()
    .describe("Other users; without them every market has unlimited depth at its price."),
  keys_file: text()
    .optional()
    .describe(
      "YAML list of keys, readable by its owner only (0600); made with a random key if it is not there.",
    ),
  keys: z.array(key).default([]).describe("API keys; their secrets only from the environment."),
  accounts: z
    .record(
      z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, "must be letters, digits, dots, dashes or underscores"),
      z.record(z.string().regex(/^[A-Za-z0-9]{1,20}$/, "must be an asset, like USDT"), amount()),
    )
    .default({ main: { USDT: "100000", BTC: "1", ETH: "10" } })
    .describe("What each account is given at first: asset → amount."),
  symbols: z
    .record(
      z.string().regex(/^[A-Za-z0-9]+\/[A-Za-z0-9]+$/, "must be written BASE/QUOTE, like BTC/USDT"),
      symbol,
    )
    .prefault(DEFAULT_SYMBOLS)
    .describe("The symbols, by name: BTC/USDT."),
});

export const venueKeysSchema = z.array(key);

export type VenueConfig = z.output<typeof venueSchema>;
export type VenueKeyConfig = z.output<typeof key>;
