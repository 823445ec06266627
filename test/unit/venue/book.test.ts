/** The order book against the simplest list that keeps the same promises. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BookOrder, OrderBook } from "../../../src/venue/matching/book.ts";

type Move =
  | { readonly kind: "add"; readonly isBuy: boolean; readonly price: number; readonly quantity: number }
  | { readonly kind: "cancel"; readonly which: number }
  | { readonly kind: "take"; readonly isBuy: boolean; readonly quantity: number };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("add" as const),
      isBuy: fc.boolean(),
      price: fc.integer({ min: 1, max: 200 }),
      quantity: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel" as const), which: fc.nat() }) },
  fc.record({
    kind: fc.constant("take" as const),
    isBuy: fc.boolean(),
    quantity: fc.integer({ min: 1, max: 9 }),
  }),
);

describe("the order book", () => {
  it("keeps price and time priority through any adding, cancelling and taking", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 600, size: "max" }), (moves) => {
        const book = new OrderBook<number>();
        let resting: BookOrder<number>[] = [];
        for (const [number, each] of moves.entries()) {
          if (each.kind === "add") {
            const order = new BookOrder(number, each.isBuy, each.price, each.quantity);
            book.add(order);
            resting.push(order);
          } else if (each.kind === "cancel") {
            const order = resting[each.which % Math.max(1, resting.length)];
            if (order) book.cancel(order);
            resting = resting.filter((other) => other !== order);
          } else {
            const best = book.best(each.isBuy);
            if (best) book.fill(best, Math.min(each.quantity, best.remaining));
            resting = resting.filter(({ remaining }) => remaining > 0);
          }
          for (const isBuy of [true, false]) {
            const expected = resting
              .filter((order) => order.isBuy === isBuy)
              .sort((a, b) => (isBuy ? b.price - a.price : a.price - b.price) || a.owner - b.owner);
            expect(book.best(isBuy)?.owner).toBe(expected[0]?.owner);
            if (number % 20 > 0) continue;
            expect([...book.inPriority(isBuy)].map(({ owner }) => owner)).toEqual(
              expected.map(({ owner }) => owner),
            );
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it("goes on in order after thousands of prices that nobody uses any more", () => {
    const book = new OrderBook<number>();
    book.add(new BookOrder(0, true, 1_000_000, 1));
    for (let price = 1; price <= 1000; price += 1) {
      const order = new BookOrder(price, true, price, 1);
      book.add(order);
      book.cancel(order);
    }
    book.add(new BookOrder(1, true, 500, 1));

    expect([...book.inPriority(true)].map(({ price }) => price)).toEqual([1_000_000, 500]);
  });

  it("ignores a second cancel of the same order", () => {
    const book = new OrderBook<string>();
    const order = new BookOrder("a", true, 10, 1);
    book.add(order);
    book.add(new BookOrder("b", true, 10, 1));

    book.cancel(order);
    book.cancel(order);

    expect([...book.inPriority(true)].map(({ owner }) => owner)).toEqual(["b"]);
  });
});
