/** Queries that answer as of a moment ago: never later than the exchange promised, unless a test wants that. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ClientOrderId, Instant } from "../../../src/domain/ids.ts";
import type { VenueEvent } from "../../../src/venue/matching/commands.ts";
import { AnswerHistory } from "../../../src/venue/market/answer-history.ts";
import type { FaultOptions } from "../../../src/exchange/sim/faults.ts";
import type { SimMarket } from "../../../src/exchange/sim/sim-exchange.ts";
import { exchangeOrderOf } from "../../../src/exchange/sim/hints.ts";
import { openSimExchange } from "../../../src/exchange/sim/sim-exchange.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import { SYMBOL, cancel, place, replayOf, simOptions, swings } from "./sim-kit.ts";

const SETTLE_MS = 2_000;

function open(faults?: FaultOptions): Promise<SimMarket> {
  return openSimExchange(
    simOptions(replayOf(swings(4)), { settleMs: SETTLE_MS, ...(faults ? { faults } : {}) }),
  );
}

function pass({ clock }: SimMarket, ms: number): void {
  if (clock instanceof VirtualClock) clock.advanceTo((clock.now() + ms) as Instant);
}

/** In how many of 200 queries an order shows that was placed `ageMs` ago. */
async function sightings(market: SimMarket, ageMs: number): Promise<number> {
  await place(market.exchange, "a", "buy", 80, 10);
  pass(market, ageMs);
  let seen = 0;
  for (let query = 0; query < 200; query += 1) {
    if ((await market.exchange.openOrders(SYMBOL)).length > 0) seen += 1;
  }
  expect(market.faults().staleQueries).toBe(200 - seen);
  return seen;
}

describe("a stale query", () => {
  it("does not show what happened a moment ago, and always what happened `settle` ago", async () => {
    const stale = { staleQueries: 1 };
    expect(await sightings(await open(stale), 0)).toBe(0);
    const halfway = await sightings(await open(stale), SETTLE_MS / 2);
    expect(halfway).toBeGreaterThan(60);
    expect(halfway).toBeLessThan(140);
    expect(await sightings(await open(stale), SETTLE_MS - 1)).toBe(200);
    expect(await sightings(await open(stale), SETTLE_MS)).toBe(200);
  });

  it("goes beyond `settle` by as much as a test wants, and no further", async () => {
    const beyond = { staleQueries: 1, staleBeyondSettleMs: 500 };
    expect(await sightings(await open(beyond), SETTLE_MS + 499)).toBe(0);
    expect(await sightings(await open(beyond), SETTLE_MS + 500)).toBe(200);
  });

  it("is fresh where the exchange promises that nothing is late", async () => {
    const market = await openSimExchange(
      simOptions(replayOf(swings(4)), { settleMs: 1, faults: { staleQueries: 1 } }),
    );
    expect(await sightings(market, 0)).toBe(200);
  });

  it("is strictly younger than `settle`", async () => {
    const market = (): Promise<SimMarket> =>
      openSimExchange(simOptions(replayOf(swings(4)), { settleMs: 2, faults: { staleQueries: 1 } }));
    expect(await sightings(await market(), 0)).toBe(0);
    expect(await sightings(await market(), 1)).toBe(200);
  });

  it("loses no fill: the next page begins where the stale one ended", async () => {
    const market = await open({ staleQueries: 1 });
    await place(market.exchange, "a", "buy", 100, 10);
    const stale = await market.exchange.fillsSince(SYMBOL, undefined);
    pass(market, SETTLE_MS);
    const fresh = await market.exchange.fillsSince(SYMBOL, stale.cursor);

    expect(stale).toEqual({ fills: [], cursor: "0" });
    expect(fresh.fills).toHaveLength(1);
  });

  it("is exactly what a fresh one answered at some moment less than `settle` ago", async () => {
    const step = fc.record({
      what: fc.constantFrom("place", "take", "cancel", "wait"),
      ms: fc.integer({ min: 1, max: 900 }),
      price: fc.integer({ min: 85, max: 95 }),
    });
    let stale = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 25 }), async (steps) => {
        const [truth, market] = [await open(), await open({ staleQueries: 0.8 })];
        const moments: { at: number; answers: readonly unknown[] }[] = [];
        moments.push({ at: 0, answers: await answers(truth) });
        for (const [number, { what, ms, price }] of steps.entries()) {
          for (const each of [truth, market]) {
            pass(each, ms);
            const [id, open] = [`o${number}`, `${1 + Math.floor(number / 2)}`];
            if (what === "place") await place(each.exchange, id, "buy", price, 10);
            if (what === "take") await place(each.exchange, id, "sell", price, 10);
            if (what === "cancel") await cancel(each.exchange, open);
          }
          const now = truth.clock.now();
          moments.push({ at: now, answers: await answers(truth) });
          for (const [index, answer] of (await answers(market)).entries()) {
            const possible = moments.filter(
              (_each, at) => (moments[at + 1]?.at ?? Number.POSITIVE_INFINITY) > now - SETTLE_MS + 1,
            );
            expect(possible.map(({ answers: each }) => each[index])).toContainEqual(answer);
          }
        }
        stale += market.faults().staleQueries;
      }),
      { numRuns: 60 },
    );
    expect(stale).toBeGreaterThan(500);
  });
});

describe("the memory of past answers", () => {
  it("reaches back as far as it is asked to, and not much further", () => {
    const history = new AnswerHistory([], 100, exchangeOrderOf);
    for (let at = 0; at < 50_000; at += 1) {
      history.note(opening(at), at as Instant);
      const changed = history.changedSince(SYMBOL, (at - 100) as Instant);
      if (changed.size !== Math.min(at + 1, 100)) throw new Error(`${changed.size} changes at ${at}`);
    }
    expect(history.changedSince(SYMBOL, -1 as Instant).size).toBeLessThan(500);
  });

  it("is bounded however much happens at once", () => {
    const history = new AnswerHistory([], 1_000, exchangeOrderOf);
    for (let order = 0; order < 50_000; order += 1) history.note(opening(order), 0 as Instant);
    expect(history.changedSince(SYMBOL, -1 as Instant).size).toBeLessThanOrEqual(10_000);
  });

  it("knows how an order was that rested before it began", () => {
    const { order } = opening(7);
    const history = new AnswerHistory([order], 1_000, exchangeOrderOf);
    history.note({ ...opening(7), order: { ...order, status: "filled" } }, 5 as Instant);

    expect(history.changedSince(SYMBOL, 4 as Instant)).toEqual(new Map([["7", order]]));
    expect(history.changedSince(SYMBOL, 5 as Instant)).toEqual(new Map());
    expect(history.changedSince("ETH/USDT", 4 as Instant)).toEqual(new Map());
  });
});

async function answers({ exchange }: SimMarket): Promise<readonly unknown[]> {
  return [
    await exchange.openOrders(SYMBOL),
    await exchange.ordersSince(SYMBOL, 0 as Instant),
    await exchange.fillsSince(SYMBOL, undefined),
    await exchange.findOrder(SYMBOL, "o3" as ClientOrderId),
    await exchange.findOrder(SYMBOL, "o5" as ClientOrderId),
  ];
}

function opening(number: number): Extract<VenueEvent, { kind: "order" }> {
  return {
    kind: "order",
    account: "main",
    symbol: SYMBOL,
    order: {
      id: `o${number}` as ClientOrderId,
      exchangeOrderId: String(number),
      side: "buy",
      type: "limit",
      price: 80 as never,
      quantity: 10 as never,
      executed: 0 as never,
      quote: 0n as never,
      status: "open",
      createdAt: 0 as Instant,
    },
  };
}
