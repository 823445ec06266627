/** The life of a slot: events in, the whole step out. */
import { describe, expect, it } from "vitest";
import type { Progress } from "../../../src/domain/order.ts";
import {
  Bench,
  at,
  executionOf,
  fillOf,
  lots,
  makeBot,
  orderRecord,
  placedBy,
  placements,
  queries,
  refOf,
  runningBench,
  termsOf,
  ticks,
  usdt,
} from "./strategy-kit.ts";

const NO_BACK_OFF = { refusals: 0, crossings: 0, until: 0 };
const NOTHING: Progress = {
  executed: lots(0),
  quote: usdt("0"),
  fee: usdt("0"),
  baseFee: usdt("0"),
  tradeIds: [],
};

describe("the start of a new grid", () => {
  it("places nothing before the exchange was read", () => {
    const bench = new Bench(makeBot(125));
    expect(bench.tick(90).commands).toEqual([]);
    expect(bench.tick(130).commands).toEqual([]);
    expect(bench.timer(60_000).commands).toEqual([]);
  });

  it("places a buy in every slot below the price, the nearest first, and the initial purchase before them", () => {
    const bot = makeBot(125);
    const bench = new Bench(bot);
    const before = bench.state;
    const result = bench.snapshot(125);

    const initial = {
      ...refOf(60_000_000, "buy", 1),
      type: "market" as const,
      price: ticks(125),
      quantity: lots(100),
      createdAt: at(1_001),
    };
    const buys = [0, 1, 2].map((slot) => termsOf(bot, slot, "buy", 1, 1_001));
    const placed = { generation: 1, ended: "never" };
    expect(result).toEqual({
      state: {
        ...before,
        ready: true,
        price: 125,
        priceAt: 1_001,
        slots: before.slots.map((slot, i) =>
          i === 3
            ? slot
            : {
                ...slot,
                phase: { kind: "buying", order: { kind: "pending", terms: buys[i], progress: NOTHING } },
                buys: placed,
              },
        ),
        initial: {
          kind: "working",
          order: { kind: "pending", terms: initial, progress: NOTHING },
          backOff: NO_BACK_OFF,
        },
        initialHistory: placed,
      },
      records: [],
      commands: [initial, buys[2], buys[1], buys[0]].map((terms) => ({ kind: "placeOrder", terms })),
    });
  });

  it("rests no buy at a level that the price has not left strictly below", () => {
    const bench = new Bench(makeBot(120, { initial: "none" }));
    expect(placements(bench.snapshot(120))).toEqual(["buy 1 #1 100@110", "buy 0 #1 100@100"]);
  });
});

describe("a buy", () => {
  const started = (): Bench => {
    const bench = new Bench(makeBot(115, { initial: "none" }));
    bench.snapshot(115);
    return bench;
  };

  it("is open once the exchange has accepted it", () => {
    const bench = started();
    const { terms } = bench.order(1);
    const before = bench.state;
    const result = bench.accept(terms);
    expect(result).toEqual({
      state: {
        ...before,
        slots: before.slots.map((slot, i) =>
          i === 1
            ? {
                ...slot,
                phase: {
                  kind: "buying",
                  order: { kind: "open", terms, progress: NOTHING, exchangeOrderId: `x-${terms.id}` },
                },
              }
            : slot,
        ),
      },
      records: [orderRecord(terms, "open", { at: at(1_002) })],
      commands: [],
    });
  });

  it("that is filled makes the slot sell exactly what was executed, at its upper price", () => {
    const bench = started();
    const { terms } = bench.order(1);
    bench.accept(terms);
    const before = bench.state;
    const execution = executionOf(terms, 100, { tradeId: "7", at: at(1_003) });
    const result = bench.feed({ kind: "fill", at: at(1_003), order: refOf(1, "buy", 1), execution });

    // 0.1 · 110 = 11, and 0.1 % of it.
    const parcel = {
      origin: "grid",
      quantity: 100,
      quote: usdt("11"),
      fee: usdt("0.011"),
    };
    const sell = termsOf(bench.state.bot, 1, "sell", 1, 1_003);
    const totals = {
      fills: 1,
      trades: 0,
      gridProfit: 0n,
      inventorySells: 0,
      inventoryPnl: 0n,
      fees: usdt("0.011"),
      cashFlow: usdt("-11.011"),
      position: 100,
      baseFees: 0n,
    };
    expect(result).toEqual({
      state: {
        ...before,
        price: 110,
        priceAt: 1_003,
        totals,
        slots: before.slots.map((slot, i) =>
          i === 1
            ? {
                ...slot,
                phase: { kind: "selling", order: { kind: "pending", terms: sell, progress: NOTHING } },
                inventory: [parcel],
                buys: { generation: 1, ended: "filled" },
                sells: { generation: 1, ended: "never" },
              }
            : slot,
        ),
      },
      records: [
        { kind: "fill", fill: fillOf(terms, execution) },
        orderRecord(terms, "filled", {
          at: at(1_003),
          progress: {
            executed: lots(100),
            quote: usdt("11"),
            fee: usdt("0.011"),
            baseFee: usdt("0"),
            tradeIds: ["7"],
          },
        }),
        { kind: "slot", slot: 1, holding: { wants: "sell", inventory: [parcel], dust: 0n } },
        { kind: "totals", totals },
      ],
      commands: [{ kind: "placeOrder", terms: sell }],
    });
  });

  it("that is filled in parts keeps working, and the slot sells only when it is complete", () => {
    const bench = started();
    const { terms } = bench.order(1);
    bench.accept(terms);
    const first = bench.fill(terms, 30);
    expect(first.commands).toEqual([]);
    expect(bench.order(1)).toMatchObject({ kind: "open", progress: { executed: 30, quote: usdt("3.3") } });
    expect(bench.slot(1).inventory).toEqual([]);
    expect(bench.state.totals).toMatchObject({ fills: 1, position: 30 });
    expect(bench.fill(terms, 69).commands).toEqual([]);
    expect(placements(bench.fill(terms, 1))).toEqual(["sell 1 #1 100@120"]);
    expect(bench.slot(1).inventory).toEqual([
      { origin: "grid", quantity: 100, quote: usdt("11"), fee: usdt("0.011") },
    ]);
    expect(bench.identityError()).toBe(0n);
  });

  it("may be filled before its acceptance arrives: the late acceptance changes nothing", () => {
    const bench = started();
    const { terms } = bench.order(1);
    bench.fill(terms, 40);
    expect(bench.order(1)).toMatchObject({ kind: "open", exchangeOrderId: `x-${terms.id}` });
    const before = bench.state;
    expect(bench.accept(terms)).toEqual({ state: before, records: [], commands: [] });
    expect(placements(bench.fill(terms, 60))).toEqual(["sell 1 #1 100@120"]);
    const selling = bench.state;
    expect(bench.accept(terms)).toEqual({ state: selling, records: [], commands: [] });
  });

  it("hears of one execution twice and counts it once", () => {
    const bench = started();
    const { terms } = bench.order(1);
    bench.accept(terms);
    bench.fill(terms, 40, { tradeId: "again" });
    const before = bench.state;
    const { state, records, commands } = bench.fill(terms, 40, { tradeId: "again" });
    expect(state).toEqual(before);
    expect([records, commands]).toEqual([[], []]);
  });

  it("that the exchange closed half done makes the slot sell the half", () => {
    const bench = started();
    const { terms } = bench.order(1);
    bench.accept(terms);
    bench.fill(terms, 60);
    const result = bench.closed(terms, 60);
    expect(placements(result)).toEqual(["sell 1 #1 60@120"]);
    expect(result.records).toContainEqual(
      orderRecord(terms, "canceled", {
        at: at(bench.now),
        progress: expect.objectContaining({ executed: 60 }),
      }),
    );
  });

  it("that the exchange closed before its executions are known ends only with the last of them", () => {
    const bench = started();
    const { terms } = bench.order(1);
    bench.accept(terms);
    const early = bench.closed(terms, 60);
    expect(queries(early)).toEqual([terms.id]);
    expect(placements(early)).toEqual([]);
    expect(bench.fill(terms, 60).commands).toEqual([]);
    expect(placements(bench.closed(terms, 60))).toEqual(["sell 1 #1 60@120"]);
  });

  it("that ended with less than the smallest order carries it to the slot's next orders", () => {
    const bench = started();
    const { terms } = bench.order(1);
    bench.accept(terms);
    bench.fill(terms, 20);
    // 0.02 · 120 = 2.4 USDT are too few to sell: the next buy is for the rest, the next sell for all.
    const [rest] = placedBy(bench.closed(terms, 20).commands);
    // Its fill left the price on the level itself: first the price has to be above it again.
    expect(rest).toBeUndefined();
    const [next] = placedBy(bench.tick(115).commands);
    expect(next).toMatchObject({ side: "buy", slot: 1, generation: 2, quantity: 80, price: 110 });
    if (!next) return;
    bench.accept(next);
    expect(placements(bench.fill(next))).toEqual(["sell 1 #1 100@120"]);
    expect(bench.slot(1).inventory).toEqual([
      { origin: "grid", quantity: 100, quote: usdt("11"), fee: usdt("0.011") },
    ]);
  });

  it("is placed in full where the rest would be too small for an order", () => {
    const bench = new Bench(
      makeBot(115, { initial: "none", amount: { kind: "base_quantity", value: "0.06" } }),
    );
    bench.snapshot(115);
    const { terms } = bench.order(1);
    bench.accept(terms);
    bench.fill(terms, 40);
    bench.closed(terms, 40);
    // 0.04 · 120 = 4.8 cannot be sold, 0.02 · 110 = 2.2 cannot be bought.
    expect(placements(bench.tick(115))).toEqual(["buy 1 #2 60@110"]);
  });
});

describe("a sell", () => {
  const holding = (): Bench => {
    const bench = runningBench(115, { initial: "none" });
    const [sell] = placedBy(bench.fill(bench.order(1).terms).commands);
    if (sell) bench.accept(sell);
    return bench;
  };

  it("that is filled is a trade, net of both fees, and the slot buys again", () => {
    const bench = holding();
    const { terms } = bench.order(1);
    const execution = executionOf(terms, 100, { tradeId: "9", at: at(2_000) });
    const result = bench.feed({ kind: "fill", at: at(2_000), order: refOf(1, "sell", 1), execution });
    const trade = {
      slot: 1,
      generation: 1,
      part: 0,
      origin: "grid",
      quantity: 100,
      buyQuote: usdt("11"),
      buyFee: usdt("0.011"),
      sellQuote: usdt("12"),
      sellFee: usdt("0.012"),
      profit: usdt("0.977"),
      at: 2_000,
    };
    const totals = {
      fills: 2,
      trades: 1,
      gridProfit: usdt("0.977"),
      inventorySells: 0,
      inventoryPnl: 0n,
      fees: usdt("0.023"),
      cashFlow: usdt("0.977"),
      position: 0,
      baseFees: 0n,
    };
    expect(result.records).toEqual([
      { kind: "fill", fill: fillOf(terms, execution) },
      orderRecord(terms, "filled", {
        at: at(2_000),
        progress: {
          executed: lots(100),
          quote: usdt("12"),
          fee: usdt("0.012"),
          baseFee: usdt("0"),
          tradeIds: ["9"],
        },
      }),
      { kind: "slot", slot: 1, holding: { wants: "buy", inventory: [], dust: 0n } },
      { kind: "trade", trade },
      { kind: "totals", totals },
    ]);
    expect(placements(result)).toEqual(["buy 1 #2 100@110"]);
    expect(result.state.totals).toEqual(totals);
    expect(bench.identityError()).toBe(0n);
  });

  it("that was closed half done is followed by a sell of the other half, and makes a trade of its own", () => {
    const bench = holding();
    const { terms } = bench.order(1);
    bench.fill(terms, 50);
    const result = bench.closed(terms, 50);
    expect(placements(result)).toEqual(["sell 1 #2 50@120"]);
    expect(result.state.totals).toMatchObject({ trades: 1, gridProfit: usdt("0.4885"), position: 50 });
    const [second] = placedBy(result.commands);
    if (!second) return expect.fail("no second sell");
    bench.accept(second);
    bench.fill(second);
    expect(bench.state.totals).toMatchObject({ trades: 2, gridProfit: usdt("0.977"), position: 0 });
    expect(bench.identityError()).toBe(0n);
  });

  it("that left too little to sell carries it: the next buy is smaller, the next sell is whole", () => {
    const bench = holding();
    const { terms } = bench.order(1);
    bench.fill(terms, 70);
    const [rest] = placedBy(bench.closed(terms, 70).commands);
    // 0.03 · 120 = 3.6 USDT.
    expect(rest).toMatchObject({ side: "buy", slot: 1, generation: 2, quantity: 70 });
    if (!rest) return;
    bench.accept(rest);
    expect(placements(bench.fill(rest))).toEqual(["sell 1 #2 100@120"]);
    expect(bench.identityError()).toBe(0n);
  });

  it("of lots from the start and from the grid is one trade for each, with the fee shared by lots", () => {
    const bench = runningBench(115);
    const first = bench.order(2).terms;
    bench.fill(first, 70);
    // 0.03 · 130 = 3.9 USDT stay: bought at the start, and too little to sell.
    const [again] = placedBy(bench.closed(first, 70).commands);
    if (!again) return expect.fail("no second buy");
    bench.accept(again);
    const [sell] = placedBy(bench.fill(again).commands);
    if (!sell) return expect.fail("no second sell");
    bench.accept(sell);
    const { records } = bench.fill(sell, 100, { fee: usdt("0.000000000000000007") });
    expect(records.flatMap((record) => (record.kind === "trade" ? [record.trade] : []))).toMatchObject([
      {
        origin: "initial",
        part: 0,
        quantity: 30,
        sellQuote: usdt("3.9"),
        sellFee: 2n,
        buyQuote: usdt("3.45"),
      },
      { origin: "grid", part: 1, quantity: 70, sellQuote: usdt("9.1"), sellFee: 5n, buyQuote: usdt("8.4") },
    ]);
    expect(bench.state.totals).toMatchObject({ trades: 1, inventorySells: 2 });
    expect(bench.identityError()).toBe(0n);
  });

  it("at a better price than asked for is booked at what was really paid", () => {
    const bench = holding();
    const { terms } = bench.order(1);
    const result = bench.fill(terms, 100, { price: ticks(125), fee: usdt("0.025") });
    // 12.5 − 0.025 − 11.011.
    expect(result.state.totals.gridProfit).toBe(usdt("1.464"));
    expect(bench.identityError()).toBe(0n);
  });
});
