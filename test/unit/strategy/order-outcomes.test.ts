/** Orders that did not go as planned: late fills, unknown outcomes, refusals, orders that never left. */
import { describe, expect, it } from "vitest";
import { nextTimer } from "../../../src/strategy/next-timer.ts";
import { Bench, at, makeBot, orderRecord, placedBy, placements, runningBench } from "./strategy-kit.ts";

const NO_BACK_OFF = { refusals: 0, crossings: 0, until: 0 };

describe("a fill that comes after its order was closed", () => {
  it("goes to the inventory of an idle slot, which then sells it", () => {
    const bench = runningBench(115, { initial: "none" });
    const { terms } = bench.order(1);
    bench.tick(105);
    bench.closed(terms, 0);
    expect(bench.slot(1).phase.kind).toBe("idle");
    const result = bench.fill(terms, 60);
    expect(placements(result)).toEqual(["sell 1 #1 60@120"]);
    expect(result.records).toContainEqual(expect.objectContaining({ kind: "event", type: "late_fill" }));
    expect(result.state.mode).toBe("running");
    expect(bench.identityError()).toBe(0n);
  });

  it("waits for the slot's next sell where one is working", () => {
    const bench = runningBench(115, { initial: "none" });
    const { terms } = bench.order(1);
    bench.fill(terms, 50);
    const [sell] = placedBy(bench.closed(terms, 50).commands);
    if (!sell) return expect.fail("no sell");
    bench.accept(sell);
    expect(bench.fill(terms, 45).commands).toEqual([]);
    expect(bench.state.totals.position).toBe(95);
    expect(placements(bench.fill(sell))).toEqual(["sell 1 #2 45@120"]);
    expect(bench.identityError()).toBe(0n);
  });
});

describe("an order of unknown outcome", () => {
  const unknown = (): Bench => {
    const bench = new Bench(makeBot(115, { initial: "none" }));
    bench.snapshot(115);
    bench.unknown(bench.order(1).terms);
    return bench;
  };

  it("is looked up, and nothing is placed in its stead", () => {
    const bench = unknown();
    const { terms } = bench.order(1);
    expect(bench.last.commands).toEqual([{ kind: "queryOrder", order: terms }]);
    expect(bench.last.records).toEqual([
      orderRecord(terms, "unknown", { exchangeOrderId: undefined, at: at(bench.now) }),
    ]);
    for (const price of [105, 115, 90, 139]) expect(placements(bench.tick(price))).not.toContain("buy 1 #2");
    expect(bench.timer(120_000).commands).toEqual([]);
    expect(bench.order(1)).toMatchObject({ kind: "unknown", terms: { generation: 1 } });
  });

  it("goes on as open once it is found", () => {
    const bench = unknown();
    const { terms } = bench.order(1);
    bench.accept(terms);
    expect(bench.order(1)).toMatchObject({ kind: "open", terms: { generation: 1 } });
    expect(placements(bench.fill(terms))).toEqual(["sell 1 #1 100@120"]);
  });

  it("gives way to the next generation only when it is proven absent", () => {
    const bench = unknown();
    const { terms } = bench.order(1);
    const result = bench.absent(terms);
    expect(placements(result)).toEqual(["buy 1 #2 100@110"]);
    expect(result.records).toEqual([
      { kind: "event", at: bench.now, type: "order_absent", detail: { id: terms.id, slot: 1, side: "buy" } },
      orderRecord(terms, "absent", { exchangeOrderId: undefined, at: at(bench.now) }),
    ]);
  });

  it("may be refused after all", () => {
    const bench = unknown();
    expect(bench.reject(bench.order(1).terms).commands).toEqual([]);
    expect(bench.slot(1)).toMatchObject({ phase: { kind: "idle" }, buys: { ended: "rejected" } });
  });
});

describe("a refused order", () => {
  it("leaves its slot alone for a second, then for two, and is forgiven once one is accepted", () => {
    const bench = new Bench(makeBot(115, { initial: "none" }));
    bench.snapshot(115);
    const { terms } = bench.order(1);
    const refused = bench.reject(terms);
    expect(refused.commands).toEqual([]);
    expect(refused.records).toEqual([
      {
        kind: "event",
        at: bench.now,
        type: "order_rejected",
        detail: { id: terms.id, slot: 1, side: "buy", reason: "other" },
      },
      orderRecord(terms, "rejected", { exchangeOrderId: undefined, at: at(bench.now) }),
    ]);
    expect(nextTimer(bench.state, at(bench.now))).toBe(bench.now + 1_000);
    expect(bench.timer(999).commands).toEqual([]);
    const [second] = placedBy(bench.timer(1).commands);
    expect(second).toMatchObject({ slot: 1, side: "buy", generation: 2 });
    if (!second) return;
    bench.reject(second);
    expect(nextTimer(bench.state, at(bench.now))).toBe(bench.now + 2_000);
    const [third] = placedBy(bench.timer(2_000).commands);
    if (!third) return expect.fail("no third order");
    bench.accept(third);
    expect(bench.slot(1).backOff).toEqual(NO_BACK_OFF);
    expect(nextTimer(bench.state, at(bench.now))).toBeUndefined();
  });

  it("is tried again at least once a minute, however often it was refused", () => {
    const bench = new Bench(makeBot(105, { initial: "none" }));
    let [order] = placedBy(bench.snapshot(105).commands);
    for (let refusals = 0; refusals < 40; refusals++) {
      if (!order) return expect.fail(`no order after ${refusals} refusals`);
      bench.reject(order);
      const wait = (nextTimer(bench.state, at(bench.now)) ?? 0) - bench.now;
      expect(wait).toBe(Math.min(60_000, 1_000 * 2 ** refusals));
      [order] = placedBy(bench.timer(wait).commands);
    }
    expect(order?.generation).toBe(41);
  });

  it("does not keep the other slots from trading", () => {
    const bench = new Bench(makeBot(115, { initial: "none" }));
    bench.snapshot(115);
    bench.reject(bench.order(1).terms);
    const { terms } = bench.order(0);
    bench.accept(terms);
    expect(placements(bench.fill(terms))).toEqual(["sell 0 #1 100@110"]);
  });
});

describe("an order that was never sent", () => {
  it("stores nothing of itself, and its slot tries the next generation after a pause", () => {
    const bench = new Bench(makeBot(115, { initial: "none" }));
    bench.snapshot(115);
    const { terms } = bench.order(1);
    const result = bench.notSent(terms);
    expect(result.records).toEqual([
      {
        kind: "event",
        at: bench.now,
        type: "order_not_sent",
        detail: { id: terms.id, slot: 1, side: "buy", reason: "level_busy" },
      },
    ]);
    expect(result.commands).toEqual([]);
    expect(placements(bench.timer(1_000))).toEqual(["buy 1 #2 100@110"]);
  });
});
