/** The start of slots above the price: bought at once and handed out lot by lot, or left idle. */
import { describe, expect, it } from "vitest";
import { NO_TOTALS } from "../../../src/strategy/accounting.ts";
import { emptyLedger } from "../../../src/strategy/empty-ledger.ts";
import { nextTimer } from "../../../src/strategy/next-timer.ts";
import { Bench, INITIAL, at, lots, makeBot, placedBy, placements, ticks, usdt } from "./strategy-kit.ts";

/** Slots 2 and 3, at 120 and 130, start holding. */
function buying(): Bench {
  const bench = new Bench(makeBot(115));
  bench.snapshot(115);
  bench.accept(bench.order(INITIAL).terms);
  return bench;
}

describe("the initial purchase", () => {
  it("is one market order for all slots at or above the start price", () => {
    const bench = new Bench(makeBot(120));
    expect(placements(bench.snapshot(120))).toEqual([
      "buy initial #1 200@120",
      "buy 1 #1 100@110",
      "buy 0 #1 100@100",
    ]);
    expect(bench.order(INITIAL).terms.type).toBe("market");
  });

  it("is not made where every slot is below the price", () => {
    const bench = new Bench(makeBot(131));
    expect(placements(bench.snapshot(131))).toHaveLength(4);
    expect(bench.state.initial).toEqual({ kind: "done" });
  });

  it("hands each fill to the holding slots from the lowest up, lot by lot, at its own price and fee", () => {
    const bench = buying();
    const { terms } = bench.order(INITIAL);
    const first = bench.fill(terms, 60, { price: ticks(115), fee: usdt("0.06") });
    expect(first.commands).toEqual([]);
    expect(bench.slot(2).inventory).toEqual([
      { origin: "initial", quantity: 60, quote: usdt("6.9"), fee: usdt("0.06") },
    ]);
    expect(bench.slot(3).inventory).toEqual([]);

    // 90 lots at 116: 40 complete slot 2, 50 go to slot 3; the fee of 0.1 is shared by lots, down and rest.
    const second = bench.fill(terms, 90, { price: ticks(116), fee: usdt("0.1") });
    expect(second.records.filter(({ kind }) => kind === "slot")).toEqual([
      {
        kind: "slot",
        slot: 2,
        holding: {
          wants: "buy",
          inventory: [
            { origin: "initial", quantity: 100, quote: usdt("11.54"), fee: usdt("0.104444444444444444") },
          ],
          dust: 0n,
        },
      },
      {
        kind: "slot",
        slot: 3,
        holding: {
          wants: "buy",
          inventory: [
            { origin: "initial", quantity: 50, quote: usdt("5.8"), fee: usdt("0.055555555555555556") },
          ],
          dust: 0n,
        },
      },
    ]);
    expect(second.commands).toEqual([]);
    expect(bench.identityError()).toBe(0n);

    const last = bench.fill(terms, 50, { price: ticks(114), fee: usdt("0") });
    expect(last.records).toContainEqual({ kind: "initialDone" });
    expect(placements(last)).toEqual(["sell 2 #1 100@130", "sell 3 #1 100@140"]);
    expect(bench.slot(3).inventory).toEqual([
      { origin: "initial", quantity: 100, quote: usdt("11.5"), fee: usdt("0.055555555555555556") },
    ]);
    expect(bench.state.initial).toEqual({ kind: "done" });
    expect(bench.identityError()).toBe(0n);
  });

  it("makes inventory sells, not trades, of what it bought, against its actual cost with its fee", () => {
    const bench = buying();
    bench.fill(bench.order(INITIAL).terms, 200, { fee: usdt("0.05") });
    const { terms } = bench.order(2);
    bench.accept(terms);
    const result = bench.fill(terms);
    // 13 − 0.013 − 11.5 − 0.025.
    expect(result.state.totals).toMatchObject({
      trades: 0,
      gridProfit: 0n,
      inventorySells: 1,
      inventoryPnl: usdt("1.462"),
    });
    expect(placements(result)).toEqual(["buy 2 #1 100@120"]);
  });

  it("is completed by a next order where the first one ended early", () => {
    const bench = buying();
    const { terms } = bench.order(INITIAL);
    bench.fill(terms, 130);
    const result = bench.closed(terms, 130);
    expect(placements(result)).toEqual(["buy initial #2 70@115"]);
    const [second] = placedBy(result.commands);
    if (!second) return expect.fail("no second order");
    bench.accept(second);
    expect(placements(bench.fill(second))).toEqual(["sell 2 #1 100@130", "sell 3 #1 100@140"]);
  });

  it("is done with what it has where the rest is too small for an order", () => {
    const bench = buying();
    const { terms } = bench.order(INITIAL);
    bench.fill(terms, 170);
    // 0.03 · 115 = 3.45 USDT.
    const result = bench.closed(terms, 170);
    expect(result.records).toContainEqual({ kind: "initialDone" });
    expect(placements(result)).toEqual(["sell 2 #1 100@130", "sell 3 #1 70@140"]);
  });

  it("is tried again after a pause where it was refused, while the slots below trade", () => {
    const bench = new Bench(makeBot(115));
    bench.snapshot(115);
    bench.reject(bench.order(INITIAL).terms);
    expect(nextTimer(bench.state, at(bench.now))).toBe(bench.now + 1_000);
    const { terms } = bench.order(1);
    bench.accept(terms);
    expect(placements(bench.fill(terms))).toEqual(["sell 1 #1 100@120"]);
    expect(placements(bench.timer(1_000))).toEqual(["buy initial #2 200@110"]);
  });

  it("is never sent twice because its outcome is unknown", () => {
    const bench = new Bench(makeBot(115));
    bench.snapshot(115);
    const { terms } = bench.order(INITIAL);
    bench.unknown(terms);
    expect(placements(bench.timer(600_000))).toEqual([]);
    expect(placements(bench.tick(150))).toEqual([]);
    const [second] = placedBy(bench.absent(terms).commands);
    expect(second).toMatchObject({ slot: INITIAL, type: "market", generation: 2, quantity: 200 });
  });

  it("is remembered over a restart: a stored one that is done is not made again", () => {
    const stored = [2, 3].map((slot): [never, never] => [
      slot as never,
      {
        wants: "sell",
        inventory: [{ origin: "initial", quantity: lots(100), quote: usdt("11.5"), fee: usdt("0") }],
        dust: usdt("0"),
      } as never,
    ]);
    const bench = new Bench(makeBot(115), {
      ...emptyLedger(),
      initialDone: true,
      holdings: new Map(stored),
      totals: { ...NO_TOTALS, fills: 1, position: lots(200), cashFlow: usdt("-23") },
    });
    expect(placements(bench.snapshot(115))).toEqual([
      "sell 2 #1 100@130",
      "sell 3 #1 100@140",
      "buy 1 #1 100@110",
      "buy 0 #1 100@100",
    ]);
    expect(bench.identityError()).toBe(0n);
  });
});

describe("a grid without an initial purchase", () => {
  it("leaves slots at or above the price idle until the price was strictly above them", () => {
    const bench = new Bench(makeBot(115, { initial: "none" }));
    bench.snapshot(115);
    expect(placements(bench.tick(120))).toEqual([]);
    expect(placements(bench.tick(121))).toEqual(["buy 2 #1 100@120"]);
    expect(placements(bench.tick(139))).toEqual(["buy 3 #1 100@130"]);
    expect(placements(bench.tick(110))).toEqual([]);
  });
});
