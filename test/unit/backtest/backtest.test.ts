/** The back-test against a second one that shares no code with it, over small random markets. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scaled } from "../../support/scale.ts";
import type { NaiveCandle, NaiveGrid } from "./naive-backtest.ts";
import { naiveBacktest } from "./naive-backtest.ts";
import { columnsOf, runProduct } from "./run-product.ts";

/** Prices are quoted as ticks here; a tick is worth 0.5. */
const TICK = 5n;
const decimal = (ticks: number): string => {
  const tenths = BigInt(ticks) * TICK;
  return `${tenths / 10n}.${tenths % 10n}`;
};

/** Candles around 200 ticks: steps small and large, gaps, flat ones, and touches of a level without crossing it. */
const price = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 180, max: 230 }) },
  { weight: 2, arbitrary: fc.integer({ min: 19, max: 24 }).map((tens) => 10 * tens) },
  { weight: 1, arbitrary: fc.integer({ min: 150, max: 280 }) },
);
const candle = fc.tuple(price, price, price, price).map((four): NaiveCandle => {
  const [open, close] = four;
  return { open, close, high: Math.max(...four), low: Math.min(...four) };
});
const quiet = fc
  .tuple(price, fc.integer({ min: -3, max: 3 }), fc.nat(3), fc.nat(3))
  .map(([open, move, up, down]): NaiveCandle => {
    const close = open + move;
    return { open, close, high: Math.max(open, close) + up, low: Math.min(open, close) - down };
  });
const market = fc.array(fc.oneof(candle, quiet), { minLength: 1, maxLength: 40 });

const amount = fc.oneof(
  fc
    .integer({ min: 1, max: 400 })
    .map((value) => ({ kind: "order_quantity" as const, value: `${value}.25` })),
  fc.integer({ min: 1, max: 40 }).map((value) => ({ kind: "base_quantity" as const, value: `0.${value}7` })),
  fc.integer({ min: 50, max: 4000 }).map((value) => ({ kind: "investment" as const, value: `${value}.9` })),
);
const fee = fc.constantFrom("0", "0.0002", "0.00075", "0.001", "0.01");
const grid = fc
  .record({
    tick: fc.constant("0.5"),
    lot: fc.constantFrom("0.001", "0.0003", "0.05"),
    minNotional: fc.constantFrom("0", "0", "1"),
    maker: fee,
    taker: fee,
    low: fc.oneof(fc.constant(190), fc.integer({ min: 160, max: 215 })),
    cells: fc.integer({ min: 1, max: 9 }),
    width: fc.oneof(fc.constant(10), fc.integer({ min: 2, max: 13 })),
    spacing: fc.constantFrom("arithmetic" as const, "geometric" as const),
    amount,
    initial: fc.constantFrom("buy" as const, "none" as const),
    fill: fc.constantFrom("touch" as const, "through" as const),
  })
  .map(({ low, cells, width, ...rest }): NaiveGrid => {
    // A purchase at the start that is too small for the exchange is a question of its own.
    const minNotional = rest.initial === "buy" ? "0" : rest.minNotional;
    return { ...rest, minNotional, lower: decimal(low), upper: decimal(low + cells * width), grids: cells };
  });

describe("a back-test", () => {
  it("has the fills, the accounts and the drawdown of the naive one, for any grid and market", () => {
    const reached = { grids: 0, refused: 0, trades: 0, inventorySells: 0, drawdowns: 0 };
    fc.assert(
      fc.property(grid, market, (settings, candles) => {
        const expected = naiveBacktest(settings, candles);
        const actual = runProduct(settings, columnsOf(candles));
        expect(actual).toEqual(expected && { ...expected, identityError: "0" });
        if (!expected) {
          reached.refused += 1;
          return;
        }
        reached.grids += 1;
        reached.trades += expected.trades;
        reached.inventorySells += expected.inventorySells;
        if (expected.maxDrawdown !== "0") reached.drawdowns += 1;
      }),
      { numRuns: scaled(20_000) },
    );
    for (const count of Object.values(reached)) expect(count).toBeGreaterThan(20);
  }, 300_000);

  it("that looks at each candle through the naive points fills nothing that the path does not reach", () => {
    const flat: NaiveGrid = {
      tick: "0.5",
      lot: "0.001",
      minNotional: "0",
      maker: "0.001",
      taker: "0.001",
      lower: "95",
      upper: "105",
      grids: 2,
      spacing: "arithmetic",
      amount: { kind: "base_quantity", value: "1" },
      initial: "none",
      fill: "through",
    };
    const touching = [{ open: 195, high: 200, low: 190, close: 195 }];
    expect(runProduct(flat, columnsOf(touching))?.fills).toEqual([]);
    expect(runProduct({ ...flat, fill: "touch" }, columnsOf(touching))?.fills).toEqual([
      { side: "buy", slot: 0, price: 190, quantity: 1000 },
      { side: "sell", slot: 0, price: 200, quantity: 1000 },
    ]);
  });
});
