/** Every cell of the table of order states, played through the step: what halts, what stays, what comes next. */
import { describe, expect, it } from "vitest";
import type { OrderSignal, OrderStatus, OrderTerms } from "../../../src/domain/order.ts";
import { ORDER_TRANSITIONS, isTerminal } from "../../../src/domain/order.ts";
import { workingOrders } from "../../../src/strategy/working-orders.ts";
import { Bench, lots, makeBot, placements, refOf, termsOf, ticks, usdt } from "./strategy-kit.ts";

/** A bench whose slot 0 has, or had, its first buy in this state; the price is at the level, so that it waits. */
const REACH: Readonly<Record<OrderStatus, (bench: Bench, order: OrderTerms) => void>> = {
  pending: () => undefined,
  unknown: (bench, order) => void bench.unknown(order),
  open: (bench, order) => void bench.accept(order),
  canceling: (bench, order) => {
    bench.accept(order);
    bench.control("cancel");
  },
  filled: (bench, order) => {
    bench.control("stop");
    bench.fill(order);
  },
  canceled: (bench, order) => {
    bench.tick(100);
    bench.accept(order);
    bench.closed(order, 0);
  },
  rejected: (bench, order) => void bench.reject(order),
  absent: (bench, order) => {
    bench.tick(100);
    bench.unknown(order);
    bench.absent(order);
  },
};

const SEND: Readonly<Record<OrderSignal, (bench: Bench, order: OrderTerms) => void>> = {
  accepted: (bench, order) => void bench.accept(order),
  rejected: (bench, order) => void bench.reject(order),
  outcomeUnknown: (bench, order) => void bench.unknown(order),
  partFill: (bench, order) => void bench.fill(order, 60),
  filled: (bench, order) => void bench.fill(order),
  cancelAsked: (bench) => void bench.control("kill"),
  closed: (bench, order) => void bench.closed(order, executedOf(bench)),
  provenAbsent: (bench, order) => void bench.absent(order),
};

function executedOf(bench: Bench): number {
  return bench.state.totals.position;
}

const cells = (Object.keys(ORDER_TRANSITIONS) as OrderStatus[]).flatMap((from) =>
  (Object.keys(ORDER_TRANSITIONS[from]) as OrderSignal[]).map(
    (signal) => [from, signal, ORDER_TRANSITIONS[from][signal]] as const,
  ),
);

describe("an order that is", () => {
  it.each(cells)("%s, on %s: %s", (from, signal, next) => {
    const bench = new Bench(makeBot(105, { initial: "none" }));
    bench.snapshot(105);
    const order = bench.order(0).terms;
    REACH[from](bench, order);
    expect(bench.state.mode).not.toBe("halted");
    const fillsBefore = bench.state.totals.fills;

    SEND[signal](bench, order);

    if (next === "halt") {
      expect(bench.state.mode).toBe("halted");
      expect(bench.last.records).toContainEqual({
        kind: "mode",
        mode: "halted",
        reason: expect.stringContaining(order.id) as string,
      });
      expect(placements(bench.last)).toEqual([]);
    } else {
      expect(bench.state.mode).not.toBe("halted");
      const working = workingOrders(bench.state).find(({ terms }) => terms.id === order.id);
      expect(working?.kind).toBe(isTerminal(next) ? undefined : next);
    }
    // An execution is counted whatever the cell says.
    const isFill = signal === "partFill" || signal === "filled";
    expect(bench.state.totals.fills - fillsBefore).toBe(isFill ? 1 : 0);
    expect(bench.last.records.filter(({ kind }) => kind === "fill")).toHaveLength(isFill ? 1 : 0);
  });
});

describe("a bot halts, with the reason and the order's id,", () => {
  const started = (): { bench: Bench; order: OrderTerms } => {
    const bench = new Bench(makeBot(105, { initial: "none" }));
    bench.snapshot(105);
    const order = bench.order(0).terms;
    bench.accept(order);
    return { bench, order };
  };
  const reasons = (bench: Bench): readonly string[] =>
    bench.records.flatMap((record) => (record.kind === "mode" ? [record.reason] : []));

  it("where an order executed more than it asked for: all of it is counted", () => {
    const { bench, order } = started();
    bench.fill(order, 101);
    expect(bench.state.mode).toBe("halted");
    expect(reasons(bench)).toEqual([`order ${order.id}: executed 101 lots of 100`]);
    expect(bench.state.totals.position).toBe(101);
    expect(bench.identityError()).toBe(0n);
  });

  it("where the exchange says that less was executed than its own fills do", () => {
    const { bench, order } = started();
    bench.fill(order, 60);
    bench.closed(order, 50);
    expect(reasons(bench)).toEqual([
      `order ${order.id}: the exchange reports 50 lots executed, the fills say 60`,
    ]);
  });

  it("where a fee is in an asset that cannot be valued here: the fill is stored as it came", () => {
    const { bench, order } = started();
    const { records } = bench.fill(order, 100, { feeAsset: "BNB", fee: usdt("0.00002") });
    expect(bench.state.mode).toBe("halted");
    expect(records).toContainEqual({
      kind: "fill",
      fill: expect.objectContaining({ feeAsset: "BNB", fee: usdt("0.00002") }) as object,
    });
    expect(bench.state.totals).toMatchObject({ position: 100, fees: 0n });
    expect(bench.identityError()).toBe(0n);
  });

  it("but not where a fee of nothing is in another asset", () => {
    const { bench, order } = started();
    bench.fill(order, 100, { feeAsset: "BNB", fee: usdt("0") });
    expect(bench.state.mode).toBe("running");
  });

  it("where an order names a slot that the bot does not have", () => {
    const { bench } = started();
    const foreign = { ...termsOf(bench.state.bot, 0, "buy", 1, 0), ...refOf(17, "buy", 1) };
    bench.accept(foreign);
    expect(reasons(bench)).toEqual([`order ${foreign.id}: slot 17 is not one of this bot's`]);
  });

  it("where a sell executed what the slot does not hold", () => {
    const { bench } = started();
    const sell = { ...termsOf(bench.state.bot, 0, "sell", 1, 0), quantity: lots(10), price: ticks(110) };
    bench.fill(sell, 10);
    expect(reasons(bench)).toEqual([`order ${sell.id}: sold 10 lots, more than the slot holds`]);
    expect(bench.state.totals.position).toBe(-10);
  });
});
