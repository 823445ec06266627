/** Start, restart and doubt: what the ledger says and what the exchange shows become one. */
import { describe, expect, it } from "vitest";
import type { Parcel } from "../../../src/domain/grid.ts";
import type { BotLedger, LastOrder } from "../../../src/domain/ledger.ts";
import type { OrderTerms, WorkingOrder } from "../../../src/domain/order.ts";
import { NO_PROGRESS, NO_TOTALS } from "../../../src/strategy/accounting.ts";
import { emptyLedger } from "../../../src/strategy/empty-ledger.ts";
import type { GridState } from "../../../src/strategy/state.ts";
import {
  Bench,
  OTHER_CODE,
  at,
  cancellations,
  executionOf,
  lots,
  makeBot,
  orderRecord,
  placements,
  queries,
  refOf,
  shown,
  termsOf,
  usdt,
} from "./strategy-kit.ts";

/** Two cells, 100 – 120 and 120 – 140; nothing is bought at the start. */
const BOT = makeBot(130, { grids: 2, initial: "none" });
const BUY_0 = termsOf(BOT, 0, "buy", 3, 500);
const BUY_1 = termsOf(BOT, 1, "buy", 1, 500);
const SELL_0 = termsOf(BOT, 0, "sell", 2, 500);
const HELD: Parcel = { origin: "grid", quantity: lots(100), quote: usdt("10"), fee: usdt("0.01") };

function working(order: WorkingOrder): Pick<BotLedger, "working" | "lastOrders"> {
  const { slot, side, generation } = order.terms;
  return {
    working: [{ order, validUntil: at(1_500) }],
    lastOrders: [{ slot, side, generation, status: "working" }],
  };
}

function open(terms: OrderTerms, executed = 0): WorkingOrder {
  const progress = { ...NO_PROGRESS, executed: lots(executed) };
  return { kind: "open", terms, progress, exchangeOrderId: `x-${terms.id}` };
}

/** A restarted bot whose slot 1 rests as `BUY_1`, so that only slot 0 is in question. */
function restarted(ledger: Partial<BotLedger>): Bench {
  const quiet = working(open(BUY_1));
  return new Bench(BOT, {
    ...emptyLedger(),
    ...ledger,
    working: [...quiet.working, ...(ledger.working ?? [])],
    lastOrders: [...quiet.lastOrders, ...(ledger.lastOrders ?? [])],
  });
}

const holding = {
  holdings: new Map([[BUY_0.slot, { wants: "sell" as const, inventory: [HELD], dust: usdt("0") }]]),
  totals: { ...NO_TOTALS, fills: 1, position: lots(100), cashFlow: usdt("-10.01") },
};

describe("a working order", () => {
  it("that the exchange shows open goes on, and nothing is placed or cancelled", () => {
    const bench = restarted(working(open(BUY_0)));
    const result = bench.snapshot(130, { orders: [shown(BUY_0), shown(BUY_1)], seen: [BUY_0, BUY_1] });
    expect([result.records, result.commands]).toEqual([[], []]);
    expect(bench.order(0)).toEqual(open(BUY_0));
    expect(result.state.ready).toBe(true);
  });

  it.each(["pending", "unknown"] as const)("that was %s and is found open is adopted as accepted", (kind) => {
    const bench = restarted(working({ kind, terms: BUY_0, progress: NO_PROGRESS }));
    expect(bench.order(0).kind).toBe("unknown");
    const result = bench.snapshot(130, { orders: [shown(BUY_0), shown(BUY_1)] });
    expect(result.records).toEqual([orderRecord(BUY_0, "open", { at: at(bench.now) })]);
    expect(result.commands).toEqual([]);
    expect(bench.order(0)).toEqual(open(BUY_0));
  });

  it("that is closed, its fills stored, is closed here, and the slot goes on after a pause", () => {
    const bench = restarted(working(open(BUY_0)));
    const result = bench.snapshot(130, { orders: [shown(BUY_0, "canceled", 0), shown(BUY_1)] });
    expect(result.records).toEqual([orderRecord(BUY_0, "canceled", { at: at(bench.now) })]);
    expect(placements(result)).toEqual([]);
    expect(placements(bench.timer(1_000))).toEqual(["buy 0 #4 100@100"]);
  });

  it("that is closed and whose fills come with the snapshot is closed with them", () => {
    const bench = restarted(working(open(BUY_0)));
    const result = bench.snapshot(130, {
      orders: [shown(BUY_0, "filled", 100), shown(BUY_1)],
      fills: [60, 40].map((quantity) => ({ order: BUY_0, execution: executionOf(BUY_0, quantity) })),
    });
    expect(result.state.totals).toMatchObject({ fills: 2, position: 100 });
    expect(placements(result)).toEqual(["sell 0 #1 100@120"]);
    expect(queries(result)).toEqual([]);
    expect(bench.identityError()).toBe(0n);
  });

  it("that is closed while fills are missing is looked up again, and not replaced", () => {
    const bench = restarted(working(open(BUY_0)));
    const result = bench.snapshot(130, { orders: [shown(BUY_0, "filled", 100), shown(BUY_1)] });
    expect(queries(result)).toEqual([BUY_0.id]);
    expect(placements(result)).toEqual([]);
    expect(bench.order(0).kind).toBe("open");
  });

  it.each(["pending", "unknown", "open", "canceling"] as const)(
    "that was %s and that the exchange does not show is looked up, and not replaced",
    (kind) => {
      const acknowledged = { terms: BUY_0, progress: NO_PROGRESS, exchangeOrderId: `x-${BUY_0.id}` };
      const order: WorkingOrder =
        kind === "pending" || kind === "unknown"
          ? { kind, terms: BUY_0, progress: NO_PROGRESS }
          : { kind, ...acknowledged };
      const bench = restarted(working(order));
      const result = bench.snapshot(130, { orders: [shown(BUY_1)] });
      expect(queries(result)).toEqual([BUY_0.id]);
      expect(placements(result)).toEqual([]);
      expect(bench.state.mode).toBe("running");
    },
  );

  it("that this process has just sent is not looked up: its answer is still to come", () => {
    const bench = restarted({});
    const [sent] = placements(bench.snapshot(130, { orders: [shown(BUY_1)] }));
    expect(sent).toBe("buy 0 #1 100@100");
    expect(bench.snapshot(130, { orders: [shown(BUY_1)] }).commands).toEqual([]);
  });
});

describe("an order of ours that the ledger does not know", () => {
  it("is adopted where it is what the slot would place", () => {
    const bench = restarted({});
    const result = bench.snapshot(130, { orders: [shown(BUY_0), shown(BUY_1)], seen: [BUY_0, BUY_1] });
    expect(result.commands).toEqual([]);
    expect(result.records).toEqual([
      { kind: "adoptedOrder", terms: BUY_0, status: "open", exchangeOrderId: `x-${BUY_0.id}` },
      {
        kind: "event",
        at: bench.now,
        type: "order_adopted",
        detail: { id: BUY_0.id, slot: 0, side: "buy" },
      },
    ]);
    expect(bench.order(0)).toEqual(open(BUY_0));
    expect(placements(bench.fill(BUY_0))).toEqual(["sell 0 #1 100@120"]);
  });

  it("is adopted as a sell of what the slot holds, and its fill is a trade", () => {
    const bench = restarted(holding);
    const result = bench.snapshot(130, { orders: [shown(SELL_0), shown(BUY_1)], seen: [SELL_0] });
    expect(result.commands).toEqual([]);
    expect(bench.order(0)).toEqual(open(SELL_0));
    expect(bench.fill(SELL_0).state.totals).toMatchObject({ trades: 1, gridProfit: usdt("1.978") });
    expect(bench.identityError()).toBe(0n);
  });

  it("is adopted together with what it has executed", () => {
    const bench = restarted({});
    const result = bench.snapshot(130, {
      orders: [shown(BUY_0, "open", 40), shown(BUY_1)],
      fills: [{ order: BUY_0, execution: executionOf(BUY_0, 40) }],
      seen: [BUY_0],
    });
    expect(result.commands).toEqual([]);
    expect(bench.order(0)).toMatchObject({ kind: "open", progress: { executed: 40 } });
    expect(placements(bench.fill(BUY_0, 60))).toEqual(["sell 0 #1 100@120"]);
  });

  it.each<[string, OrderTerms]>([
    ["a sell of a slot that holds nothing", SELL_0],
    ["a buy at another price", { ...BUY_0, price: BOT.slots[1]?.buyPrice ?? BUY_0.price }],
    ["a buy of more than the slot trades", { ...BUY_0, quantity: lots(101) }],
    ["an order of no slot of this bot", { ...BUY_0, ...refOf(7, "buy", 1) }],
  ])("is cancelled where it is %s", (_name, order) => {
    const bench = restarted({});
    const result = bench.snapshot(130, { orders: [shown(order), shown(BUY_1)] });
    expect(cancellations(result)).toEqual([order.id]);
    expect(result.records).toContainEqual({
      kind: "event",
      at: bench.now,
      type: "order_orphaned",
      detail: { id: order.id, slot: order.slot, side: order.side },
    });
  });

  it("is cancelled where the slot's own order works", () => {
    const bench = restarted(working(open(BUY_0)));
    const newer = termsOf(BOT, 0, "buy", 4, 600);
    const result = bench.snapshot(130, { orders: [shown(newer), shown(BUY_0), shown(BUY_1)] });
    expect(cancellations(result)).toEqual([newer.id]);
    expect(placements(result)).toEqual([]);
    expect(bench.order(0)).toEqual(open(BUY_0));
  });
});

describe("an open order of a list that is older than what is known", () => {
  /** A slot whose order 3 fills, sells, and works as order 4. */
  function afterOneCycle(): { readonly bench: Bench; readonly before: GridState } {
    const bench = restarted(working(open(BUY_0)));
    bench.snapshot(130, { orders: [shown(BUY_0), shown(BUY_1)] });
    const before = bench.state;
    bench.fill(BUY_0);
    const sell = bench.order(0).terms;
    bench.accept(sell);
    bench.fill(sell);
    bench.accept(bench.order(0).terms);
    return { bench, before };
  }

  it("is left alone where it has ended since the list was asked for", () => {
    const { bench, before } = afterOneCycle();
    const next = bench.order(0);
    const result = bench.snapshot(130, { orders: [shown(BUY_0), shown(next.terms), shown(BUY_1)], before });
    expect(next.terms.generation).toBe(BUY_0.generation + 1);
    expect(result.commands).toEqual([]);
    expect(bench.order(0)).toEqual(next);
  });

  it("is cancelled where it had ended before: its end was not true", () => {
    const { bench } = afterOneCycle();
    const next = bench.order(0);
    const result = bench.snapshot(130, { orders: [shown(BUY_0), shown(next.terms), shown(BUY_1)] });
    expect(cancellations(result)).toEqual([BUY_0.id]);
  });
});

describe("fills that are not stored", () => {
  it("are counted, also those of orders that ended long ago", () => {
    const last: LastOrder = {
      slot: BUY_0.slot,
      side: "buy",
      generation: BUY_0.generation,
      status: "canceled",
    };
    const bench = restarted({ lastOrders: [last] });
    const result = bench.snapshot(130, {
      orders: [shown(BUY_1)],
      fills: [{ order: BUY_0, execution: executionOf(BUY_0, 100) }],
    });
    expect(result.state.totals).toMatchObject({ fills: 1, position: 100 });
    expect(placements(result)).toEqual(["sell 0 #1 100@120"]);
    expect(bench.identityError()).toBe(0n);
  });

  it("of a buy and then its sell are a cycle, although nothing of either was stored", () => {
    const bench = restarted({});
    const result = bench.snapshot(130, {
      orders: [shown(BUY_1)],
      fills: [BUY_0, SELL_0].map((order) => ({ order, execution: executionOf(order, 100) })),
      seen: [BUY_0, SELL_0],
    });
    expect(result.state.totals).toMatchObject({ trades: 1, gridProfit: usdt("1.978"), position: 0 });
    expect(placements(result)).toEqual(["buy 0 #4 100@100"]);
    expect(bench.identityError()).toBe(0n);
  });
});

describe("orders of others", () => {
  it("are left alone: those of people, of other programs and of other bots", () => {
    const bench = restarted(working(open(BUY_0)));
    const strangers = [
      { ...shown(BUY_0), id: undefined, exchangeOrderId: "1" },
      { ...shown(BUY_0), id: "web_81a7" as OrderTerms["id"], exchangeOrderId: "2" },
      { ...shown(BUY_0), id: refOf(0, "buy", 9, OTHER_CODE).id, exchangeOrderId: "3" },
    ];
    const result = bench.snapshot(130, { orders: [...strangers, shown(BUY_0), shown(BUY_1)] });
    expect([result.records, result.commands]).toEqual([[], []]);
    expect(bench.slot(0).buys.generation).toBe(3);
  });
});

describe("generations", () => {
  it("are lifted above every one that the exchange was seen to know", () => {
    const bench = restarted({});
    const seen = [refOf(0, "buy", 5), refOf(0, "buy", 41), refOf(0, "buy", 7), refOf(0, "sell", 12)];
    expect(placements(bench.snapshot(130, { orders: [shown(BUY_1)], seen }))).toEqual(["buy 0 #42 100@100"]);
    const { terms } = bench.order(0);
    bench.accept(terms);
    expect(placements(bench.fill(terms))).toEqual(["sell 0 #13 100@120"]);
  });

  it("are never lowered by an older id", () => {
    const bench = restarted(working(open(BUY_0)));
    bench.snapshot(130, { orders: [shown(BUY_0), shown(BUY_1)], seen: [refOf(0, "buy", 1)] });
    bench.closed(BUY_0, 0);
    bench.timer(1_000);
    expect(bench.order(0).terms.generation).toBe(4);
  });

  it("of the initial purchase are lifted too", () => {
    const bench = new Bench(makeBot(115, { grids: 2 }));
    const placed = placements(bench.snapshot(115, { seen: [refOf(60_000_000, "buy", 6)] }));
    expect(placed).toEqual(["buy initial #7 100@115", "buy 0 #1 100@100"]);
  });
});

describe("a snapshot", () => {
  it("that repeats what is known changes nothing", () => {
    const bench = restarted(working(open(BUY_0)));
    const lists = { orders: [shown(BUY_0), shown(BUY_1)], seen: [BUY_0, BUY_1] };
    bench.snapshot(130, lists);
    const { slots } = bench.state;
    const again = bench.snapshot(130, lists);
    expect([again.records, again.commands]).toEqual([[], []]);
    expect(again.state.slots).toEqual(slots);
  });

  it("older than an order that was placed since does not take it for lost", () => {
    const bench = restarted(working(open(BUY_0)));
    bench.snapshot(130, { orders: [shown(BUY_0), shown(BUY_1)] });
    const before = bench.state;
    const [sell] = placements(bench.fill(BUY_0));
    expect(sell).toBe("sell 0 #1 100@120");
    const late = bench.snapshot(130, { orders: [shown(BUY_0), shown(BUY_1)], seen: [BUY_0, BUY_1], before });
    expect(late.commands).toEqual([]);
    expect(bench.order(0)).toMatchObject({ kind: "pending", terms: { side: "sell" } });
  });

  it("finds a halted bot halted: nothing is placed", () => {
    const bench = restarted({ mode: "halted" });
    expect(placements(bench.snapshot(130, { orders: [shown(BUY_1)] }))).toEqual([]);
  });

  it("finds a killed bot killed: what rests is cancelled", () => {
    const bench = restarted({ ...working(open(BUY_0)), mode: "killed" });
    const result = bench.snapshot(130, { orders: [shown(BUY_0), shown(BUY_1)] });
    expect(cancellations(result)).toEqual([BUY_0.id, BUY_1.id]);
  });
});
