/** What a grid may be: a range or a window, with its own keys and defaults, written out or inherited. */
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/config/load-config.ts";
import { hasCode } from "../../../src/domain/errors.ts";

const MARKET = "{ tick_size: 0.01, lot_size: 0.00001, market: { type: walk, start_price: 30000, step: 8 } }";
const SIM = `exchanges: { sim: { balances: { USDT: 1 }, symbols: { BTC/USDT: ${MARKET}, ETH/USDT: ${MARKET} } } }`;
const RANGE = "symbol: BTC/USDT, lower: 29000, upper: 31000, grids: 40, order_quantity: 100";
const WINDOW = "symbol: ETH/USDT, price_interval: 5, order_quantity: 30, buy_window_size: 10";

/** The grids of a config with this `trading` section. */
function gridsOf(trading: string) {
  return parseConfig(`${SIM}\ntrading: ${trading}`, "c.yaml").config.trading.symbols;
}

/** The problems of a config with this `trading` section, without file and line. */
function problemsOf(trading: string): readonly string[] {
  try {
    gridsOf(trading);
  } catch (error) {
    if (!hasCode(error, "CONFIG_INVALID")) throw error;
    return error.message.split("\n").map((line) => line.replace(/^c\.yaml:\d+: /, ""));
  }
  return [];
}

describe("a window", () => {
  const complete = {
    exchange: "sim",
    symbol: "ETH/USDT",
    lattice: "window",
    price_interval: "5",
    order_quantity: "30",
    buy_window_size: 10,
    sell_window_size: 10,
    min_order_value: "20",
    buy_safety_buffer_ratio: "0.1",
    window_hysteresis: 1,
    order_type: "limit",
    post_only_fallback_after: 3,
    partial_fill_cancel_ratio: "0.5",
    order_cleanup_threshold: 50,
    margin_lock_duration_seconds: 10,
  };

  it("is what has a price_interval, with its defaults", () => {
    expect(gridsOf(`{ symbols: [{ ${WINDOW} }] }`)).toEqual([complete]);
    expect(gridsOf(`{ symbols: [{ lattice: window, ${WINDOW} }] }`)).toEqual([complete]);
  });

  it("takes every key of its own", () => {
    const [grid] =
      gridsOf(`{ symbols: [{ ${WINDOW}, sell_window_size: 20, min_order_value: 6, anchor_price: 2000,
      buy_safety_buffer_ratio: 0, window_hysteresis: 0, order_type: post_only, post_only_fallback_after: 0,
      partial_fill_cancel_ratio: 0.25, stop_loss: 1500, take_profit: 2500, trigger_price: 1900,
      order_cleanup_threshold: 100, margin_lock_duration_seconds: 60 }] }`);

    expect(grid).toEqual({
      ...complete,
      sell_window_size: 20,
      min_order_value: "6",
      anchor_price: "2000",
      buy_safety_buffer_ratio: "0",
      window_hysteresis: 0,
      order_type: "post_only",
      post_only_fallback_after: 0,
      partial_fill_cancel_ratio: "0.25",
      stop_loss: "1500",
      take_profit: "2500",
      trigger_price: "1900",
      order_cleanup_threshold: 100,
      margin_lock_duration_seconds: 60,
    });
  });

  it.each(["price_interval: 5", "order_quantity: 30", "buy_window_size: 10"])("needs its %s", (key) => {
    const without = `lattice: window, ${WINDOW}`.replace(`, ${key}`, "");

    expect(problemsOf(`{ symbols: [{ ${without} }] }`)).toEqual([
      `trading.symbols[0].${key.split(":")[0] ?? ""}: is required`,
    ]);
  });

  it.each(["lower", "upper", "grids", "spacing", "base_quantity", "investment", "initial"])(
    "refuses %s, a key of a range",
    (key) => {
      expect(problemsOf(`{ symbols: [{ ${WINDOW}, ${key}: 1 }] }`)).toEqual([
        `trading.symbols[0].${key}: belongs to lattice: range; a window has price_interval, order_quantity and buy_window_size`,
      ]);
    },
  );

  it.each([
    [
      "buy_window_size: 10",
      "buy_window_size: 501",
      'buy_window_size: must be a whole number from 1 to 500, not "501"',
    ],
    [
      "order_quantity: 30",
      "order_quantity: 19.99",
      "order_quantity: is in quote, and must be at least min_order_value (20), not 19.99",
    ],
    [
      "order_quantity: 30",
      "order_quantity: 30, buy_safety_buffer_ratio: 1",
      "buy_safety_buffer_ratio: must be at least 0 and below 1, not 1",
    ],
    [
      "order_quantity: 30",
      "order_quantity: 30, stop_loss: 9, take_profit: 9",
      "stop_loss: must be below take_profit",
    ],
  ])("is wrong where %s is %s", (from, to, problem) => {
    expect(problemsOf(`{ symbols: [{ ${WINDOW.replace(from, to)} }] }`)).toEqual([
      `trading.symbols[0].${problem}`,
    ]);
  });
});

describe("a grid of either lattice", () => {
  it.each([
    ["stop_loss: 29000", "stop_loss: must be below lower"],
    ["take_profit: 31000", "take_profit: must be above upper"],
    ["stop_loss: 28000, trigger_price: 28000", "trigger_price: must be above stop_loss"],
    ["take_profit: 32000, trigger_price: 32001", "trigger_price: must be below take_profit"],
    ["post_only_fallback_after: 3", "post_only_fallback_after: goes with order_type: post_only only"],
    [
      "order_type: post_only, post_only_fallback_after: -1",
      'post_only_fallback_after: must be a whole number from 0 to 1000, not "-1"',
    ],
    ["order_type: maker", 'order_type: must be limit or post_only, not "maker"'],
    ["lattice: both", "lattice: must be range or window"],
    [
      "order_cleanup_threshold: 0",
      'order_cleanup_threshold: must be a whole number from 1 to 100000, not "0"',
    ],
  ])("refuses %s", (keys, problem) => {
    expect(problemsOf(`{ symbols: [{ ${RANGE}, ${keys} }] }`)).toEqual([`trading.symbols[0].${problem}`]);
  });

  it("accepts prices that are where they belong", () => {
    const keys = "stop_loss: 28999.99, take_profit: 31000.01, trigger_price: 30000";

    expect(gridsOf(`{ symbols: [{ ${RANGE}, ${keys} }] }`)).toMatchObject([
      { lattice: "range", stop_loss: "28999.99", take_profit: "31000.01", trigger_price: "30000" },
    ]);
  });
});

describe("keys directly under trading", () => {
  it("are defaults for every symbol of the lattice that has them", () => {
    const grids = gridsOf(`{ price_interval: 5, order_quantity: 40, buy_window_size: 7, sell_window_size: 9,
      min_order_value: 10, order_cleanup_threshold: 30, margin_lock_duration_seconds: 4,
      symbols: [{ symbol: ETH/USDT }, { symbol: BTC/USDT, lower: 29000, upper: 31000, grids: 40 }] }`);

    const shared = { order_cleanup_threshold: 30, margin_lock_duration_seconds: 4 };
    expect(grids).toMatchObject([
      {
        lattice: "window",
        price_interval: "5",
        order_quantity: "40",
        buy_window_size: 7,
        sell_window_size: 9,
        min_order_value: "10",
        ...shared,
      },
      { lattice: "range", size: { kind: "order_quantity", amount: "40" }, ...shared },
    ]);
    expect(grids[1]).not.toHaveProperty("price_interval");
  });

  it("give way to a symbol's own", () => {
    const trading = `{ order_quantity: 40, buy_window_size: 7, symbols: [{ ${WINDOW} }] }`;

    expect(gridsOf(trading)).toMatchObject([{ order_quantity: "30", buy_window_size: 10 }]);
  });

  it("leave a symbol with a size of another kind alone", () => {
    const range = RANGE.replace("order_quantity: 100", "investment: 5000");

    expect(gridsOf(`{ order_quantity: 40, symbols: [{ ${range} }] }`)).toMatchObject([
      { size: { kind: "investment", amount: "5000" } },
    ]);
  });

  it("are checked where they stand, once", () => {
    expect(
      problemsOf(
        "{ price_interval: -5, order_quantity: 30, buy_window_size: 1, symbols: [{ symbol: ETH/USDT }] }",
      ),
    ).toEqual(["trading.price_interval: must be above 0, not -5"]);
    expect(problemsOf(`{ price_interval: -5, symbols: [{ ${RANGE} }] }`)).toEqual([
      "trading.price_interval: must be above 0, not -5",
    ]);
  });

  it("set up a single window without a list", () => {
    const trading = "{ symbol: ETHUSDT, price_interval: 5, order_quantity: 30, buy_window_size: 10 }";

    expect(gridsOf(trading)).toEqual(gridsOf(`{ symbols: [{ ${WINDOW} }] }`));
  });

  it("name a problem of a single window where it was written", () => {
    expect(problemsOf("{ symbol: ETHUSDT, price_interval: 5, order_quantity: 3 }")).toEqual([
      "trading.buy_window_size: is required",
      "trading.order_quantity: is in quote, and must be at least min_order_value (20), not 3",
    ]);
    expect(
      problemsOf("{ symbol: DOGEUSDT, price_interval: 5, order_quantity: 30, buy_window_size: 10 }"),
    ).toEqual(['trading.symbol: "DOGEUSDT" is not among exchanges.sim.symbols (BTC/USDT, ETH/USDT)']);
  });

  it("are one form or the other: a symbol beside a list is refused", () => {
    expect(problemsOf(`{ symbol: ETHUSDT, symbols: [{ ${WINDOW} }] }`)).toEqual([
      "trading.symbol: give either symbol, for a single window, or symbols",
    ]);
  });
});
