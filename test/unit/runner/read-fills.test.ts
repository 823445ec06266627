/** The cursor of fills passes no fill that may be of an order whose answer is still to come. */
import { describe, expect, it } from "vitest";
import type { Execution } from "../../../src/domain/fill.ts";
import type { Bot } from "../../../src/domain/grid.ts";
import type { OrderTerms } from "../../../src/domain/order.ts";
import type { Exchange } from "../../../src/exchange/exchange.ts";
import { readFills } from "../../../src/runner/read-fills.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { override } from "../../support/override.ts";
import { Bench, executionOf, makeBot, placedBy } from "../strategy/strategy-kit.ts";

describe("the list of fills", () => {
  it("is read from the same place again while it shows what may be a fill of an unknown order", async () => {
    const { bench, bot, order, fill } = sentOrder();
    const ports = portsWith([fill]);
    bench.unknown(order);

    const before = await readFills(ports, bot, () => bench.state, "7", new Map());
    bench.accept(order);
    const after = await readFills(ports, bot, () => bench.state, "7", new Map());

    expect(before).toEqual({ fills: [], cursor: undefined });
    expect(after.fills.map(({ execution }) => execution)).toEqual([fill]);
    expect(after.cursor).toBe("8");
  });

  it("is not passed where the order was sent while the list was read", async () => {
    const { bench, bot, fill } = sentOrder();
    const before = new Bench(bot).state;
    let state = before;
    const ports = portsWith([fill], () => {
      state = bench.state;
    });

    const { cursor } = await readFills(ports, bot, () => state, "7", new Map());

    expect(cursor).toBe(undefined);
  });

  it("is passed where every order is known: the fill is somebody else's", async () => {
    const { bot, fill } = sentOrder();
    const { state } = new Bench(bot);

    const { fills, cursor } = await readFills(portsWith([fill]), bot, () => state, "7", new Map());

    expect(fills).toEqual([]);
    expect(cursor).toBe("8");
  });
});

/** A bot that has sent one order and has no answer yet, and what the order has executed. */
function sentOrder(): { bench: Bench; bot: Bot; order: OrderTerms; fill: Execution } {
  const bot = makeBot(105, { grids: 1, initial: "none" });
  const bench = new Bench(bot);
  const [order] = placedBy(bench.snapshot(105).commands);
  if (!order) expect.fail("nothing was placed");
  return { bench, bot, order, fill: executionOf(order, 100) };
}

/** Nothing is stored; the exchange's list is `fills`, and `onRead` is called while it is read. */
function portsWith(fills: readonly Execution[], onRead: () => void = () => undefined) {
  const exchange = override({} as Exchange, {
    fillsSince: async () => {
      onRead();
      return { fills, cursor: "8" };
    },
  });
  const storage = override({} as Storage, {
    unstoredFills: async (_bot, executions) => executions,
    findOrderByExchangeId: async () => undefined,
  });
  return { exchange, storage };
}
