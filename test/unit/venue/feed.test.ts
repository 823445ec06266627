/** The points of a market: seeded walks, and the one order of several symbols. */
import { describe, expect, it } from "vitest";
import type { Candles } from "../../../src/venue/market/candles.ts";
import type { Feed, Point } from "../../../src/venue/market/feed.ts";
import { candleSource, createFeed, walkSource } from "../../../src/venue/market/feed.ts";
import { createWalk } from "../../../src/venue/market/walk.ts";

const WALK = { seed: 7, startTicks: 100_000, stepTicks: 100, reversion: 400 };

/** Computed by another program from the formula in the docstring. */
const PRICES_OF_SEED_7 = [99925, 100001, 100036, 99988, 100002, 99903, 99808, 99765];

function flatCandles(timestamps: readonly number[], intervalMs: number, price: number): Candles {
  const column = Float64Array.from(timestamps, () => price);
  const timestamp = Float64Array.from(timestamps);
  return {
    length: timestamps.length,
    intervalMs,
    timestamp,
    open: column,
    high: column,
    low: column,
    close: column,
  };
}

function take(feed: Feed, count: number): Point[] {
  return Array.from({ length: count }, () => feed.next()).filter((point) => point !== undefined);
}

describe("a walk", () => {
  it("is the same for the same seed, for ever", () => {
    const [one, other] = [createWalk(WALK), createWalk(WALK)];
    const prices = Array.from({ length: 8 }, () => one.next());

    expect(Array.from({ length: 8 }, () => other.next())).toEqual(prices);
    expect(prices).toEqual(PRICES_OF_SEED_7);
    expect(createWalk({ ...WALK, seed: 8 }).next()).not.toBe(prices[0]);
  });

  it("wanders as far from its start as its formula says, to both sides, and always returns", () => {
    const walk = createWalk(WALK);
    const distances = Array.from({ length: 200_000 }, () => walk.next() - WALK.startTicks);
    const deviation = Math.sqrt(distances.reduce((sum, each) => sum + each * each, 0) / distances.length);
    const crossings = distances.filter((each, index) => each > 0 !== (distances[index - 1] ?? 0) > 0).length;

    const expected = WALK.stepTicks * Math.sqrt(WALK.reversion / 6);
    expect(deviation / expected).toBeGreaterThan(0.8);
    expect(deviation / expected).toBeLessThan(1.2);
    expect(crossings).toBeGreaterThan(200_000 / WALK.reversion);
  });

  it("moves by whole ticks and never below one", () => {
    const walk = createWalk({ ...WALK, startTicks: 3, stepTicks: 50 });
    const prices = Array.from({ length: 10_000 }, () => walk.next());

    expect(prices.every((price) => Number.isSafeInteger(price) && price >= 1)).toBe(true);
    expect(prices).toContain(1);
  });

  it("refuses a step that is no whole number", () => {
    expect(() => createWalk({ ...WALK, stepTicks: 0.5 })).toThrow("0.5");
  });
});

describe("a feed", () => {
  it("merges symbols by time, the one listed first where they are due together", () => {
    const feed = createFeed([
      candleSource("A", flatCandles([0, 100], 100, 1)),
      candleSource("B", flatCandles([50], 200, 2)),
    ]);

    const points = take(feed, 99).map(({ symbol, price, at }) => `${symbol}${price} ${at}`);

    expect(points).toEqual(
      "A1 0,A1 25,A1 50,B2 50,A1 75,A1 100,B2 100,A1 125,A1 150,B2 150,A1 175,B2 200".split(","),
    );
    expect([feed.position, feed.nextAt(), feed.next()]).toEqual([12, undefined, undefined]);
  });

  it("is the same from any position on", () => {
    const create = (): Feed =>
      createFeed([
        walkSource("A", createWalk(WALK), 300),
        walkSource("B", createWalk({ ...WALK, seed: 9 }), 200),
      ]);
    const [whole, resumed] = [create(), create()];
    take(whole, 57);
    while (resumed.position < 57) resumed.next();

    expect(take(resumed, 50)).toEqual(take(whole, 50));
    expect(resumed.nextAt()).toBe(whole.nextAt());
  });

  it("gives a walk a point each step", () => {
    const feed = createFeed([walkSource("A", createWalk(WALK), 250)]);

    expect(take(feed, 3).map(({ at }) => at)).toEqual([250, 500, 750]);
  });
});
