/** One grid: the keys of each lattice, of both, and the rules between them. */
import { z } from "zod";
import { parseDecimal } from "../domain/decimal.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { Refused } from "./fields.ts";
import { choice, positiveAmount, section, share, text, wholeNumber } from "./fields.ts";
import { isMapping } from "./path.ts";

const MAX_GRIDS = 100_000;
const MAX_WINDOW = 500;
const MAX_ORDERS = 100_000;
const MAX_REFUSALS = 1000;
const DEFAULT_REFUSALS = 3;
const MAX_PAUSE_SECONDS = 86_400;
const SIZES = ["order_quantity", "base_quantity", "investment"] as const;

/** How large the orders are: `amount` is quote (order_quantity, investment) or base (base_quantity). */
export interface OrderSize {
  readonly kind: (typeof SIZES)[number];
  readonly amount: string;
}

/** Fields that `trading` has too, as defaults for all its symbols. */
export const inheritable = {
  price_interval: positiveAmount().describe(
    "Distance between two neighbouring prices of a window, in quote.",
  ),
  order_quantity: positiveAmount().describe("Value of each order, in quote."),
  buy_window_size: wholeNumber(1, MAX_WINDOW).describe("Number of buy levels below the price."),
  sell_window_size: wholeNumber(1, MAX_WINDOW)
    .optional()
    .describe("Number of sell levels above the price; buy_window_size if left out."),
  min_order_value: positiveAmount()
    .default("20")
    .describe("Smallest value of an order, in quote: nothing smaller is sent, bought or sold."),
  order_cleanup_threshold: wholeNumber(1, MAX_ORDERS).describe(
    "Most orders of the grid that rest at a time; sells come first, then the nearest buys.",
  ),
  margin_lock_duration_seconds: wholeNumber(1, MAX_PAUSE_SECONDS)
    .default(10)
    .describe("Seconds without new buys after the exchange refused one for lack of funds."),
};

const ofBoth = {
  exchange: text().optional().describe("Name of the exchange; app.current_exchange if left out."),
  symbol: text().describe("What to trade: BTC/USDT (BTC-USDT and BTCUSDT mean the same)."),
  order_type: choice(["limit", "post_only"])
    .default("limit")
    .describe("Whether grid orders may take from the book (limit) or must rest or be refused (post_only)."),
  post_only_fallback_after: wholeNumber(0, MAX_REFUSALS)
    .optional()
    .describe(
      "Refusals of a post_only order after which its level sends a plain limit; 0: never. 3 if left out.",
    ),
  partial_fill_cancel_ratio: share()
    .default("0.5")
    .describe(
      "How far the price leaves a partly filled order before its rest is cancelled, as a share of a cell.",
    ),
  stop_loss: positiveAmount()
    .optional()
    .describe("At or below this price the grid cancels its orders, sells what it holds, and stays stopped."),
  take_profit: positiveAmount()
    .optional()
    .describe("At or above this price the grid cancels its orders, sells what it holds, and stays stopped."),
  trigger_price: positiveAmount()
    .optional()
    .describe("The grid waits, without orders, until the price has reached this one."),
  margin_lock_duration_seconds: inheritable.margin_lock_duration_seconds,
};

const rangeOnly = {
  lower: positiveAmount().describe("Lowest price of the grid, in quote per base."),
  upper: positiveAmount().describe("Highest price of the grid, in quote per base."),
  grids: wholeNumber(1, MAX_GRIDS).describe(
    "Number of cells between lower and upper; each buys at its lower and sells at its upper edge.",
  ),
  spacing: choice(["arithmetic", "geometric"])
    .default("arithmetic")
    .describe("Equal differences (arithmetic) or equal ratios (geometric) between neighbouring prices."),
  base_quantity: positiveAmount()
    .optional()
    .describe("Quantity of each order, in base; give exactly one of the three sizes."),
  investment: positiveAmount()
    .optional()
    .describe("Value of the whole grid, in quote; give exactly one of the three sizes."),
  initial: choice(["buy", "none"])
    .default("buy")
    .describe("Whether to buy at the start what the cells above the price are to sell."),
};

const windowOnly = {
  price_interval: inheritable.price_interval,
  buy_window_size: inheritable.buy_window_size,
  sell_window_size: inheritable.sell_window_size,
  min_order_value: inheritable.min_order_value,
  buy_safety_buffer_ratio: share()
    .default("0.1")
    .describe("How far below the price a buy must be, as a share of price_interval."),
  window_hysteresis: wholeNumber(0, MAX_WINDOW)
    .default(1)
    .describe("Levels by which an order may be outside of the window before it is cancelled."),
  anchor_price: positiveAmount()
    .optional()
    .describe("A price of the grid, from which all others follow; the first price seen if left out."),
};

const rangeSchema = section(
  {
    lattice: z.literal("range").describe("The prices of the grid are fixed, between lower and upper."),
    ...ofBoth,
    ...rangeOnly,
    order_quantity: inheritable.order_quantity
      .optional()
      .describe("Value of each order, in quote; give exactly one of the three sizes."),
    order_cleanup_threshold: inheritable.order_cleanup_threshold.default(1000),
  },
  foreign(windowOnly, "window", "a range has lower, upper and grids"),
)
  .check(
    rules((grid, problem) => {
      expectOrder(grid, problem, "lower", "below", "upper");
      expectOrder(grid, problem, "stop_loss", "below", "lower");
      expectOrder(grid, problem, "take_profit", "above", "upper");
      expectTrigger(grid, problem);
      const sizes = SIZES.filter((size) => grid[size] !== undefined);
      if (sizes.length !== 1) problem(`give exactly one of ${SIZES.join(", ")}`);
    }),
  )
  .transform(({ order_quantity, base_quantity, investment, ...grid }) => ({
    ...withFallback(grid),
    size: sizeOf({ order_quantity, base_quantity, investment }),
  }));

const windowSchema = section(
  {
    lattice: z
      .literal("window")
      .describe("The prices of the grid move with the market: one every price_interval."),
    ...ofBoth,
    ...windowOnly,
    order_quantity: inheritable.order_quantity,
    order_cleanup_threshold: inheritable.order_cleanup_threshold.default(50),
  },
  foreign(rangeOnly, "range", "a window has price_interval, order_quantity and buy_window_size"),
)
  .check(
    rules((grid, problem) => {
      expectOrder(grid, problem, "stop_loss", "below", "take_profit");
      expectTrigger(grid, problem);
      const { order_quantity: value, min_order_value: least } = grid;
      if (typeof value === "string" && typeof least === "string" && isBelow(value, least)) {
        problem(
          `is in quote, and must be at least min_order_value (${least}), not ${value}`,
          "order_quantity",
        );
      }
    }),
  )
  .transform((grid) => ({
    ...withFallback(grid),
    sell_window_size: grid.sell_window_size ?? grid.buy_window_size,
  }));

/** A grid of either lattice; `lattice` itself is filled in before. */
export const gridSchema = z.discriminatedUnion("lattice", [rangeSchema, windowSchema], {
  error: (issue) => (issue.code === "invalid_union" ? "must be range or window" : undefined),
});

type Fields = Readonly<Record<string, unknown>>;
type Problem = (message: string, key?: string) => void;

/** What is checked between fields, beside the problems of other fields; wrong fields are not text here. */
function rules(check: (grid: Fields, problem: Problem) => void) {
  return z.superRefine<unknown>(
    (grid, context) => {
      if (!isMapping(grid)) return;
      const problem: Problem = (message, key) =>
        context.addIssue({ code: "custom", message, path: key === undefined ? [] : [key] });
      if (grid["order_type"] === "limit" && grid["post_only_fallback_after"] !== undefined) {
        problem("goes with order_type: post_only only", "post_only_fallback_after");
      }
      check(grid, problem);
    },
    { when: ({ value }) => isMapping(value) },
  );
}

function expectTrigger(grid: Fields, problem: Problem): void {
  expectOrder(grid, problem, "trigger_price", "above", "stop_loss");
  expectOrder(grid, problem, "trigger_price", "below", "take_profit");
}

function expectOrder(
  grid: Fields,
  problem: Problem,
  key: string,
  side: "below" | "above",
  other: string,
): void {
  const [price, limit] = [grid[key], grid[other]];
  if (typeof price !== "string" || typeof limit !== "string") return;
  if (!(side === "below" ? isBelow(price, limit) : isBelow(limit, price))) {
    problem(`must be ${side} ${other}`, key);
  }
}

function isBelow(a: string, b: string): boolean {
  return parseDecimal(a) < parseDecimal(b);
}

/** The refusal of keys of the other lattice. */
function foreign(fields: object, lattice: string, remedy: string): Refused {
  const reason = `belongs to lattice: ${lattice}; ${remedy}`;
  return Object.fromEntries(Object.keys(fields).map((key) => [key, reason]));
}

function withFallback<Grid extends { readonly post_only_fallback_after?: number | undefined }>(grid: Grid) {
  return { ...grid, post_only_fallback_after: grid.post_only_fallback_after ?? DEFAULT_REFUSALS };
}

function sizeOf(sizes: Readonly<Record<OrderSize["kind"], string | undefined>>): OrderSize {
  for (const kind of SIZES) {
    const amount = sizes[kind];
    if (amount !== undefined) return { kind, amount };
  }
  throw new QuantmeshError("INVARIANT", "a checked grid has a size");
}
