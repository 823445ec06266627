/** What a person may ask of a bot: pause, resume, drain, stop, halt, kill. */
import { describe, expect, it } from "vitest";
import {
  Bench,
  at,
  cancellations,
  makeBot,
  placedBy,
  placements,
  refOf,
  runningBench,
} from "./strategy-kit.ts";

describe("pause", () => {
  it("buys nothing more, sells what is held, and leaves what rests", () => {
    const bench = runningBench(125);
    const paused = bench.control("pause");
    expect(paused.commands).toEqual([]);
    expect(paused.records).toEqual([
      { kind: "mode", mode: "paused", reason: "asked" },
      { kind: "event", at: bench.now, type: "bot_paused", detail: { reason: "asked" } },
    ]);
    const bought = bench.fill(bench.order(2).terms);
    expect(placements(bought)).toEqual(["sell 2 #1 100@130"]);
    const [sell] = placedBy(bought.commands);
    if (!sell) return;
    bench.accept(sell);
    expect(placements(bench.fill(sell))).toEqual([]);
    expect(placements(bench.tick(139))).toEqual([]);
    expect(placements(bench.control("resume"))).toEqual(["buy 2 #2 100@120"]);
  });

  it("also holds the initial purchase back", () => {
    const bench = new Bench(makeBot(125));
    bench.control("pause");
    expect(placements(bench.snapshot(125))).toEqual([]);
    expect(placements(bench.control("resume"))).toHaveLength(4);
  });
});

describe.each(["drain", "stop"] as const)("%s", (action) => {
  it("places nothing new, cancels nothing, and is not stored", () => {
    const bench = runningBench(125);
    expect(bench.control(action)).toMatchObject({ records: [], commands: [] });
    expect(bench.fill(bench.order(2).terms).commands).toEqual([]);
    expect(bench.tick(99).commands).toEqual([]);
    expect(bench.state.mode).toBe("running");
    expect(bench.slot(2)).toMatchObject({ phase: { kind: "holding" }, inventory: [{ quantity: 100 }] });
    expect(bench.identityError()).toBe(0n);
    expect(placements(bench.control("resume"))).toEqual(["sell 2 #1 100@130"]);
  });
});

describe("halt", () => {
  it("places nothing until resumed, cancels nothing, and counts what still fills", () => {
    const bench = runningBench(125);
    expect(bench.control("halt").records).toContainEqual({ kind: "mode", mode: "halted", reason: "asked" });
    const filled = bench.fill(bench.order(2).terms);
    expect(filled.commands).toEqual([]);
    expect(filled.state.totals.fills).toBe(2);
    expect(bench.timer(600_000).commands).toEqual([]);
    expect(bench.control("pause").state.mode).toBe("halted");
    expect(placements(bench.control("resume"))).toEqual(["sell 2 #1 100@130"]);
  });
});

describe("close", () => {
  it("of a halted bot sells and keeps what it was halted for, so that no start takes it back", () => {
    const bench = runningBench(125);
    bench.feed({ kind: "control", at: at(2_000), action: "halt", reason: "a contradiction" });
    const closed = bench.feed({ kind: "control", at: at(2_001), action: "close", reason: "closed_on_exit" });
    expect(cancellations(closed)).toHaveLength(4);
    expect(closed.state).toMatchObject({ mode: "closing", modeReason: "a contradiction" });
  });

  it("of a killed bot changes nothing: what it keeps, it keeps", () => {
    const bench = runningBench(105, { initial: "none" });
    const { terms } = bench.order(0);
    bench.control("kill");
    bench.closed(terms, 0);
    expect(bench.control("close")).toMatchObject({ state: { mode: "killed" }, records: [], commands: [] });
  });
});

describe("kill", () => {
  it("cancels every order that rests and places nothing again, whatever is asked", () => {
    const bench = runningBench(125);
    const resting = [0, 1, 2, 3].map((slot) => bench.order(slot).terms);
    const killed = bench.control("kill");
    expect(cancellations(killed)).toEqual(resting.map(({ id }) => id));
    expect(placements(killed)).toEqual([]);
    for (const { id } of resting) {
      expect(killed.records).toContainEqual(
        expect.objectContaining({ kind: "order", id, status: "canceling", exchangeOrderId: `x-${id}` }),
      );
    }
    for (const order of resting) expect(bench.closed(order, 0).commands).toEqual([]);
    expect(bench.state.slots.map(({ phase }) => phase.kind)).toEqual(["idle", "idle", "idle", "holding"]);
    for (const action of ["resume", "pause", "halt", "resume"] as const) {
      expect(bench.control(action)).toMatchObject({ state: { mode: "killed" }, commands: [] });
    }
    expect(bench.tick(139).commands).toEqual([]);
  });

  it("cancels an order that is on its way as soon as it is acknowledged", () => {
    const bench = new Bench(makeBot(105, { initial: "none" }));
    bench.snapshot(105);
    const { terms } = bench.order(0);
    expect(bench.control("kill").commands).toEqual([]);
    expect(cancellations(bench.accept(terms))).toEqual([terms.id]);
    expect(bench.order(0).kind).toBe("canceling");
  });

  it("cancels an order of unknown outcome as soon as it is found", () => {
    const bench = new Bench(makeBot(105, { initial: "none" }));
    bench.snapshot(105);
    const { terms } = bench.order(0);
    bench.unknown(terms);
    bench.control("kill");
    expect(cancellations(bench.accept(terms))).toEqual([terms.id]);
  });

  it("counts what executes before the cancel, and does not sell it", () => {
    const bench = runningBench(105, { initial: "none" });
    const { terms } = bench.order(0);
    bench.control("kill");
    bench.fill(terms, 80);
    expect(bench.order(0).kind).toBe("canceling");
    expect(bench.closed(terms, 80).commands).toEqual([]);
    expect(bench.slot(0)).toMatchObject({ phase: { kind: "holding" }, inventory: [{ quantity: 80 }] });
    expect(bench.identityError()).toBe(0n);
  });

  it("asks for each cancel once", () => {
    const bench = runningBench(105, { initial: "none" });
    bench.control("kill");
    expect(bench.control("kill").commands).toEqual([]);
    expect(bench.timer(60_000).commands).toEqual([]);
    expect(bench.accept(refOf(0, "buy", 1)).commands).toEqual([]);
  });
});

describe("hold", () => {
  it("places nothing, cancels what is to be cancelled, and stores nothing", () => {
    const bench = runningBench(125);
    expect(bench.control("hold")).toMatchObject({ records: [], commands: [] });
    const { terms } = bench.order(2);

    expect(bench.fill(terms).commands).toEqual([]);
    expect(placements(bench.tick(99))).toEqual([]);
    expect(cancellations(bench.control("close")).length).toBeGreaterThan(1);

    expect(bench.slot(2).inventory).toMatchObject([{ quantity: 100 }]);
    expect(bench.identityError()).toBe(0n);
  });
});
