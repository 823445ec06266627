/** Every fill in the exchange's list finds its owner, or the cursor stays before it. */
import { describe, expect, it } from "vitest";
import type { Fill } from "../../../src/domain/fill.ts";
import type { ClientOrderId, Instant } from "../../../src/domain/ids.ts";
import type { Exchange, ExchangeOrder } from "../../../src/exchange/exchange.ts";
import { FillReader } from "../../../src/runner/read-fills.ts";
import type { KeptLine } from "../../support/kept-log.ts";
import { logInto } from "../../support/kept-log.ts";
import { override } from "../../support/override.ts";
import { Bench, executionOf, makeBot, placedBy, shown } from "../strategy/strategy-kit.ts";

const HOUR_MS = 3_600_000;
const NOBODY = new Map<string, never>();

describe("a fill of an order without an answer", () => {
  it("is claimed by the id that the order history tells", async () => {
    const { reader, order, fill, history, bench } = lab();
    bench.unknown(order);
    history.push(shown(order, "filled", 100));

    expect(await reader.read("7", NOBODY)).toMatchObject({
      fills: [{ order: { id: order.id }, execution: fill }],
      cursor: "8",
    });
  });

  it("is not passed while the history does not show the order", async () => {
    const { reader, order, bench } = lab();
    bench.unknown(order);

    expect(await reader.read("7", NOBODY)).toMatchObject({ fills: [], cursor: undefined });
    bench.accept(order);
    expect((await reader.read("7", NOBODY)).fills).toHaveLength(1);
  });

  it("is claimed without the history where the answer came while the list was read", async () => {
    const { reader, order, bench, onRead, asked } = lab();
    onRead(() => bench.accept(order));

    expect((await reader.read("7", NOBODY)).cursor).toBe("8");
    expect(asked).toEqual([]);
  });
});

describe("a fill of an order that was given up", () => {
  it("is ours all the same, however long ago the order was sent", async () => {
    const { reader, order, history, bench, asked } = lab({ filledAt: 40 * 24 * HOUR_MS });
    bench.unknown(order);
    bench.absent(order);
    history.push(shown(order, "filled", 100));

    const { fills } = await reader.read("7", NOBODY);

    expect(fills).toMatchObject([{ order: { id: order.id } }]);
    expect(asked).toHaveLength(3);
  });
});

describe("a fill from a spool", () => {
  it("is claimed by its own id, in its place among those of the list, once", async () => {
    const { reader, order, fill, delivered, bench } = lab();
    bench.accept(order);
    const before = { ...fill, id: order.id, tradeId: "before", at: (fill.at - 1) as Instant };
    const after = { ...fill, id: order.id, tradeId: "after", at: (fill.at + 1) as Instant };
    delivered.push(after, before, { ...fill, id: order.id });

    const { fills, cursor } = await reader.read("7", NOBODY);

    expect(fills.map(({ execution }) => execution.tradeId)).toEqual(["before", fill.tradeId, "after"]);
    expect(fills.map(({ order: { id } }) => id)).toEqual([order.id, order.id, order.id]);
    expect(cursor).toBe("8");
  });
});

describe("somebody else's fill", () => {
  it("is passed once the history says so, and its order is not looked up again", async () => {
    const { reader, order, history, asked } = lab();
    history.push({ ...shown(order, "filled", 100), id: "by-hand" as ClientOrderId });

    expect(await reader.read("7", NOBODY)).toMatchObject({ fills: [], cursor: "8" });
    expect(await reader.read("8", NOBODY)).toMatchObject({ fills: [], cursor: "8" });
    expect(asked).toHaveLength(1);
  });

  it("whose order no list ever shows is passed after an hour, once, with an alarm", async () => {
    const { reader, log, passTo } = lab();
    passTo(HOUR_MS);
    expect((await reader.read("7", NOBODY)).cursor).toBe(undefined);
    passTo(HOUR_MS + 10_000);
    expect((await reader.read("7", NOBODY)).cursor).toBe("8");
    expect((await reader.read("8", NOBODY)).cursor).toBe("8");
    expect(log.map(({ event }) => event)).toEqual(["fill.unclaimed"]);
  });

  it("from before the bot is nobody's business", async () => {
    const { reader, asked } = lab({ filledAt: -2 * HOUR_MS });

    expect(await reader.read(undefined, NOBODY)).toMatchObject({ fills: [], cursor: "8" });
    expect(asked).toEqual([]);
  });
});

/** A bot that has sent one order and knows no answer, and an exchange that lists one fill of it. */
function lab({ filledAt }: { readonly filledAt?: number } = {}) {
  const bot = makeBot(105, { grids: 1, initial: "none" });
  const bench = new Bench(bot);
  const [order] = placedBy(bench.snapshot(105).commands);
  if (!order) expect.fail("nothing was placed");
  const soon = executionOf(order, 100);
  const fill = filledAt === undefined ? soon : { ...soon, at: (bot.createdAt + filledAt) as Instant };
  const history: ExchangeOrder[] = [];
  const delivered: Fill[] = [];
  const asked: Instant[] = [];
  const log: KeptLine[] = [];
  let now = fill.at;
  let listen = (): void => undefined;
  const reader = new FillReader({
    bot,
    exchange: override({} as Exchange, {
      fillsSince: async () => {
        listen();
        return { fills: [fill], cursor: "8" };
      },
      ordersSince: async (_symbol, since) => {
        asked.push(since);
        return history.filter(({ createdAt }) => createdAt >= since);
      },
    }),
    books: {
      unstoredFills: async (executions) => executions,
      findOrderByExchangeId: async () => undefined,
      deliveredFills: async () => delivered,
    },
    log: logInto(log),
    state: () => bench.state,
    now: () => now,
  });
  return {
    ...{ reader, bench, order, fill, history, asked, log, delivered },
    onRead: (run: () => void) => {
      listen = run;
    },
    /** To so long after the fill. */
    passTo: (ms: number) => {
      now = (fill.at + ms) as Instant;
    },
  };
}
