/** A venue that goes on from another one's state does exactly what that one does. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseMoney, priceTicks, quantityLots } from "../../../src/domain/amounts.ts";
import type { ClientOrderId, Instant } from "../../../src/domain/ids.ts";
import { createInstrument } from "../../../src/domain/instrument.ts";
import type { VenueOptions } from "../../../src/venue/matching/commands.ts";
import { Venue } from "../../../src/venue/matching/venue.ts";

const SYMBOL = "BTC/USDT";
const STEP = parseMoney("0.00000001");
const INSTRUMENT = createInstrument({
  exchange: "sim",
  symbol: SYMBOL,
  tickSize: "0.01",
  lotSize: "0.00001",
  makerFee: "0.00075",
  takerFee: "0.001",
});
const ACCOUNTS = ["ann", "bob", "cat"];

const command = fc.record({
  kind: fc.constantFrom("place", "place", "place", "cancel", "move"),
  account: fc.constantFrom(...ACCOUNTS),
  side: fc.constantFrom("buy" as const, "sell" as const),
  type: fc.constantFrom("limit" as const, "limit" as const, "limit_maker" as const, "market" as const),
  price: fc.integer({ min: 990, max: 1_010 }),
  quantity: fc.integer({ min: 1, max: 50 }),
  order: fc.integer({ min: 1, max: 60 }),
});

type Command = typeof command extends fc.Arbitrary<infer Value> ? Value : never;

describe("a venue's state", () => {
  it.each<Pick<VenueOptions, "depth" | "feeAsset">>([
    { depth: "book", feeAsset: "base" },
    { depth: "unlimited", feeAsset: "quote" },
  ])("is all that another venue needs to go on ($depth, fees in $feeAsset)", (terms) => {
    const options = { ...terms, instruments: [INSTRUMENT], forgotten: new Set(["cat"]), feeStep: STEP };
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 40 }),
        fc.array(command, { maxLength: 40 }),
        (before, after) => {
          const first = new Venue(options);
          for (const account of ACCOUNTS) {
            first.deposit(account, "BTC", parseMoney("1"));
            first.deposit(account, "USDT", parseMoney("1000"));
          }
          before.forEach((each, index) => carryOut(first, each, index));
          const second = new Venue(options);
          second.restore(first.state());
          expect(second.state()).toEqual(first.state());
          after.forEach((each, index) => {
            expect(carryOut(second, each, index + 100)).toEqual(carryOut(first, each, index + 100));
          });
          expect(second.state()).toEqual(first.state());
          for (const { free, locked } of first.state().balances) {
            expect([free % STEP, locked % STEP]).toEqual([0n, 0n]);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

function carryOut(
  venue: Venue,
  { kind, account, side, type, price, quantity, order }: Command,
  at: number,
): unknown {
  const now = at as Instant;
  if (kind === "move") return venue.movePrice(SYMBOL, priceTicks(price), now, "touch");
  const terms = { account, symbol: SYMBOL, validUntil: now };
  if (kind === "cancel") return venue.cancel({ ...terms, exchangeOrderId: String(order) }, now);
  const id = `c${order}` as ClientOrderId;
  return venue.place(
    { ...terms, id, side, type, price: priceTicks(price), quantity: quantityLots(quantity) },
    now,
  );
}
