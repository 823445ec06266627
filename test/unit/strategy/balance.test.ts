/** The account must own what the books say: somebody who sells our inventory is noticed, a late list is not. */
import { expect, it } from "vitest";
import type { Money } from "../../../src/domain/amounts.ts";
import { workingOrders } from "../../../src/strategy/working-orders.ts";
import type { Bench } from "./strategy-kit.ts";
import { at, runningBench, shown, ticks } from "./strategy-kit.ts";

/** A bot that holds 100 lots (0.1 BTC) and is selling them; its sell is not answered yet. */
function holdingBench(): Bench {
  const bench = runningBench(105, { initial: "none" });
  bench.fill(bench.order(0).terms);
  return bench;
}

function acknowledged(bench: Bench): Bench {
  bench.accept(bench.order(0).terms);
  return bench;
}

/** A snapshot that shows every working order, and what the account owns. */
function look(bench: Bench, owned: bigint): void {
  const orders = workingOrders(bench.state).map(({ terms }) => shown(terms));
  bench.feed({
    kind: "snapshot",
    at: at(++bench.now),
    price: ticks(105),
    orders,
    fills: [],
    seen: [],
    baseOwned: owned as Money,
    before: bench.state,
  });
}

const ALL = 10n ** 17n;

it("halts where the account owns less than the books say three times in a row", () => {
  const bench = acknowledged(holdingBench());
  look(bench, ALL - 1n);
  look(bench, ALL - 1n);
  expect(bench.state.mode).toBe("running");
  look(bench, ALL - 1n);
  expect(bench.state.mode).toBe("halted");
  expect(bench.state.modeReason).toContain("0.1");
});

it("forgets a shortfall that is over, and does not mind owning more", () => {
  const bench = acknowledged(holdingBench());
  for (const owned of [ALL - 1n, ALL - 1n, ALL, ALL - 1n, ALL - 1n, ALL + 1n]) look(bench, owned);
  expect(bench.state.mode).toBe("running");
});

it("does not count while the fate of an order is unknown: its fills may not be in the books yet", () => {
  const bench = holdingBench();
  const { terms } = bench.order(0);
  bench.unknown(terms);
  const missing = workingOrders(bench.state).filter((order) => order.terms.id !== terms.id);
  for (let i = 0; i < 5; i++) {
    const orders = missing.map((order) => shown(order.terms));
    const baseOwned = 0n as Money;
    bench.feed({
      kind: "snapshot",
      at: at(++bench.now),
      price: ticks(105),
      orders,
      fills: [],
      seen: [],
      baseOwned,
      before: bench.state,
    });
  }
  expect(bench.state.mode).toBe("running");
});
