/** What a restored backup has forgotten is learnt from the exchange, for good. */
import { describe, expect, it } from "vitest";
import type { SlotNumber } from "../../../src/domain/ids.ts";
import type { WorkingOrder } from "../../../src/domain/order.ts";
import { NO_PROGRESS } from "../../../src/strategy/accounting.ts";
import { emptyLedger } from "../../../src/strategy/empty-ledger.ts";
import { WINDOW_SLOT_BASE } from "../../../src/strategy/window.ts";
import {
  Bench,
  at,
  executionOf,
  lots,
  makeBot,
  placedBy,
  refOf,
  shown,
  termsOf,
  ticks,
} from "./strategy-kit.ts";
import { slotAt, windowBot, windowRules } from "./window-kit.ts";

describe("an order that a restored backup has forgotten", () => {
  it("is stored with how it ended, so that its id is never used again, and its fill is counted", () => {
    const bot = makeBot(105, { grids: 1, initial: "none" });
    const forgotten = termsOf(bot, 0, "buy", 7, 0);
    const bench = new Bench(bot);
    const execution = executionOf(forgotten, 100);

    const { records, commands } = bench.snapshot(105, {
      orders: [shown(forgotten, "filled", 100)],
      fills: [{ order: forgotten, execution }],
      seen: [forgotten],
    });

    const stored = records
      .filter(({ kind }) => kind === "adoptedOrder" || kind === "fill")
      .map(({ kind }) => kind);
    expect(stored).toEqual(["adoptedOrder", "fill"]);
    expect(bench.state.slots[0]?.buys).toEqual({ generation: 7, ended: "filled" });
    expect(placedBy(commands).map(({ side, generation }) => [side, generation])).toEqual([["sell", 1]]);
    expect(bench.state.mode).toBe("running");
  });

  it("does not lend its number to the next one when an older order ends after it", () => {
    const bot = makeBot(105, { grids: 1, initial: "none" });
    const older = termsOf(bot, 0, "buy", 5, 0);
    const forgotten = termsOf(bot, 0, "buy", 6, 0);
    const order: WorkingOrder = {
      kind: "canceling",
      terms: older,
      progress: NO_PROGRESS,
      exchangeOrderId: `x-${older.id}`,
    };
    const bench = new Bench(bot, {
      ...emptyLedger(),
      working: [{ order, validUntil: at(1) }],
      lastOrders: [{ ...refOf(0, "buy", 5), status: "working" }],
    });

    const { commands } = bench.snapshot(105, {
      orders: [shown(older, "canceled"), shown(forgotten, "canceled")],
      seen: [older, forgotten],
    });

    expect(placedBy(commands).map(({ generation }) => generation)).toEqual([7]);
  });

  it("opens the slot of a window that the backup does not know", () => {
    const rules = windowRules();
    const bench = new Bench(windowBot(1002, {}, rules), emptyLedger(), rules);
    const slot = (WINDOW_SLOT_BASE - 40) as SlotNumber;
    const ref = refOf(slot, "buy", 1);
    const terms = { ...ref, type: "limit" as const, price: ticks(600), quantity: lots(83), createdAt: at(0) };

    bench.snapshot(1002, {
      orders: [shown(terms, "filled", 83)],
      fills: [{ order: ref, execution: executionOf(terms, 83) }],
      seen: [ref],
    });

    expect(bench.state.mode).toBe("running");
    expect(slotAt(bench, 600)).toMatchObject({ phase: { kind: "selling" }, buys: { generation: 1 } });
  });

  it("opens that slot for a fill alone, where no list shows its order", () => {
    const rules = windowRules();
    const bench = new Bench(windowBot(1002, {}, rules), emptyLedger(), rules);
    const ref = refOf(WINDOW_SLOT_BASE - 40, "buy", 1);
    const terms = { ...ref, type: "limit" as const, price: ticks(600), quantity: lots(83), createdAt: at(0) };

    const { records } = bench.snapshot(1002, { fills: [{ order: ref, execution: executionOf(terms, 83) }] });

    const kinds = records.map(({ kind }) => kind);
    expect(kinds.indexOf("slotOpened")).toBeLessThan(kinds.indexOf("fill"));
    expect(slotAt(bench, 600)).toMatchObject({ phase: { kind: "selling" }, buys: { generation: 1 } });
  });

  it("has its fill stored and counted where no slot can hold it, and the bot halts", () => {
    const bench = new Bench(makeBot(105, { grids: 1, initial: "none" }));
    const terms = { ...termsOf(bench.state.bot, 0, "buy", 1, 0), ...refOf(17, "buy", 1) };

    const { records } = bench.snapshot(105, {
      fills: [{ order: refOf(17, "buy", 1), execution: executionOf(terms, 100) }],
    });

    expect(records).toContainEqual(expect.objectContaining({ kind: "fill" }));
    expect(records).toContainEqual(
      expect.objectContaining({ kind: "lateProgress", order: refOf(17, "buy", 1) }),
    );
    expect(bench.state).toMatchObject({ mode: "halted", totals: { fills: 1, position: 100 } });
    expect(bench.state.modeReason).toMatch(/slot 17 is not one of this bot's$/);
  });
});
