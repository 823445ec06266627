/** How long a limit order waits for what it does not get at once. */
import { describe, expect, it } from "vitest";
import { createKit } from "./venue-kit.ts";

const invalid = (message: string): object =>
  expect.objectContaining({ kind: "rejected", reason: "invalid_order", message });

describe("an order that is immediate or cancel", () => {
  it("takes what there is at its limit or better, and its rest expires and frees what it locked", () => {
    const kit = createKit();
    kit.sell(100, 10, { account: "bob" });
    kit.sell(102, 10, { account: "bob" });

    expect(kit.buy(101, 30, { id: "ioc", timeInForce: "IOC" })).toMatchObject({ kind: "accepted" });

    expect(kit.order("ioc")).toBe("expired 10/30");
    expect(kit.fills()).toEqual(["1 buy 10@100 taker 2"]);
    expect(kit.holdings()).toEqual({ BTC: "101+0", USDT: "9898+0" });
  });

  it("never rests where nothing crosses it", () => {
    const kit = createKit();

    kit.buy(100, 10, { id: "ioc", timeInForce: "IOC" });

    expect(kit.order("ioc")).toBe("expired 0/10");
    expect(kit.venue.openOrders("ann", "BTC/USDT")).toEqual([]);
  });

  it("is filled as a whole by a market of unlimited depth", () => {
    const kit = createKit();
    kit.move(100);

    kit.buy(100, 30, { id: "ioc", timeInForce: "IOC" });

    expect(kit.order("ioc")).toBe("filled 30/30");
  });
});

describe("an order that is fill or kill", () => {
  it("takes all of its quantity, over several prices", () => {
    const kit = createKit();
    kit.sell(100, 10, { account: "bob" });
    kit.sell(101, 10, { account: "bob" });

    kit.buy(101, 20, { id: "fok", timeInForce: "FOK" });

    expect(kit.order("fok")).toBe("filled 20/20");
  });

  it("takes nothing where one lot is missing, and leaves the book as it was", () => {
    const kit = createKit();
    kit.sell(100, 10, { account: "bob", id: "maker" });
    kit.sell(101, 9, { account: "bob" });

    expect(kit.buy(101, 20, { id: "fok", timeInForce: "FOK" })).toMatchObject({ kind: "accepted" });

    expect(kit.order("fok")).toBe("expired 0/20");
    expect(kit.order("maker", "bob")).toBe("open 0/10");
    expect(kit.fills()).toEqual([]);
    expect(kit.holdings()).toEqual({ BTC: "100+0", USDT: "10000+0" });
  });

  it("does not count its own account's orders, and makes none of them give way where it is killed", () => {
    const kit = createKit();
    kit.sell(100, 10, { id: "own" });
    kit.sell(100, 10, { account: "bob" });

    kit.buy(100, 20, { id: "fok", timeInForce: "FOK" });

    expect(kit.order("fok")).toBe("expired 0/20");
    expect(kit.order("own")).toBe("open 0/10");
  });
});

describe("a time in force", () => {
  it("other than good till cancelled is for limit orders only", () => {
    const kit = createKit();
    kit.move(100);

    const market = kit.buy(100, 10, { type: "market", timeInForce: "FOK" });
    const maker = kit.buy(90, 10, { type: "limit_maker", timeInForce: "IOC" });

    expect(market).toEqual(invalid("only a limit order can be FOK"));
    expect(maker).toEqual(invalid("only a limit order can be IOC"));
    expect(kit.events).toEqual([]);
  });

  it("is good till cancelled where none is given", () => {
    const kit = createKit();
    kit.buy(100, 10, { id: "plain" });
    kit.buy(100, 10, { id: "said", timeInForce: "GTC" });

    expect([kit.order("plain"), kit.order("said")]).toEqual(["open 0/10", "open 0/10"]);
  });
});
