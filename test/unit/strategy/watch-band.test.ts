/** The watch band: prices between which nothing can happen, and beyond which something may. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PriceTicks } from "../../../src/domain/amounts.ts";
import { plan } from "../../../src/strategy/plan.ts";
import type { GridState } from "../../../src/strategy/state.ts";
import { step } from "../../../src/strategy/step.ts";
import { isInside, watchBand } from "../../../src/strategy/watch-band.ts";
import { scaled } from "../../support/scale.ts";
import { ExchangeModel } from "./exchange-model.ts";
import { nothingReached } from "./reached.ts";
import { Bench, at, makeBot, placements, runningBench, textOf, ticks } from "./strategy-kit.ts";

/** States that grids really come into. */
const state = fc
  .record({
    startPrice: fc.integer({ min: 95, max: 145 }),
    initial: fc.constantFrom("buy" as const, "none" as const),
    choices: fc.array(fc.tuple(fc.nat(10_000), fc.nat(10_000)), { maxLength: 60, size: "max" }),
  })
  .map(({ startPrice, initial, choices }): GridState => {
    const model = new ExchangeModel(makeBot(startPrice, { initial }), nothingReached());
    for (const [what, size] of choices) model.advance(what, size);
    return model.bench.state;
  });

const PRICES = Array.from({ length: 81 }, (_, i) => ticks(80 + i));

/** Checks every price strictly inside the band of many states. */
function checkInside(check: (before: GridState, price: PriceTicks) => void): void {
  let inside = 0;
  fc.assert(
    fc.property(state, (before) => {
      const band = watchBand(before);
      for (const price of PRICES.filter((each) => isInside(band, each))) {
        inside += 1;
        check(before, price);
      }
    }),
    { numRuns: scaled(1_000) },
  );
  expect(inside).toBeGreaterThan(100);
}

describe("a tick", () => {
  it("strictly inside the band returns the very same state and nothing to do", () => {
    checkInside((before, price) => {
      const result = step(before, { kind: "tick", at: at(before.priceAt + 1), price });
      expect(result.state).toBe(before);
      expect([result.records, result.commands]).toEqual([[], []]);
    });
  });

  it("strictly inside the band would not change what is wanted either: nothing is missed", () => {
    checkInside((before, price) => {
      // A purchase at the market is wanted at any price.
      const wanted = (of: GridState): string =>
        textOf(plan(of, at(before.priceAt + 1)).filter(({ type }) => type === "limit"));
      expect(wanted({ ...before, price })).toBe(wanted(before));
    });
  });

  it("inside the band reaches no order that rests: no buy at or above it, no sell at or below it", () => {
    checkInside((before, price) => {
      for (const { phase } of before.slots) {
        if (phase.kind === "buying") expect(phase.order.terms.price).toBeLessThan(price);
        if (phase.kind === "selling") expect(phase.order.terms.price).toBeGreaterThan(price);
      }
    });
  });

  it("outside the band is heard: the price is the new one, and an idle slot below it buys", () => {
    const bench = new Bench(makeBot(115, { initial: "none" }));
    bench.snapshot(115);
    expect(watchBand(bench.state)).toEqual({ below: 110, above: 121 });
    expect(bench.tick(120).state.price).toBe(115);
    expect(placements(bench.tick(121))).toEqual(["buy 2 #1 100@120"]);
    expect(bench.state.price).toBe(121);
  });

  it("older than the price that is known is not heard", () => {
    const bench = new Bench(makeBot(115, { initial: "none" }));
    bench.snapshot(115);
    const before = bench.state;
    const late = step(before, { kind: "tick", at: at(before.priceAt - 1), price: ticks(139) });
    expect(late).toEqual({ state: before, records: [], commands: [] });
    expect(late.state).toBe(before);
  });
});

describe("the band", () => {
  it("lies between the highest buy and the lowest sell", () => {
    expect(watchBand(runningBench(125).state)).toEqual({ below: 120, above: 140 });
  });

  it("is open where nothing rests on a side", () => {
    const bench = runningBench(99);
    expect(watchBand(bench.state)).toEqual({ below: 0, above: 110 });
    const allBuy = runningBench(150);
    expect(watchBand(allBuy.state)).toEqual({ below: 130, above: Number.MAX_SAFE_INTEGER });
  });
});
