/** One real exchange under `exchanges`: its mode, its keys, and the most that is sent to it. */
import { z } from "zod";
import { amount, choice, flag, positiveAmount, section, share, text, wholeNumber } from "./fields.ts";

/** The exchanges that ccxt is asked for; the exchange table says of each what it promises. */
export const REAL_EXCHANGES = [
  "binance",
  "bybit",
  "okx",
  "kucoin",
  "gate",
  "kraken",
  "bitmex",
  "whitebit",
  "hyperliquid",
  "coinbase",
] as const;

export type RealExchangeName = (typeof REAL_EXCHANGES)[number];

export function isRealExchange(name: string): name is RealExchangeName {
  return REAL_EXCHANGES.some((known) => known === name);
}

/** A request that lives longer is a request that nobody waits for any more. */
const LONGEST_WINDOW_MS = 10_000;
const SHORTEST_WINDOW_MS = 200;
const MAX_SETTLE_MS = 3_600_000;
const MAX_COUNT = 1_000_000;

const address = (schemes: string) =>
  z
    .string()
    .regex(new RegExp(`^(?:${schemes})://[^/\\s]+$`), `must be written ${schemes.split("|")[0]}://host:port`);

const limits = section({
  max_order_value: positiveAmount()
    .optional()
    .describe("Largest value of one order, in quote; a larger one is not sent."),
  max_open_orders: wholeNumber(1, MAX_COUNT)
    .optional()
    .describe("Most orders that rest at a time, of all grids of this instance."),
  max_orders_per_minute: wholeNumber(1, MAX_COUNT)
    .optional()
    .describe("Most orders that are sent within a minute; sells come first."),
  weight_per_minute: wholeNumber(1, 1_000_000_000)
    .optional()
    .describe("Request weight within a minute, where it is not what the exchange documents."),
  orders_per_10_seconds: wholeNumber(1, 1_000_000_000)
    .optional()
    .describe("Orders within 10 seconds, where it is not what the exchange documents."),
  instances: wholeNumber(1, 1_000)
    .optional()
    .describe(
      "How many instances use the key at most, standbys too. With shared each has an equal part of a fifth of every limit for itself, otherwise of all of it; left out, instance.total in mode static, else 16 with shared and 1 without.",
    ),
  shared: flag()
    .optional()
    .describe(
      "Whether all instances with the key count their requests together, in the Redis of distributed_lock; left out, those of a fleet do whose lock is of type redis.",
    ),
  share_balance: flag()
    .default(true)
    .describe(
      "Whether each buy is set aside in the database from what the account owns, so that no two bots on it count the same money.",
    ),
  balance_margin: share()
    .default("0.005")
    .describe(
      "Share of the account's balance that is not spent: for fees, and for market orders whose price moves.",
    ),
});

const paper = section({
  balances: z
    .record(text(), amount())
    .default({ USDT: "10000" })
    .describe("What the paper account owns when its journal is new: asset → amount."),
  journal: text()
    .default("./data/paper-venue")
    .describe(
      "Folder that remembers the paper account; a relative path starts at the current working directory.",
    ),
});

const fields = section(
  {
    mode: choice(["dry_run", "paper", "sandbox", "live"])
      .optional()
      .describe(
        "dry_run decides and sends nothing, paper trades real prices with invented money, sandbox is the exchange's testnet, live is real. dry_run if left out.",
      ),
    testnet: flag().optional().describe("true is the same as mode: sandbox."),
    account: text().default("main").describe("Name of the account; one per set of keys."),
    api_key: text().optional().describe("API key; better from ${NAME}, key_file or the environment."),
    secret_key: text().optional().describe("Secret of the API key."),
    passphrase: text().optional().describe("Passphrase of the API key, where the exchange has one."),
    key_file: text()
      .optional()
      .describe(
        "File with lines api_key=…, secret_key=… and passphrase=…, which only its owner may read (0600).",
      ),
    allow_withdrawal_key: flag()
      .default(false)
      .describe("Whether to trade with a key that could also withdraw, where the exchange tells."),
    fee_rate: share()
      .optional()
      .describe("Fee as a share of the value traded; what the exchange says if left out."),
    maker_fee: share().optional().describe("Fee of an order that rested, as a share; fee_rate if left out."),
    taker_fee: share()
      .optional()
      .describe("Fee of an order that did not rest, as a share; fee_rate if left out."),
    urls: section({
      rest: address("https|http").describe("Address of its REST interface."),
      ws: address("wss|ws").describe("Address of its streams."),
    })
      .optional()
      .describe(
        "A private server of the exchange's dialect, such as quantmesh venue, instead of the exchange.",
      ),
    request_window_ms: wholeNumber(SHORTEST_WINDOW_MS, LONGEST_WINDOW_MS)
      .default(1000)
      .describe("How long a signed request stays valid, in milliseconds."),
    settle_ms: wholeNumber(0, MAX_SETTLE_MS)
      .optional()
      .describe(
        "How late the exchange's own queries may be, in milliseconds; what the exchange table says if left out.",
      ),
    limits: limits.prefault({}).describe("The most that is sent, whatever the grids ask for."),
    paper: paper.prefault({}).describe("The account of mode: paper."),
  },
  { leverage: "grids trade spot markets, without leverage; remove it" },
);

/** A real exchange; `mode` is always there. */
export const realExchangeSchema = fields
  .refine(({ mode, testnet }) => !(testnet === true && mode !== undefined && mode !== "sandbox"), {
    path: ["testnet"],
    error: "testnet: true is mode: sandbox; leave one of the two out",
  })
  .refine(({ api_key, secret_key }) => (api_key === undefined) === (secret_key === undefined), {
    path: ["secret_key"],
    error: "api_key and secret_key go together",
  })
  .refine(
    ({ fee_rate, maker_fee, taker_fee }) =>
      fee_rate !== undefined || (maker_fee === undefined) === (taker_fee === undefined),
    {
      path: ["maker_fee"],
      error: "give maker_fee and taker_fee together, or fee_rate",
    },
  )
  .transform(({ mode, testnet, fee_rate, maker_fee, taker_fee, ...rest }) => ({
    ...rest,
    mode: mode ?? (testnet === true ? ("sandbox" as const) : ("dry_run" as const)),
    maker_fee: maker_fee ?? fee_rate,
    taker_fee: taker_fee ?? fee_rate,
  }));
