/** The rules of a market that an order must keep, each by its name. */
import { describe, expect, it } from "vitest";
import { parseMoney } from "../../../src/domain/amounts.ts";
import type { Filters } from "../../../src/venue/matching/filters.ts";
import type { Ask, VenueKit } from "./venue-kit.ts";
import { SYMBOL, createKit } from "./venue-kit.ts";

function filtered(filters: object): VenueKit {
  const all: ReadonlyMap<string, Filters> = new Map([[SYMBOL, filters]]);
  return createKit({ filters: all });
}
const broken = (rest: string): object => ({
  kind: "rejected",
  reason: "invalid_order",
  message: `the order breaks the filter ${rest}`,
});

interface Case {
  readonly filters: object;
  /** Price and quantity that just keep it, and that just break it. */
  readonly kept: readonly [number, number, Ask?];
  readonly breaks: readonly [number, number, Ask?];
  readonly message: string;
}

const CASES: Record<string, Case> = {
  minPrice: {
    filters: { minPrice: 90 },
    kept: [90, 10],
    breaks: [89, 10],
    message: "89 is below 90",
  },
  maxPrice: {
    filters: { maxPrice: 110 },
    kept: [110, 10],
    breaks: [111, 10],
    message: "111 is above 110",
  },
  minQuantity: {
    filters: { minQuantity: 10 },
    kept: [100, 10],
    breaks: [100, 9],
    message: "0.9 is below 1",
  },
  maxQuantity: {
    filters: { maxQuantity: 20 },
    kept: [100, 20],
    breaks: [100, 21],
    message: "2.1 is above 2",
  },
  minNotional: {
    filters: { minNotional: parseMoney("50") },
    kept: [100, 5],
    breaks: [99, 5],
    message: "49.5 is below 50",
  },
  maxNotional: {
    filters: { maxNotional: parseMoney("50") },
    kept: [100, 5],
    breaks: [101, 5],
    message: "50.5 is above 50",
  },
};

describe("a filter", () => {
  it.each(Object.entries(CASES))("of %s refuses what is past it, by its name", (name, each) => {
    const kit = filtered(each.filters);

    expect(kit.buy(...each.kept)).toMatchObject({ kind: "accepted" });
    expect(kit.buy(...each.breaks)).toEqual(broken(`${name}: ${each.message}`));
    expect(createKit().buy(...each.breaks)).toMatchObject({ kind: "accepted" });
  });

  it("of open orders counts those of one account in one market that are still open", () => {
    const kit = filtered({ maxOpenOrders: 2 });
    kit.buy(100, 10);
    kit.buy(99, 10);

    expect(kit.buy(98, 10)).toEqual(broken("maxOpenOrders: the account has 2 open orders, of 2"));
    expect(kit.buy(98, 10, { account: "bob" })).toMatchObject({ kind: "accepted" });
    expect(kit.sell(98, 10, { type: "market" })).toMatchObject({ kind: "accepted" });

    kit.cancel("2");
    expect(kit.buy(98, 10)).toMatchObject({ kind: "accepted" });
  });

  it("never lets through what the instrument itself refuses", () => {
    const kit = filtered({ minQuantity: 1, minNotional: parseMoney("1") });

    expect(kit.buy(10, 4)).toEqual(broken("minNotional: 4 is below 5"));
    expect(kit.buy(0, 10)).toEqual(broken("minPrice: the price must be above 0"));
    expect(kit.buy(100, 0)).toEqual(broken("minQuantity: the quantity must be above 0"));
  });

  it("of prices does not concern a market order, and its notional is reckoned at the market's price", () => {
    const kit = filtered({ maxPrice: 90, minNotional: parseMoney("50") });
    kit.move(100);

    expect(kit.buy(1, 5, { type: "market" })).toMatchObject({ kind: "accepted" });
    expect(kit.buy(1, 4, { type: "market" })).toEqual(broken("minNotional: 40 is below 50"));
  });

  it("is of one market only", () => {
    const kit = createKit({ filters: new Map([["ETH/USDT", { maxOpenOrders: 0 }]]) });

    expect(kit.buy(100, 10)).toMatchObject({ kind: "accepted" });
  });
});
