/** Buys of less than a whole lot, after a fee in base: their cost and their base stay in the books. */
import { describe, expect, it } from "vitest";
import { parseMoney } from "../../../src/domain/amounts.ts";
import { allHeldLots } from "../../../src/strategy/state.ts";
import { Bench, INITIAL, makeBot, runningBench } from "./strategy-kit.ts";

const FEE_IN_BASE = { fee: parseMoney("0.0000002"), feeAsset: "BTC" };
const REST = parseMoney("0.0009998");

describe("a part fill of one lot whose fee is taken from it", () => {
  it("leaves its cost with the slot, which sells it with the lots that complete it", () => {
    const bench = runningBench(105, { grids: 1, initial: "none" });
    const { terms: first } = bench.order(0);
    bench.fill(first, 1, FEE_IN_BASE);
    bench.closed(first, 1);

    expect(bench.slot(0).inventory).toEqual([
      { origin: "grid", quantity: 0, quote: parseMoney("0.1"), fee: 0n },
    ]);
    expect(bench.slot(0).dust).toBe(REST);
    expect(bench.identityError()).toBe(0n);

    bench.tick(105);
    const { terms: second } = bench.order(0);
    bench.accept(second);
    bench.fill(second, second.quantity, FEE_IN_BASE);
    const { terms: sell } = bench.order(0);
    bench.accept(sell);
    bench.fill(sell);

    expect(sell.side).toBe("sell");
    expect(bench.state.totals.trades).toBe(1);
    expect(bench.identityError()).toBe(0n);
  });

  it("of the initial purchase leaves its cost and what is left of the lot with a slot that waits for it", () => {
    const bench = new Bench(makeBot(125));
    bench.snapshot(125);
    const { terms } = bench.order(INITIAL);
    bench.accept(terms);
    bench.fill(terms, 1, FEE_IN_BASE);

    expect(bench.identityError()).toBe(0n);
    expect(bench.state.slots.reduce((sum, { dust }) => sum + dust, 0n)).toBe(REST);
  });
});

describe("many fills of the initial purchase whose fees are taken in base", () => {
  it("leave less than a lot in any slot: what they leave completes lots, which are sold like all others", () => {
    const bench = new Bench(makeBot(125));
    bench.snapshot(125);
    const { terms } = bench.order(INITIAL);
    bench.accept(terms);
    // A hundredth of a lot from each of twenty fills of five.
    for (let each = 0; each < 20; each++) {
      bench.fill(terms, 5, { fee: parseMoney("0.00001"), feeAsset: "BTC" });
    }

    expect(bench.state.slots.map(({ dust }) => dust)).toEqual([0n, 0n, 0n, parseMoney("0.0008")]);
    expect(allHeldLots(bench.state)).toBe(99);
    expect(bench.identityError()).toBe(0n);
  });
});
