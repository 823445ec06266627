/** The order book against the simplest list that keeps the same promises. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Slot } from "../../../src/venue/matching/book.ts";
import { BookSide, NO_SLOT } from "../../../src/venue/matching/book.ts";

type Move =
  | { readonly kind: "add"; readonly price: number; readonly quantity: number }
  | { readonly kind: "remove"; readonly which: number }
  | { readonly kind: "fill"; readonly which: number; readonly quantity: number };

interface Listed {
  readonly number: number;
  readonly slot: Slot;
  readonly price: number;
  remaining: number;
}

/** Few prices, so that they queue; and many, even beyond 32 bits, so that their list is long. */
const price = fc.oneof(
  fc.integer({ min: 1, max: 9 }),
  fc.integer({ min: 1, max: 2000 }),
  fc.integer({ min: 2 ** 40, max: 2 ** 40 + 200 }),
);
const quantity = fc.integer({ min: 1, max: 9 });
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("add" as const), price, quantity }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("fill" as const), which: fc.nat(), quantity }) },
);

describe("a side of the order book", () => {
  it("keeps price and time priority through any adding, removing and filling", () => {
    let most = 0;
    fc.assert(
      fc.property(fc.boolean(), fc.array(move, { maxLength: 600, size: "max" }), (isBuy, moves) => {
        const side = new BookSide<number>(isBuy ? 1 : -1);
        let list: Listed[] = [];
        for (const [number, each] of moves.entries()) {
          if (each.kind === "add") {
            const slot = side.add(number, each.price, each.quantity);
            list.push({ number, slot, price: each.price, remaining: each.quantity });
            list.sort((a, b) => (isBuy ? b.price - a.price : a.price - b.price) || a.number - b.number);
          } else if (list.length > 0) {
            const order = list[each.which % list.length] as Listed;
            if (each.kind === "remove") {
              side.remove(order.slot);
              order.remaining = 0;
            } else {
              const filled = Math.min(each.quantity, order.remaining);
              side.fill(order.slot, filled);
              order.remaining -= filled;
            }
            list = list.filter(({ remaining }) => remaining > 0);
          }
          expect(side.first()).toBe(list[0]?.slot ?? NO_SLOT);
          if (number % 20 === 0 || number === moves.length - 1) expectSame(side, list);
        }
        most = Math.max(most, list.length);
      }),
      { numRuns: 100 },
    );
    // More than the arrays begin with.
    expect(most).toBeGreaterThan(100);
  });

  it("goes on in order after thousands of prices that nobody uses any more", () => {
    const side = new BookSide<number>(1);
    side.add(0, 1_000_000, 1);
    for (let each = 1; each <= 5000; each += 1) side.remove(side.add(each, each, 1));
    side.add(1, 500, 2);

    expect(side.levels(9)).toEqual([
      { price: 1_000_000, quantity: 1 },
      { price: 500, quantity: 2 },
    ]);
  });

  it("shows as many of the best levels as are asked for", () => {
    const side = new BookSide<string>(-1);
    for (const at of [30, 10, 20, 10]) side.add("ann", at, 5);

    expect(side.levels(2)).toEqual([
      { price: 10, quantity: 10 },
      { price: 20, quantity: 5 },
    ]);
  });
});

function expectSame(side: BookSide<number>, list: readonly Listed[]): void {
  const found: Listed[] = [];
  for (let slot = side.first(); slot !== NO_SLOT; slot = side.after(slot)) {
    found.push({
      number: side.owner(slot),
      slot,
      price: side.price(slot),
      remaining: side.remaining(slot),
    });
  }
  expect(found).toEqual(list);
  const levels = new Map<number, number>();
  for (const { price: at, remaining } of list) levels.set(at, (levels.get(at) ?? 0) + remaining);
  expect(side.levels(Infinity)).toEqual([...levels].map(([at, total]) => ({ price: at, quantity: total })));
}
