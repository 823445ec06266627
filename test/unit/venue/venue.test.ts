/** The exchange core: who trades with whom, at what price, for what fee, and what an account can still spend. */
import { describe, expect, it } from "vitest";
import type { PriceTicks, QuantityLots } from "../../../src/domain/amounts.ts";
import type { ClientOrderId, Instant } from "../../../src/domain/ids.ts";
import { createInstrument } from "../../../src/domain/instrument.ts";
import type { PlaceCommand, PlaceResult } from "../../../src/venue/matching/commands.ts";
import type { OrderView } from "../../../src/venue/matching/order-history.ts";
import { INSTRUMENT, SYMBOL, createKit } from "./venue-kit.ts";

const rejected = (reason: string): object => expect.objectContaining({ kind: "rejected", reason });

describe("two accounts in one book", () => {
  it("trade at the resting price, the better price first, then the older order", () => {
    const kit = createKit();
    kit.sell(102, 10, { account: "bob", id: "worse" });
    kit.sell(101, 10, { account: "bob", id: "older" });
    kit.sell(101, 10, { account: "bob", id: "younger" });

    kit.buy(102, 25);

    expect(kit.fills()).toEqual([
      "1 buy 10@101 taker 2.02",
      "2 buy 10@101 taker 2.02",
      "3 buy 5@102 taker 1.02",
    ]);
    const executed = (id: string): unknown =>
      kit.venue.findByClientId("bob", SYMBOL, id as ClientOrderId)?.executed;
    expect([executed("older"), executed("younger"), executed("worse")]).toEqual([10, 10, 5]);
  });

  it("share the trade id, and each pays its own fee", () => {
    const kit = createKit();
    kit.sell(100, 10, { account: "bob" });

    kit.buy(100, 10);

    expect(kit.fills("ann")).toEqual(["1 buy 10@100 taker 2"]);
    expect(kit.fills("bob")).toEqual(["1 sell 10@100 maker 1"]);
    expect(kit.holdings("ann")).toEqual({ BTC: "101+0", USDT: "9898+0" });
    expect(kit.holdings("bob")).toEqual({ BTC: "99+0", USDT: "10099+0" });
  });

  it("leave the rest of a partly filled order in its place of the queue", () => {
    const kit = createKit();
    kit.sell(100, 10, { account: "bob", id: "first" });
    kit.sell(100, 10, { account: "bob", id: "second" });
    kit.buy(100, 4);

    kit.buy(100, 8);

    const orders = kit.venue.openOrders("bob", SYMBOL);
    expect(orders.map(({ id, executed }) => [id, executed])).toEqual([["second", 2]]);
  });
});

describe("a resting order", () => {
  it("locks its cost with the dearer fee, and the base when it sells", () => {
    const kit = createKit();
    kit.buy(100, 10);
    kit.sell(200, 30);

    expect(kit.holdings()).toEqual({ BTC: "97+3", USDT: "9898+102" });
  });

  it("frees what it did not use when it is cancelled after a part fill", () => {
    const kit = createKit();
    kit.buy(100, 10);
    kit.sell(100, 4, { account: "bob" });

    expect(kit.cancel("1")).toEqual({ kind: "canceled", executed: 4 });

    // 40 paid + 0.4 maker fee.
    expect(kit.holdings()).toEqual({ BTC: "100.4+0", USDT: "9959.6+0" });
    expect(kit.venue.openOrders("ann", SYMBOL)).toEqual([]);
    expect(kit.sell(100, 6, { account: "bob" })).toMatchObject({ kind: "accepted" });
    expect(kit.fills()).toHaveLength(1);
  });

  it("is cancelled once, by its own account only", () => {
    const kit = createKit();
    kit.buy(100, 10);

    expect(kit.cancel("1", "bob")).toEqual({ kind: "not_found" });
    expect(kit.cancel("1")).toEqual({ kind: "canceled", executed: 0 });
    expect(kit.cancel("1")).toEqual({ kind: "not_found" });
    expect(kit.cancel("2")).toEqual({ kind: "not_found" });
  });

  it("covers its fees however finely it is filled where they do not come out even", () => {
    const kit = createKit({
      instruments: [
        {
          ...createKit().venue.instrument(SYMBOL),
          // 1e-18 of a fee for each lot at a price of 1, rounded up from a third of that.
          notionalUnit: 33n as never,
          minNotional: 0n as never,
        },
      ],
    });
    const start = kit.venue.balances("ann")[1]?.free ?? 0n;
    kit.buy(1, 3);
    const locked = kit.venue.balances("ann")[1]?.locked ?? 0n;
    for (let part = 0; part < 3; part += 1) kit.sell(1, 1, { account: "bob" });

    expect(locked).toBe(3n * (33n + 1n));
    expect(kit.venue.balances("ann")[1]).toEqual({ asset: "USDT", free: start - 3n * 34n, locked: 0n });
  });
});

describe("a request", () => {
  it("is refused once its time is over, and is good until then", () => {
    const kit = createKit();
    kit.at(2000);

    expect(kit.buy(100, 10, { validUntil: 1999 })).toEqual(rejected("expired"));
    expect(kit.buy(100, 10, { validUntil: 2000 })).toMatchObject({ kind: "accepted" });
    expect(kit.cancel("1", "ann", 1999)).toEqual({ kind: "expired" });
    expect(kit.venue.openOrders("ann", SYMBOL)).toHaveLength(1);
  });

  it("is judged by the latest time that the venue was told", () => {
    const kit = createKit();
    kit.at(2000);
    kit.move(100);
    kit.at(1500);

    expect(kit.buy(100, 10, { validUntil: 1999 })).toEqual(rejected("expired"));
  });

  it.each([
    ["below the minimum notional", 10, 4],
    ["of nothing", 100, 0],
    ["at no price", 0, 10],
  ])("is refused for an order %s", (_name, price, quantity) => {
    expect(createKit().buy(price, quantity)).toEqual(rejected("invalid_order"));
  });

  it("is refused for a market that the venue does not have", () => {
    const kit = createKit();
    const terms = { account: "ann", id: undefined, side: "buy", type: "limit", validUntil: 0 } as const;
    const place = kit.venue.place(
      { ...terms, symbol: "X/Y", price: 1 as never, quantity: 1 as never, validUntil: 0 as Instant },
      0 as Instant,
    );
    expect(place).toEqual(rejected("invalid_order"));
  });

  it("is refused where the account cannot pay for all of it, fee included", () => {
    const kit = createKit();

    // 9,804 + 2 % is 10,000.08; 9,803 + 2 % is 9,999.06.
    expect(kit.buy(9804, 10)).toEqual(rejected("insufficient_funds"));
    expect(kit.buy(9803, 10)).toMatchObject({ kind: "accepted" });
    expect(kit.sell(20_000, 1001)).toEqual(rejected("insufficient_funds"));
    expect(kit.sell(20_000, 1000)).toMatchObject({ kind: "accepted" });
  });

  it("changes nothing where it is refused", () => {
    const kit = createKit();
    kit.buy(9804, 10);
    kit.buy(100, 10, { validUntil: 0 });

    expect(kit.holdings()).toEqual({ BTC: "100+0", USDT: "10000+0" });
    expect(kit.venue.ordersSince("ann", SYMBOL, 0 as Instant)).toEqual([]);
    expect(kit.events).toEqual([]);
  });
});

describe("a client order id", () => {
  it("may return after its order is closed, unless ids are unique for ever", () => {
    for (const [rule, kind] of [
      ["among open", "accepted"],
      ["unique for ever", "duplicate"],
      ["none", "accepted"],
    ] as const) {
      const kit = createKit({ clientIdRule: rule });
      kit.buy(100, 10, { id: "a" });
      kit.cancel("1");

      expect([rule, kit.buy(100, 10, { id: "a" }).kind]).toEqual([rule, kind]);
    }
  });

  it("is refused while its order is open, unless there is no rule", () => {
    for (const [rule, kind] of [
      ["among open", "duplicate"],
      ["unique for ever", "duplicate"],
      ["none", "accepted"],
    ] as const) {
      const kit = createKit({ clientIdRule: rule });
      kit.buy(100, 10, { id: "a" });

      expect([rule, kit.buy(90, 10, { id: "a" }).kind]).toEqual([rule, kind]);
      expect(kit.buy(80, 10, { id: "a", account: "bob" }).kind).toBe("accepted");
    }
  });

  it("finds the newest order that bears it", () => {
    const kit = createKit();
    kit.buy(100, 10, { id: "a" });
    kit.cancel("1");
    kit.buy(90, 10, { id: "a" });

    expect(kit.venue.findByClientId("ann", SYMBOL, "a" as ClientOrderId)).toMatchObject({
      exchangeOrderId: "2",
      price: 90,
    });
    expect(kit.venue.findByClientId("bob", SYMBOL, "a" as ClientOrderId)).toBeUndefined();
    expect(kit.venue.findByExchangeId("ann", SYMBOL, "1")).toMatchObject({ id: "a", status: "canceled" });
  });
});

describe("a post-only order", () => {
  it("is refused where it would take from the book or from the market, own orders included", () => {
    const kit = createKit();
    kit.sell(100, 10, { account: "bob" });
    expect(kit.buy(100, 10, { type: "limit_maker" })).toEqual(rejected("would_cross"));
    expect(kit.buy(100, 10, { type: "limit_maker", account: "bob" })).toEqual(rejected("would_cross"));
    expect(kit.buy(99, 10, { type: "limit_maker" })).toMatchObject({ kind: "accepted" });

    const moved = createKit();
    moved.move(100);
    expect(moved.sell(100, 10, { type: "limit_maker" })).toEqual(rejected("would_cross"));
    expect(moved.sell(101, 10, { type: "limit_maker" })).toMatchObject({ kind: "accepted" });
  });
});

describe("a market order", () => {
  it("takes what the book has, and its rest expires", () => {
    const kit = createKit();
    kit.sell(100, 10, { account: "bob" });
    kit.sell(110, 10, { account: "bob" });

    kit.buy(1, 30, { type: "market", id: "all" });

    expect(kit.fills()).toEqual(["1 buy 10@100 taker 2", "2 buy 10@110 taker 2.2"]);
    expect(kit.venue.findByClientId("ann", SYMBOL, "all" as ClientOrderId)).toMatchObject({
      status: "expired",
      executed: 20,
    });
    expect(kit.holdings()).toEqual({ BTC: "102+0", USDT: "9785.8+0" });
  });

  it("that buys must be affordable at once, taker fee included", () => {
    const kit = createKit();
    kit.move(9804);
    expect(kit.buy(1, 10, { type: "market" })).toEqual(rejected("insufficient_funds"));
    kit.move(9803);

    expect(kit.buy(1, 10, { type: "market" })).toMatchObject({ kind: "accepted" });
    expect(kit.holdings()).toEqual({ BTC: "101+0", USDT: "0.94+0" });
  });

  it("that sells needs its base, and frees what found no buyer", () => {
    const kit = createKit();
    kit.buy(100, 10, { account: "bob" });
    expect(kit.sell(1, 1001, { type: "market" })).toEqual(rejected("insufficient_funds"));

    kit.sell(1, 20, { type: "market" });

    expect(kit.holdings()).toEqual({ BTC: "99+0", USDT: "10098+0" });
  });
});

describe("a market that is moved", () => {
  it("fills resting buys on the way down as makers at their own limits, best first, then oldest", () => {
    const kit = createKit();
    kit.move(100);
    for (const [id, price] of Object.entries({ low: 95, older: 98, younger: 98, lower: 90 })) {
      kit.buy(price, 10, { id });
    }
    kit.events.length = 0;

    kit.move(95);

    const fills = kit.events.filter((event) => event.kind === "fill");
    expect(fills.map(({ id }) => id)).toEqual(["older", "younger", "low"]);
    expect(kit.fills()).toEqual([
      "1 buy 10@98 maker 0.98",
      "2 buy 10@98 maker 0.98",
      "3 buy 10@95 maker 0.95",
    ]);
  });

  it("fills resting sells on the way up, lowest first, and leaves buys alone", () => {
    const kit = createKit();
    kit.move(100);
    kit.sell(105, 10);
    kit.sell(103, 10);
    kit.sell(106, 10);
    kit.buy(99, 10);

    kit.move(105);

    expect(kit.fills()).toEqual(["1 sell 10@103 maker 1.03", "2 sell 10@105 maker 1.05"]);
  });

  it("fills at a touch or only by going through, as it is told", () => {
    const touched = createKit();
    const passed = createKit();
    for (const kit of [touched, passed]) {
      kit.move(100);
      kit.buy(95, 10);
    }

    touched.move(95, "touch");
    passed.move(95, "through");
    expect([touched.fills().length, passed.fills().length]).toEqual([1, 0]);

    passed.move(94, "through");
    expect(passed.fills()).toEqual(["1 buy 10@95 maker 0.95"]);
  });

  it("only takes its place by the first move", () => {
    const kit = createKit();
    kit.buy(100, 10);

    kit.move(90);

    expect(kit.fills()).toEqual([]);
    expect(kit.venue.price(SYMBOL)).toEqual({ price: 90, at: 1000 });
  });

  it("has unlimited depth at its price for whoever crosses it, also exactly", () => {
    const kit = createKit();
    kit.move(100);

    kit.buy(100, 400);
    kit.sell(90, 300);

    expect(kit.fills()).toEqual(["1 buy 400@100 taker 80", "2 sell 300@100 taker 60"]);
    expect(kit.holdings()).toEqual({ BTC: "110+0", USDT: "8860+0" });
  });

  it("comes after better-priced orders of others, and before equal ones", () => {
    const kit = createKit();
    kit.sell(99, 10, { account: "bob" });
    kit.sell(100, 10, { account: "bob" });
    kit.move(100);

    kit.buy(100, 30);

    expect(kit.fills("ann")).toEqual(["1 buy 10@99 taker 1.98", "2 buy 20@100 taker 4"]);
    expect(kit.fills("bob")).toEqual(["1 sell 10@99 maker 0.99"]);
  });
});

describe("a market that executes orders in part", () => {
  const half = ({ quantity, executed }: OrderView): QuantityLots =>
    Math.ceil((quantity - executed) / 2) as QuantityLots;

  it("fills the portion that it is told, and the rest by a later move that crosses it, whichever way", () => {
    const kit = createKit();
    kit.move(100);
    kit.buy(98, 10, { id: "a" });
    kit.buy(96, 6, { id: "b" });

    kit.move(90, "touch", half);
    expect([kit.order("a"), kit.order("b")]).toEqual(["open 5/10", "open 3/6"]);
    kit.move(97, "touch");

    expect([kit.order("a"), kit.order("b")]).toEqual(["filled 10/10", "open 3/6"]);
    expect(kit.fills()).toEqual(["1 buy 5@98 maker 0.49", "2 buy 3@96 maker 0.288", "3 buy 5@98 maker 0.49"]);
  });

  it("keeps the rest where the price has gone back", () => {
    const kit = createKit();
    kit.move(100);
    kit.sell(102, 10, { id: "a" });

    kit.move(105, "touch", half);
    kit.move(100, "touch", half);

    expect(kit.order("a")).toBe("open 5/10");
    expect(kit.cancel("1")).toEqual({ kind: "canceled", executed: 5 });
  });

  it("executes a part of one order at its own limit when it is told to", () => {
    const kit = createKit();
    kit.move(100);
    kit.buy(95, 10, { id: "a" });

    kit.venue.execute("ann", SYMBOL, "1", 4 as QuantityLots, 2000 as Instant);

    expect(kit.order("a")).toBe("open 4/10");
    expect(kit.fills()).toEqual(["1 buy 4@95 maker 0.38"]);
    expect(() => kit.venue.execute("ann", SYMBOL, "9", 1 as QuantityLots, 2000 as Instant)).toThrow(
      "does not rest",
    );
  });
});

describe("a market that has the depth of its book", () => {
  it("fills nothing by moving, and what crosses its price rests", () => {
    const kit = createKit({ depth: "book" });
    kit.move(100);
    kit.buy(98, 10, { id: "resting" });

    kit.move(90);
    kit.buy(95, 10, { id: "crossing" });

    expect([kit.order("resting"), kit.order("crossing")]).toEqual(["open 0/10", "open 0/10"]);
    expect(kit.venue.price(SYMBOL)).toMatchObject({ price: 90 });
    expect([kit.venue.bestPrice(SYMBOL, true), kit.venue.bestPrice(SYMBOL, false)]).toEqual([98, undefined]);
  });
});

describe("an account whose past is forgotten", () => {
  it("trades and pays like any other, and leaves nothing but its open orders and its balances", () => {
    const kit = createKit({ forgotten: new Set(["bob"]) });
    kit.sell(100, 10, { account: "bob", id: "a" });
    kit.sell(101, 10, { account: "bob", id: "b" });

    kit.buy(100, 10);

    expect(kit.fills("ann")).toEqual(["1 buy 10@100 taker 2"]);
    expect(kit.fills("bob")).toEqual([]);
    expect([kit.order("a", "bob"), kit.order("b", "bob")]).toEqual([undefined, "open 0/10"]);
    expect(kit.venue.ordersSince("bob", SYMBOL, 0 as Instant)).toEqual([]);
    expect(kit.holdings("bob")).toEqual({ BTC: "98+1", USDT: "10099+0" });
    expect(kit.cancel("1", "bob")).toEqual({ kind: "not_found" });
    expect(kit.cancel("2", "bob")).toEqual({ kind: "canceled", executed: 0 });
  });
});

describe("a venue of several markets", () => {
  it("keeps their books, prices, orders and ids apart, and one account's money together", () => {
    const other = createInstrument({
      exchange: "sim",
      symbol: "ETH/USDT",
      tickSize: "1",
      lotSize: "1",
      makerFee: "0",
      takerFee: "0",
    });
    const kit = createKit({ instruments: [INSTRUMENT, other] });
    const place = (symbol: string, price: number, quantity: number): PlaceResult =>
      kit.venue.place(
        {
          account: "ann",
          symbol,
          id: "same" as ClientOrderId,
          side: "buy",
          type: "limit",
          price: price as PriceTicks,
          quantity: quantity as QuantityLots,
          validUntil: 9_999 as Instant,
        },
        1_000 as Instant,
      );
    place(SYMBOL, 100, 10);
    kit.move(101);

    expect(place("ETH/USDT", 50, 199)).toEqual(rejected("insufficient_funds"));
    expect(place("ETH/USDT", 50, 197)).toMatchObject({ kind: "accepted" });
    kit.move(90);

    expect(kit.order("same")).toBe("filled 10/10");
    expect(kit.venue.openOrders("ann", "ETH/USDT")).toMatchObject([{ executed: 0 }]);
    expect(kit.venue.price("ETH/USDT")).toBeUndefined();
  });
});

describe("what would be refused", () => {
  it("is told as it is when it is tried, and nothing is done", () => {
    const kit = createKit();
    const command = (price: number): PlaceCommand => ({
      account: "ann",
      symbol: SYMBOL,
      id: undefined,
      side: "buy",
      type: "limit",
      price: price as PriceTicks,
      quantity: 10 as QuantityLots,
      validUntil: 1_000 as Instant,
    });

    expect(kit.venue.refusalOf(command(9_803), 1_000 as Instant)).toBeUndefined();
    expect(kit.venue.refusalOf(command(9_804), 1_000 as Instant)).toEqual(rejected("insufficient_funds"));
    expect(kit.venue.refusalOf(command(100), 1_001 as Instant)).toEqual(rejected("expired"));
    expect(kit.events).toEqual([]);
  });
});

describe("what the venue tells", () => {
  it("is the order when accepted, then each fill followed by the order's new state", () => {
    const kit = createKit();
    kit.sell(100, 4, { account: "bob" });
    kit.events.length = 0;

    kit.buy(100, 10);
    kit.cancel("2");

    const told = kit.events
      .filter(({ account }) => account === "ann")
      .map((event) => (event.kind === "fill" ? "fill" : `${event.order.status} ${event.order.executed}`));
    expect(told).toEqual(["open 0", "fill", "open 4", "canceled 4"]);
  });

  it("lists orders since a time, and fills after a trade", () => {
    const kit = createKit();
    kit.move(100);
    for (const time of [1000, 2000, 2000, 3000]) {
      kit.at(time);
      kit.buy(100, 10);
    }

    const since = kit.venue.ordersSince("ann", SYMBOL, 2000 as Instant);
    expect(since.map(({ exchangeOrderId }) => exchangeOrderId)).toEqual(["2", "3", "4"]);
    expect(kit.venue.fillsAfter("ann", SYMBOL, 2).map(({ tradeId }) => tradeId)).toEqual(["3", "4"]);
    expect(kit.venue.fillsAfter("bob", SYMBOL, 0)).toEqual([]);
  });
});
