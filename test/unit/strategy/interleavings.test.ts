/** Whatever an honest exchange does, in whatever order it is heard of: what must always be true, is. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GridState } from "../../../src/strategy/state.ts";
import { heldLots } from "../../../src/strategy/state.ts";
import { isOrderable } from "../../../src/domain/instrument.ts";
import { scaled } from "../../support/scale.ts";
import { ExchangeModel } from "./exchange-model.ts";
import { nothingReached } from "./reached.ts";
import { INSTRUMENT, makeBot } from "./strategy-kit.ts";

const choice = fc.tuple(fc.nat(10_000), fc.nat(10_000));
const bot = fc
  .record({
    startPrice: fc.integer({ min: 95, max: 145 }),
    initial: fc.constantFrom("buy" as const, "none" as const),
    // From an amount that two parts of an order can fall below, to one that they hardly ever do.
    value: fc.constantFrom("0.051", "0.06", "0.1", "0.5"),
  })
  .map(({ startPrice, initial, value }) =>
    makeBot(startPrice, { initial, amount: { kind: "base_quantity", value } }),
  );

describe("random interleavings", () => {
  it("never break an invariant, and the rare paths are all walked", () => {
    const reached = nothingReached();
    fc.assert(
      fc.property(bot, fc.array(choice, { minLength: 1, maxLength: 250, size: "max" }), (made, choices) => {
        const model = new ExchangeModel(made, reached);
        for (const [what, size] of choices) {
          model.advance(what, size);
          checkAlways(model);
        }
        model.settleDown();
        checkAlways(model);
        checkAtRest(model);
        model.kill();
        checkAtRest(model);
        expect(model.live()).toEqual([]);
      }),
      { numRuns: scaled(2_000), endOnFailure: true },
    );
    for (const [path, count] of Object.entries(reached))
      expect({ path, count }).not.toMatchObject({ count: 0 });
  }, 300_000);
});

function checkAlways(model: ExchangeModel): void {
  const { state, last } = model.bench;
  // An honest exchange never contradicts the books: only the test itself halts the bot.
  for (const record of last.records) {
    if (record.kind === "mode") must(["drawn", "the end"].includes(record.reason), record.reason);
  }
  const live = model.live().map(({ terms }) => terms.slot);
  must(new Set(live).size === live.length, `more than one live order in a slot: ${live.join()}`);
  must(model.bench.identityError() === 0n, "the two ways to the total differ");
  must(state.totals.position === lotsOf(state), "the position is not what the books hold");
  for (const { phase, terms, inventory } of state.slots) {
    const held = heldLots(inventory);
    const isBuyingMore =
      phase.kind === "buying" &&
      isOrderable(INSTRUMENT, terms.sellPrice, held) &&
      phase.order.terms.quantity > terms.quantity - held;
    must(!isBuyingMore, `slot ${terms.slot} buys more than it lacks although it holds ${held} lots`);
    const isOverselling = phase.kind === "selling" && phase.order.terms.quantity > held;
    must(!isOverselling, `slot ${terms.slot} sells more than its ${held} lots`);
  }
}

function must(isTrue: boolean, otherwise: string): void {
  if (!isTrue) expect.fail(otherwise);
}

/** Nothing is on its way: both sides know the same. */
function checkAtRest(model: ExchangeModel): void {
  const { state } = model.bench;
  expect(state.totals.position).toBe(model.position());
  const resting = state.slots.flatMap(({ phase }) =>
    phase.kind === "buying" || phase.kind === "selling" ? [phase.order.terms.id] : [],
  );
  if (state.initial.kind === "working") resting.push(state.initial.order.terms.id);
  expect(
    model
      .live()
      .map(({ terms }) => terms.id)
      .sort(),
  ).toEqual(resting.sort());
}

/** Lots that the grid's books hold: the inventories, and what working orders have moved so far. */
function lotsOf({ slots }: GridState): number {
  return slots.reduce((sum, { inventory, phase }) => {
    const moved =
      phase.kind === "buying"
        ? phase.order.progress.executed
        : phase.kind === "selling"
          ? -phase.order.progress.executed
          : 0;
    return sum + heldLots(inventory) + moved;
  }, 0);
}
