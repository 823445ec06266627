/** Faults that were found once: each stays fixed. */
import { describe, expect, it } from "vitest";
import type { Parcel } from "../../../src/domain/grid.ts";
import type { WorkingOrder } from "../../../src/domain/order.ts";
import { ORDER_TRANSITIONS } from "../../../src/domain/order.ts";
import { createInstrument } from "../../../src/domain/instrument.ts";
import { NO_PROGRESS, NO_TOTALS } from "../../../src/strategy/accounting.ts";
import { emptyLedger } from "../../../src/strategy/empty-ledger.ts";
import { rangeLattice } from "../../../src/strategy/lattice.ts";
import { sizeSlots } from "../../../src/strategy/sizing.ts";
import {
  Bench,
  INITIAL,
  SETTINGS,
  at,
  cancellations,
  executionOf,
  lots,
  makeBot,
  placedBy,
  placements,
  refOf,
  runningBench,
  shown,
  termsOf,
  usdt,
  queries,
} from "./strategy-kit.ts";

const HELD = { origin: "grid", quantity: lots(100), quote: usdt("10"), fee: usdt("0.01") } as const;

describe("regressions", () => {
  it("a slot that holds sells after a restart, also while the initial purchase is not done", () => {
    const bot = makeBot(125);
    const bench = new Bench(bot, {
      ...emptyLedger(),
      holdings: new Map([
        [refOf(0, "buy", 1).slot, { wants: "sell" as const, inventory: [HELD], dust: usdt("0") }],
      ]),
      lastOrders: [{ ...refOf(0, "buy", 1), status: "filled" }],
      totals: { ...NO_TOTALS, fills: 1, position: lots(100), cashFlow: usdt("-10.01") },
    });
    const placed = placements(bench.snapshot(125));
    expect(placed).toContain("sell 0 #1 100@110");
    expect(placed).not.toContain("buy 0 #2 100@100");
  });

  it("restored backup: buy filled and sell resting are adopted, nothing new is placed", () => {
    const bot = makeBot(105, { grids: 1, initial: "none" });
    const [buy, sell] = [termsOf(bot, 0, "buy", 1, 0), termsOf(bot, 0, "sell", 1, 0)];
    const bench = new Bench(bot);
    const result = bench.snapshot(105, {
      orders: [shown(sell)],
      fills: [{ order: buy, execution: executionOf(buy, 100) }],
      seen: [buy, sell],
    });
    expect([cancellations(result), placements(result)]).toEqual([[], []]);
  });

  it("the same where the ledger still has the buy working", () => {
    const bot = makeBot(105, { grids: 1, initial: "none" });
    const [buy, sell] = [termsOf(bot, 0, "buy", 1, 0), termsOf(bot, 0, "sell", 1, 0)];
    const order: WorkingOrder = {
      kind: "open",
      terms: buy,
      progress: NO_PROGRESS,
      exchangeOrderId: `x-${buy.id}`,
    };
    const bench = new Bench(bot, {
      ...emptyLedger(),
      working: [{ order, validUntil: at(1) }],
      lastOrders: [{ ...refOf(0, "buy", 1), status: "working" }],
    });
    const result = bench.snapshot(105, {
      orders: [shown(sell), shown(buy, "filled", 100)],
      fills: [{ order: buy, execution: executionOf(buy, 100) }],
      seen: [buy, sell],
    });
    expect([cancellations(result), placements(result)]).toEqual([[], []]);
  });

  it("an order whose cancel was stored but perhaps never sent is cancelled again after a restart", () => {
    const bot = makeBot(105, { grids: 1, initial: "none" });
    const buy = termsOf(bot, 0, "buy", 1, 0);
    const order: WorkingOrder = {
      kind: "canceling",
      terms: buy,
      progress: NO_PROGRESS,
      exchangeOrderId: `x-${buy.id}`,
    };
    const bench = new Bench(bot, {
      ...emptyLedger(),
      mode: "killed",
      working: [{ order, validUntil: at(1) }],
      lastOrders: [{ ...refOf(0, "buy", 1), status: "working" }],
    });
    const result = bench.snapshot(105, { orders: [shown(buy)], seen: [buy] });
    expect([...cancellations(result), ...queries(result)]).toEqual([buy.id]);
  });

  it("kill: an order that is partly filled before it is acknowledged is cancelled", () => {
    const bench = new Bench(makeBot(105, { initial: "none" }));
    bench.snapshot(105);
    const { terms } = bench.order(0);
    bench.control("kill");
    const commands = [...bench.fill(terms, 40).commands, ...bench.accept(terms).commands];
    expect(cancellations({ commands })).toEqual([terms.id]);
  });

  it("a halt does not bring a killed bot back", () => {
    const bench = runningBench(105, { initial: "none" });
    const { terms } = bench.order(0);
    bench.control("kill");
    bench.fill(terms, 100, { feeAsset: "BNB", fee: usdt("0.00001") });
    expect(bench.state.mode).toBe("killed");
    expect(placements(bench.control("resume"))).toEqual([]);
  });

  it("an orphan whose cancel got lost is cancelled again at the next snapshot", () => {
    const bot = makeBot(105, { grids: 1, initial: "none" });
    const sell = termsOf(bot, 0, "sell", 4, 0);
    const bench = new Bench(bot);
    const lists = { orders: [shown(sell)], seen: [sell] };
    expect(cancellations(bench.snapshot(105, lists))).toEqual([sell.id]);
    expect(cancellations(bench.snapshot(105, lists))).toEqual([sell.id]);
  });

  it("a slot places nothing while an orphan of the same side still rests", () => {
    const bot = makeBot(105, { grids: 1, initial: "none" });
    const orphan = { ...termsOf(bot, 0, "buy", 4, 0), quantity: lots(101) };
    const bench = new Bench(bot);
    const result = bench.snapshot(105, { orders: [shown(orphan)], seen: [orphan] });
    expect(cancellations(result)).toEqual([orphan.id]);
    expect(placements(result)).toEqual([]);
  });

  it("an orphan is stored with its id, so that a later start does not use it a second time", () => {
    const bot = makeBot(105, { grids: 1, initial: "none" });
    const orphan = { ...termsOf(bot, 0, "buy", 4, 0), quantity: lots(101) };
    const bench = new Bench(bot);
    const lists = { orders: [shown(orphan)], seen: [orphan] };
    const stored = {
      kind: "adoptedOrder",
      terms: orphan,
      status: "canceled",
      exchangeOrderId: `x-${orphan.id}`,
    };
    expect(bench.snapshot(105, lists).records).toContainEqual(stored);
    expect(bench.snapshot(105, lists).records).not.toContainEqual(stored);
  });

  it.each(["canceled", "filled"] as const)(
    "an order that the books had as %s before the lists were read, and that rests, is cancelled",
    (status) => {
      const bot = makeBot(105, { grids: 1, initial: "none" });
      const orphan = termsOf(bot, 0, "buy", 4, 0);
      const bench = new Bench(bot, { ...emptyLedger(), lastOrders: [{ ...refOf(0, "buy", 4), status }] });
      const result = bench.snapshot(105, { orders: [shown(orphan)], seen: [orphan] });
      expect(cancellations(result)).toEqual([orphan.id]);
      expect(placements(result)).toEqual([]);
    },
  );

  it("late fills of the order that sells everything make trades of their own", () => {
    const bench = runningBench(115);
    bench.control("close");
    for (const slot of [0, 1, 2, 3]) bench.closed(bench.order(slot).terms, 0);
    const [closing] = placedBy(bench.last.commands);
    if (!closing) return expect.fail("nothing is sold");
    bench.accept(closing);
    bench.fill(closing, 150);
    bench.closed(closing, 150);

    bench.fill(closing, 20);
    bench.fill(closing, 20);

    const trades = bench.records.flatMap((record) => (record.kind === "trade" ? [record.trade] : []));
    expect(trades.map(({ quantity }) => quantity)).toEqual([100, 50, 20, 20]);
    expect(new Set(trades.map(({ part }) => part)).size).toBe(4);
    expect(bench.identityError()).toBe(0n);
  });

  it("proven absent of a canceled order stays canceled", () => {
    expect(ORDER_TRANSITIONS.canceled.provenAbsent).toBe("canceled");
  });

  it("an initial purchase below the minimum order is not waited for for ever without a word", () => {
    // one holding slot: 0.05 · 100 = 5 is orderable, 0.05 · 99 = 4.95 is not
    const bench = new Bench(
      makeBot(99, { grids: 1, upper: "140", amount: { kind: "base_quantity", value: "0.05" } }),
    );
    const result = bench.snapshot(99);
    expect([...result.records, ...result.commands]).not.toEqual([]);
    expect(bench.state.initial.kind).toBe("done");
  });

  it("initial purchase, rest becomes too small after price fell", () => {
    const bench = new Bench(makeBot(115));
    bench.snapshot(115);
    const { terms } = bench.order(INITIAL);
    bench.accept(terms);
    bench.fill(terms, 150);
    bench.control("pause");
    bench.closed(terms, 150); // 50 lots at 115 = 5.75: orderable
    expect(placements(bench.tick(99))).toContain("sell 2 #1 100@130"); // 4.95
  });

  it("an investment buys the largest quantity, also where a lot at a tick is tiny", () => {
    const instrument = createInstrument({
      exchange: "sim",
      symbol: "PEPE/BTC",
      tickSize: "0.00000000000001",
      lotSize: "1",
      makerFee: "0.00075123",
      takerFee: "0.00075123",
    });
    const settings = {
      ...SETTINGS,
      lower: "0.00000000000100",
      upper: "0.00000000000140",
      grids: 4,
      amount: { kind: "investment", value: "1" },
    } as const;
    const prices = rangeLattice(settings, instrument);
    const [slot] = sizeSlots(settings, instrument, prices, 150 as never);
    const one = 10n ** 18n;
    const cost = (q: bigint) =>
      [100n, 110n, 120n, 130n].reduce((s, p) => s + p * 10000n * q * (one + 751230000000000n), 0n);
    const q = BigInt(slot?.quantity ?? 0);
    expect(cost(q) <= one * one).toBe(true);
    expect(cost(q + 1n) > one * one).toBe(true);
  });

  it("late initial fill of a slot that waits completes the purchase", () => {
    const bench = new Bench(makeBot(115));
    bench.snapshot(115);
    const { terms } = bench.order(INITIAL);
    bench.accept(terms);
    bench.fill(terms, 100);
    bench.control("pause");
    bench.closed(terms, 100);
    const r = bench.fill(terms, 100);
    expect(placedBy(r.commands).map(({ slot }) => slot)).toContain(3);
  });
  it("late initial fill beyond all need keeps the identity", () => {
    const bench = new Bench(makeBot(115));
    bench.snapshot(115);
    const { terms } = bench.order(INITIAL);
    bench.accept(terms);
    bench.fill(terms, 200);
    bench.fill(terms, 10);
    expect(bench.identityError()).toBe(0n);
  });
  it("a minimum below 0 is refused", () => {
    expect(() =>
      createInstrument({
        exchange: "sim",
        symbol: "BTC/USDT",
        tickSize: "0.01",
        lotSize: "0.00001",
        minQuantity: "-1",
        makerFee: "0",
        takerFee: "0",
      }),
    ).toThrow();
  });
  it("a late trade of a closing sale has a number of its own, also where a slot sold next to a parcel of no whole lot", () => {
    const bought = { origin: "initial", quantity: lots(100), quote: usdt("10"), fee: usdt("0") } as const;
    const fraction = { origin: "grid", quantity: lots(0), quote: usdt("0.1"), fee: usdt("0") } as const;
    const holding = (inventory: readonly Parcel[]) => ({
      wants: "sell" as const,
      inventory,
      dust: usdt("0"),
    });
    const bench = new Bench(makeBot(105), {
      ...emptyLedger(),
      mode: "closing",
      initialDone: true,
      holdings: new Map([
        [refOf(1, "buy", 1).slot, holding([bought, fraction])],
        [refOf(2, "buy", 1).slot, holding([bought])],
      ]),
      totals: { ...NO_TOTALS, fills: 3, position: lots(200), cashFlow: usdt("-20.1") },
    });
    const [sale] = placedBy(bench.snapshot(105).commands);
    if (!sale) return expect.fail("nothing is sold");
    bench.fill(sale, 150);
    bench.closed(sale, 150);
    bench.fill(sale, 10);
    const parts = bench.records.flatMap((record) => (record.kind === "trade" ? [record.trade.part] : []));
    expect(parts).toEqual([0, 1, 2]);
  });
  it("a slot that a late fill has filled sells, and buys no second time, once the order that took the place has ended", () => {
    const bench = runningBench(105, { initial: "none" });
    const { terms } = bench.order(0);
    bench.closed(terms, 0);
    bench.tick(106);
    bench.timer(5_000);
    const { terms: next } = bench.order(0);
    bench.accept(next);
    bench.fill(terms, 100);
    bench.closed(next, 0);
    bench.timer(5_000);
    expect(bench.order(0).terms).toMatchObject({ side: "sell", quantity: 100 });
  });
  it("a late fill is counted into its closed order too", () => {
    const bench = runningBench(105, { initial: "none" });
    const { terms } = bench.order(0);
    bench.closed(terms, 0);
    // table: canceled on filled → filled; record of the order must grow with its fills
    const r = bench.fill(terms, 100);
    expect(r.records).toContainEqual(
      expect.objectContaining({
        kind: "lateProgress",
        order: expect.objectContaining({ id: terms.id }),
        progress: expect.objectContaining({ executed: 100 }),
      }),
    );
  });
});

describe("a fill", () => {
  it("moves the price for every slot: a half-filled sell that it leaves far behind is cancelled", () => {
    const bench = runningBench(125, { initial: "none" });
    const bought = bench.order(2).terms;
    const [sell] = placedBy(bench.fill(bought).commands);
    if (!sell) return expect.fail("nothing is sold");
    bench.accept(sell);
    bench.fill(sell, 60);
    const far = bench.fill(bench.order(0).terms);
    expect(cancellations(far)).toEqual([sell.id]);
  });
});
