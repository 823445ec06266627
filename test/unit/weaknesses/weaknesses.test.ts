/** What is known to go wrong in the grid bot of the same name, and what ours does instead; numbers as in its audit. */
import { describe, expect, it } from "vitest";
import { gridRules } from "../../../src/cli/grid-config.ts";
import { parseConfig } from "../../../src/config/load-config.ts";
import { parseMoney } from "../../../src/domain/amounts.ts";
import type { Bot } from "../../../src/domain/grid.ts";
import { notional } from "../../../src/domain/instrument.ts";
import type { BotLedger } from "../../../src/domain/ledger.ts";
import { canonicalSettings } from "../../../src/strategy/settings.ts";
import type { GridState } from "../../../src/strategy/state.ts";
import { emptyLedger } from "../../../src/strategy/empty-ledger.ts";
import { nextTimer } from "../../../src/strategy/next-timer.ts";
import { workingOrders } from "../../../src/strategy/working-orders.ts";
import {
  Bench,
  INSTRUMENT,
  at,
  executionOf,
  placedBy,
  queries,
  shown,
  ticks,
} from "../strategy/strategy-kit.ts";
import {
  WINDOW,
  acceptAll,
  canceled,
  events,
  fillAt,
  newWindow,
  orderAt,
  placed,
  runningWindow,
  slotAt,
  windowBot,
  windowRules,
  working,
} from "../strategy/window-kit.ts";

const SYMBOL = "{ tick_size: 0.01, lot_size: 0.00001, market: { type: walk, start_price: 30000, step: 8 } }";
const EXCHANGES = `exchanges: { sim: { balances: { USDT: 1 }, symbols: { BTC/USDT: ${SYMBOL}, ETH/USDT: ${SYMBOL} } } }`;

function gridsOf(trading: string) {
  return parseConfig(`${EXCHANGES}\ntrading: ${trading}`, "c.yaml").config.trading.symbols;
}

/** The bot and its ledger as the database has them after `state`. */
function stored({ bot, slots, totals, ...state }: GridState): {
  readonly bot: Bot;
  readonly ledger: BotLedger;
} {
  const orders = workingOrders({ slots, initial: state.initial, closing: state.closing });
  const ledger: BotLedger = {
    ...emptyLedger(),
    mode: state.mode,
    modeReason: state.modeReason,
    initialDone: true,
    holdings: new Map(
      slots.map(({ terms, inventory, dust }) => [
        terms.slot,
        { wants: inventory.length > 0 ? "sell" : "buy", inventory, dust },
      ]),
    ),
    working: orders.map((order) => ({ order, validUntil: at(0) })),
    lastOrders: orders.map(({ terms }) => ({ ...terms, status: "working" })),
    totals,
  };
  return { bot: { ...bot, slots: slots.map(({ terms }) => terms) }, ledger };
}

describe("the grid's prices", () => {
  it("W-16: the anchor belongs to the stored bot, and a start at any other price has the same levels", () => {
    const bot = windowBot(1003, { anchorPrice: undefined });
    expect(bot.lattice).toMatchObject({ kind: "window", anchor: 1003, interval: 10 });

    for (const price of [1003, 1237, 811]) {
      const bench = new Bench(bot, emptyLedger(), windowRules());
      bench.snapshot(price);
      const prices = placedBy(bench.commands).map((order) => order.price);
      expect(prices.length).toBeGreaterThan(1);
      expect(new Set(prices.map((level) => level % 10))).toEqual(new Set([3]));
    }
  });

  it("W-24: what does not fit tick, lot or minimum, or cannot earn its fees, is refused when it is set up", () => {
    const create = (change: Partial<typeof WINDOW>) => () => windowBot(1002, change);
    expect(create({ priceInterval: "0.5" })).toThrow(
      "price_interval 0.5 must be a multiple of the tick size 1",
    );
    expect(create({ priceInterval: "0" })).toThrow("price_interval 0 must be a multiple");
    expect(create({ anchorPrice: "1000.5" })).toThrow("1000.5 is not a multiple of the tick size 1");
    expect(create({ orderQuantity: "0.5" })).toThrow("less than the smallest order");
    expect(create({ priceInterval: "1" })).toThrow("two fees cost more than an interval earns");
    for (const { sellPrice, buyPrice } of newWindow(1002).state.slots.map(({ terms }) => terms)) {
      expect(sellPrice - buyPrice).toBe(10);
    }
  });

  it("W-41: the interval is fixed with the bot: rules cannot change it, and another one is another grid", () => {
    const bench = runningWindow(1002);
    fillAt(bench, "buy", 1000);
    const { bot, ledger } = stored(bench.state);

    const restarted = new Bench(bot, ledger, windowRules({ window: { buyLevels: 9, sellLevels: 2 } }));

    expect(restarted.state.rules.window).toMatchObject({ anchor: 1000, interval: 10 });
    expect(restarted.state.slots.map(({ terms }) => terms)).toEqual(
      bench.state.slots.map(({ terms }) => terms),
    );
    expect(canonicalSettings({ ...WINDOW, priceInterval: "20" })).not.toBe(bot.settings);
  });
});

describe("what is held and what rests", () => {
  it("W-17: a restart adopts every open order and sells at the cost that was really paid", () => {
    const bench = runningWindow(1002);
    const buy = orderAt(bench, "buy", 1000).terms;
    acceptAll(bench, bench.fill(buy, buy.quantity, { price: ticks(997) }));
    const before = working(bench);
    const { bot, ledger } = stored(bench.state);
    const restarted = new Bench(bot, ledger, windowRules());

    restarted.snapshot(1002, { orders: ledger.working.map(({ order }) => shown(order.terms)) });

    expect(restarted.commands).toEqual([]);
    expect(working(restarted)).toEqual(before);
    const { records } = restarted.fill(orderAt(restarted, "sell", 1010).terms);
    expect(records.flatMap((record) => (record.kind === "trade" ? [record.trade] : []))).toMatchObject([
      { buyQuote: parseMoney("49.85"), sellQuote: parseMoney("50.5") },
    ]);
    expect(restarted.identityError()).toBe(0n);
  });

  it("W-25: what a cancelled order is said to have executed is waited for, and then sold", () => {
    const bench = runningWindow(1002);
    const { terms } = orderAt(bench, "buy", 1000);

    const early = bench.closed(terms, 20);

    expect(queries(early)).toEqual([terms.id]);
    expect(orderAt(bench, "buy", 1000).terms).toBe(terms);
    bench.fill(terms, 20);
    expect(placed(bench.closed(terms, 20))).toContain("sell 20@1010");
    expect(bench.state.totals.position).toBe(20);
  });

  it("W-26: a partly filled buy is cancelled half a cell away, and its part is sold at once", () => {
    const bench = runningWindow(1002);
    const { terms } = orderAt(bench, "buy", 1000);
    bench.fill(terms, 20);
    expect(canceled(bench, bench.tick(1005))).toEqual(["buy 50@1000"]);
    expect(placed(bench.closed(terms, 20))).toEqual(["sell 20@1010"]);
  });

  it("W-27: a comparison with the exchange finds fills that were never told, whatever else is held", () => {
    const bench = runningWindow(1002);
    fillAt(bench, "buy", 1000);
    const [first, second, sell] = [
      orderAt(bench, "buy", 990).terms,
      orderAt(bench, "buy", 980).terms,
      orderAt(bench, "sell", 1010).terms,
    ];
    const fills = [
      { order: first, execution: executionOf(first, first.quantity) },
      { order: second, execution: executionOf(second, 7) },
    ];

    const result = bench.snapshot(988, {
      orders: [shown(first, "filled", first.quantity), shown(second, "open", 7), shown(sell)],
      fills,
    });

    expect(placed(result)).toContain("sell 50@1000");
    expect(orderAt(bench, "buy", 980).progress.executed).toBe(7);
    expect(bench.state.totals).toMatchObject({ fills: 3, position: 107 });
    expect(bench.identityError()).toBe(0n);
  });

  it("W-28: a duplicate id is an order to look up, and nothing is placed in its stead", () => {
    const bench = newWindow(1002);
    const { terms } = orderAt(bench, "buy", 1000);

    // This is what the sender makes of the answer `duplicate`.
    const result = bench.unknown(terms);

    expect(queries(result)).toEqual([terms.id]);
    expect(placed(bench.timer(60_000))).toEqual([]);
    bench.accept(terms);
    expect(orderAt(bench, "buy", 1000)).toMatchObject({ kind: "open", terms: { generation: 1 } });
  });

  it("W-39: a trade's profit is what it really paid and got, less both fees, whatever the interval says", () => {
    const bench = runningWindow(1002);
    const buy = orderAt(bench, "buy", 1000).terms;
    acceptAll(bench, bench.fill(buy, 50, { price: ticks(996) }));
    const sell = orderAt(bench, "sell", 1010).terms;

    const { records, state } = bench.fill(sell, 50, { price: ticks(1013) });

    // 50.65 − 0.05065 − 49.8 − 0.0498.
    const profit = parseMoney("0.74955");
    expect(records.flatMap((record) => (record.kind === "trade" ? [record.trade] : []))).toMatchObject([
      {
        slot: buy.slot,
        generation: sell.generation,
        buyFee: parseMoney("0.0498"),
        sellFee: parseMoney("0.05065"),
        profit,
      },
    ]);
    expect(state.totals).toMatchObject({ gridProfit: profit, cashFlow: profit });
    expect(bench.identityError()).toBe(0n);
  });
});

describe("a stop-loss", () => {
  it("W-18: is pulled once: the bot closes, says so, and buys nothing back when the price returns", () => {
    const bench = runningWindow(1002, { stopLoss: "950" });
    const pulled = bench.tick(949);
    const count = bench.commands.length;

    for (const price of [948, 940, 951, 1002, 949]) bench.tick(price);

    expect(events(pulled.records)).toEqual(["bot_closing stop_loss"]);
    expect(canceled(bench, pulled)).toHaveLength(3);
    expect(bench.commands).toHaveLength(count);
    for (const price of [1000, 990, 980]) bench.closed(orderAt(bench, "buy", price).terms, 0);
    expect(bench.state.mode).toBe("closed");
    expect(bench.tick(1002).commands).toEqual([]);
  });

  it.each([0, 1, 3])("W-19: is a price, the same one with %s levels held", (held) => {
    const bench = runningWindow(1002, { stopLoss: "950" });
    for (const price of [1000, 990, 980].slice(0, held)) fillAt(bench, "buy", price);
    acceptAll(bench, bench.tick(951));
    expect(bench.state.mode).toBe("running");
    bench.tick(950);
    expect([bench.state.mode, bench.state.modeReason]).toEqual(["closing", "stop_loss"]);
  });

  it("W-20: whose sale is refused sells again after a pause, and no slot is left waiting for it", () => {
    const bench = runningWindow(1002, { stopLoss: "950" });
    fillAt(bench, "buy", 1000);
    bench.tick(949);
    const resting = workingOrders(bench.state).map(({ terms }) => terms);
    const [sale] = resting.flatMap((terms) => placedBy(bench.closed(terms, 0).commands));
    if (!sale) return expect.fail("nothing was sold");

    bench.reject(sale);

    expect(workingOrders(bench.state)).toEqual([]);
    const wakeAt = nextTimer(bench.state, at(bench.now)) ?? expect.fail("nobody wakes the bot");
    const [again] = placedBy(bench.timer(wakeAt - bench.now).commands);
    expect(again).toMatchObject({ side: "sell", type: "market", quantity: 50, generation: 2 });
    if (!again) return;
    bench.accept(again);
    bench.fill(again, 50, { price: ticks(949) });
    expect(bench.state.mode).toBe("closed");
    expect(bench.identityError()).toBe(0n);
  });
});

describe("which orders rest", () => {
  it("W-21: exits take the order budget before entries", () => {
    const bench = runningWindow(1002, { maxOrders: 3, window: { buyLevels: 5 } });
    bench.control("drain");
    bench.fill(orderAt(bench, "buy", 1000).terms);
    bench.fill(orderAt(bench, "buy", 990).terms);
    bench.tick(1004);

    expect(placed(bench.control("resume"))).toEqual(["sell 50@1000", "sell 50@1010"]);
  });

  it("W-22: buys that the window has left behind are cancelled", () => {
    const bench = runningWindow(1002);
    const left = bench.tick(1102);
    expect(canceled(bench, left)).toEqual(["buy 51@980", "buy 50@990", "buy 50@1000"]);
    expect(placed(left)).toEqual(["buy 45@1100", "buy 45@1090", "buy 46@1080"]);
  });

  it("W-23: the minimum value holds for buys too, at every level, and is compared with the order when it is set up", () => {
    const minimum = parseMoney("49.6");
    const bench = new Bench(windowBot(1002, { minOrderValue: "49.6" }), emptyLedger(), windowRules());
    bench.snapshot(1002);
    // 0.05 · 990 = 49.5 USDT.
    expect(placed(bench.last)).toEqual(["buy 50@1000", "buy 51@980"]);
    for (const { terms } of workingOrders(bench.state)) {
      const { sellPrice, quantity } = slotAt(bench, terms.price).terms;
      expect(notional(INSTRUMENT, sellPrice, quantity)).toBeGreaterThanOrEqual(minimum);
    }
    expect(() => windowBot(1002, { minOrderValue: "50.1" })).toThrow("raise order_quantity");
    expect(() =>
      gridsOf(
        "{ symbols: [{ symbol: BTC/USDT, price_interval: 5, order_quantity: 30, buy_window_size: 3, min_order_value: 31 }] }",
      ),
    ).toThrow("must be at least min_order_value (31), not 30");
  });

  it("W-42: what is set for one symbol is what that symbol trades by", () => {
    const own = "stop_loss: 20000, take_profit: 40000, buy_window_size: 4, order_cleanup_threshold: 7";
    const [first, second] = gridsOf(`
  price_interval: 5
  order_quantity: 30
  buy_window_size: 10
  margin_lock_duration_seconds: 60
  symbols:
    - { symbol: BTC/USDT, ${own} }
    - { symbol: ETH/USDT, order_quantity: 40 }`).map((grid) => gridRules(grid));

    expect(first).toMatchObject({
      stopLoss: "20000",
      takeProfit: "40000",
      maxOrders: 7,
      marginLockMs: 60_000,
      window: { buyLevels: 4, sellLevels: 4 },
    });
    expect(second).toMatchObject({ stopLoss: undefined, maxOrders: 50, window: { buyLevels: 10 } });
  });
});
