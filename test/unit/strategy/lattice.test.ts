/** The prices of a range grid, against an exact search with whole numbers only. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createInstrument } from "../../../src/domain/instrument.ts";
import { rangeLattice } from "../../../src/strategy/lattice.ts";
import type { RangeSettings, Spacing } from "../../../src/strategy/settings.ts";
import { scaled } from "../../support/scale.ts";
import { SETTINGS } from "./strategy-kit.ts";

const UNIT = 10n ** 18n;

interface Range {
  readonly lower: string;
  readonly upper: string;
  readonly grids: number;
  readonly tick?: string;
}

function latticeOf(spacing: Spacing, { lower, upper, grids, tick = "0.01" }: Range): readonly number[] {
  const instrument = createInstrument({
    exchange: "sim",
    symbol: "BTC/USDT",
    tickSize: tick,
    lotSize: "1",
    makerFee: "0",
    takerFee: "0",
  });
  const settings: RangeSettings = { ...SETTINGS, lower, upper, grids, spacing };
  return rangeLattice(settings, instrument);
}

/** The nearest tick, half up, of L + i·(U − L)/n; all in whole units of 1e-18. */
function exactArithmetic(range: Range, i: number): number {
  const [low, high, tick] = wholeUnits(range);
  const n = BigInt(range.grids);
  // ⌊x/tick + ½⌋ with x = (L·n + i·(U − L))/n.
  return Number((2n * (low * n + BigInt(i) * (high - low)) + n * tick) / (2n * n * tick));
}

/** The largest t with (2t − 1)^n ≤ 2^n · L^(n−i) · U^i, L and U in ticks, found by halving. */
function exactGeometric(range: Range, i: number): number {
  const [low, high, tick] = wholeUnits(range);
  const n = BigInt(range.grids);
  const right = 2n ** n * low ** (n - BigInt(i)) * high ** BigInt(i);
  let [fits, exceeds] = [0n, high / tick + 2n];
  while (fits + 1n < exceeds) {
    const t = (fits + exceeds) / 2n;
    if (((2n * t - 1n) * tick) ** n <= right) fits = t;
    else exceeds = t;
  }
  return Number(fits);
}

function wholeUnits({ lower, upper, tick = "0.01" }: Range): [bigint, bigint, bigint] {
  const of = (text: string): bigint => {
    const [whole = "", part = ""] = text.split(".");
    return BigInt(whole + part.padEnd(18, "0"));
  };
  return [of(lower), of(upper), of(tick)];
}

/** Ranges on and off the tick, wide and so narrow that prices fall together. */
const range = fc
  .record({
    tick: fc.constantFrom("0.01", "0.1", "0.05", "1", "0.00000001", "0.003"),
    low: fc.oneof(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 90_000_000 })),
    width: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 90_000_000 })),
    finer: fc.nat(9),
    grids: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 100 })),
  })
  .map(({ tick, low, width, finer, grids }): Range => {
    const [, , unit] = wholeUnits({ lower: "0", upper: "0", tick, grids });
    const textOf = (units: bigint): string =>
      `${units / UNIT}.${(units % UNIT).toString().padStart(18, "0")}`;
    const lower = BigInt(low) * unit + (BigInt(finer) * unit) / 10n;
    const upper = BigInt(low + width) * unit;
    return { tick, grids, lower: textOf(lower), upper: textOf(upper > lower ? upper : lower + unit) };
  });

describe.each<[Spacing, (range: Range, i: number) => number]>([
  ["arithmetic", exactArithmetic],
  ["geometric", exactGeometric],
])("an %s lattice", (spacing, exact) => {
  it("is the exact price rounded to the nearest tick, or refused where two of them are one", () => {
    const reached = { laid: 0, refused: 0 };
    fc.assert(
      fc.property(range, (bounds) => {
        const prices = Array.from({ length: bounds.grids + 1 }, (_, i) => exact(bounds, i));
        const isRising = prices.every((price, i) => price > (prices[i - 1] ?? 0));
        if (isRising) {
          reached.laid += 1;
          expect(latticeOf(spacing, bounds)).toEqual(prices);
        } else {
          reached.refused += 1;
          expect(() => latticeOf(spacing, bounds)).toThrow(
            expect.objectContaining({
              code: "CONFIG_INVALID",
              message: expect.stringContaining("fewer grids"),
            }),
          );
        }
      }),
      { numRuns: scaled(1_500) },
    );
    expect(reached.laid).toBeGreaterThan(20);
    expect(reached.refused).toBeGreaterThan(5);
  }, 300_000);

  it("begins at lower and ends at upper, and has one price more than cells", () => {
    const prices = latticeOf(spacing, { lower: "25000", upper: "28000", grids: 30 });
    expect(prices).toHaveLength(31);
    expect([prices[0], prices[30]]).toEqual([2_500_000, 2_800_000]);
  });

  it.each<[string, Range, string]>([
    ["lower is not below upper", { lower: "10", upper: "10", grids: 2 }, "10 must be below upper 10"],
    ["lower is above upper", { lower: "12", upper: "10", grids: 2 }, "12 must be below upper 10"],
    ["lower is zero", { lower: "0", upper: "10", grids: 2 }, "lower 0 must be above 0"],
    ["lower is negative", { lower: "-1", upper: "10", grids: 2 }, "lower -1 must be above 0"],
    ["upper has more ticks than can be counted", { lower: "1", upper: "1".repeat(17), grids: 2 }, "too high"],
    ["there are no cells", { lower: "1", upper: "10", grids: 0 }, "grids 0"],
    ["cells are not whole", { lower: "1", upper: "10", grids: 2.5 }, "grids 2.5"],
  ])("is refused with the numbers where %s", (_name, bounds, words) => {
    expect(() => latticeOf(spacing, bounds)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(words) }),
    );
  });
});

describe("rounding", () => {
  it("takes a half up: 10.5 and 13.5 ticks are 11 and 14", () => {
    const halves = { lower: "10.5", upper: "16.5", grids: 2, tick: "1" };
    expect(latticeOf("arithmetic", halves)).toEqual([11, 14, 17]);
    expect(latticeOf("geometric", { ...halves, grids: 1 })).toEqual([11, 17]);
  });

  it("of a geometric price is exact where the root is a whole or a half tick", () => {
    expect(latticeOf("geometric", { lower: "4", upper: "9", grids: 2, tick: "1" })).toEqual([4, 6, 9]);
    // √(4 · 7.5625) = 5.5 exactly: up; a hair less: down.
    expect(latticeOf("geometric", { lower: "4", upper: "7.5625", grids: 2, tick: "1" })).toEqual([4, 6, 8]);
    expect(
      latticeOf("geometric", { lower: "4", upper: "7.562499999999999999", grids: 2, tick: "1" }),
    ).toEqual([4, 5, 8]);
  });

  it("stays exact for a thousand cells", () => {
    const wide = { lower: "1", upper: "100000", grids: 1000 };
    const some = [1, 250, 500, 999];
    const prices = latticeOf("geometric", wide);
    expect(some.map((i) => prices[i])).toEqual(some.map((i) => exactGeometric(wide, i)));
  });
});
