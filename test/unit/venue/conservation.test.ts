/** Money is moved, never made: whatever the commands, the balances say exactly what the fills say. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { QuantityLots } from "../../../src/domain/amounts.ts";
import { parseMoney } from "../../../src/domain/amounts.ts";
import { notional } from "../../../src/domain/instrument.ts";
import { INSTRUMENT, SYMBOL, createKit } from "./venue-kit.ts";
import type { Ask, VenueKit } from "./venue-kit.ts";

const account = fc.constantFrom("ann", "bob");
const price = fc.integer({ min: 90, max: 110 });
const place = fc.record({
  kind: fc.constantFrom("buy" as const, "sell" as const),
  account,
  price,
  // Up to a tenth of the funds, and now and then more than there is.
  quantity: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 90 }) }, fc.constant(1100)),
  ask: fc.constantFrom<Ask>(
    {},
    {},
    { timeInForce: "IOC" },
    { timeInForce: "FOK" },
    { type: "limit_maker" },
    { type: "market" },
  ),
});
const cancel = fc.record({ kind: fc.constant("cancel" as const), account, which: fc.nat() });
const move = fc.record({
  kind: fc.constant("move" as const),
  price,
  fill: fc.constantFrom("touch", "through"),
  /** How much of a crossed order executes, in lots; all of it where it has less. */
  most: fc.oneof({ weight: 2, arbitrary: fc.constant(Infinity) }, fc.integer({ min: 1, max: 40 })),
});
const SELF_TRADE = ["none", "expire_taker", "expire_maker", "expire_both"] as const;
type Command = typeof place | typeof cancel | typeof move extends fc.Arbitrary<infer T> ? T : never;

describe("balances", () => {
  it("together with the fees stay what was deposited while accounts trade with each other", () => {
    check([place, cancel], (kit) => {
      const total = (asset: string): bigint =>
        ["ann", "bob"]
          .flatMap((name) => kit.venue.balances(name))
          .reduce((sum, each) => (each.asset === asset ? sum + each.free + each.locked : sum), 0n);
      const fees = ["ann", "bob"]
        .flatMap((name) => kit.venue.fillsAfter(name, SYMBOL, 0))
        .reduce((sum, { fee }) => sum + fee, 0n);
      expect(total("BTC")).toBe(parseMoney("200"));
      expect(total("USDT") + fees).toBe(parseMoney("20000"));
    });
  });

  it("are the deposits with every fill counted, also when the market itself is on the other side", () => {
    check([place, cancel, move], (kit) => {
      for (const name of ["ann", "bob"]) {
        let [base, quote] = [parseMoney("100") as bigint, parseMoney("10000") as bigint];
        for (const { side, price: at, quantity, fee } of kit.venue.fillsAfter(name, SYMBOL, 0)) {
          const sign = side === "buy" ? 1n : -1n;
          base += sign * BigInt(quantity) * INSTRUMENT.lotSize;
          quote -= sign * notional(INSTRUMENT, at, quantity) + fee;
        }
        const totals = kit.venue.balances(name).map(({ free, locked }) => free + locked);
        expect(totals).toEqual([base, quote]);
      }
    });
  });

  it("lock exactly what the open orders still need, and are never below zero", () => {
    check([place, cancel, move], (kit) => {
      for (const name of ["ann", "bob"]) {
        let [base, quote] = [0n, 0n];
        for (const { side, price: at, quantity, executed } of kit.venue.openOrders(name, SYMBOL)) {
          const left = (quantity - executed) as typeof quantity;
          // The fees of this instrument come out even: 2 % on top of a whole price.
          if (side === "buy") quote += (notional(INSTRUMENT, at, left) * 102n) / 100n;
          else base += BigInt(left) * INSTRUMENT.lotSize;
        }
        const balances = kit.venue.balances(name);
        expect(balances.map(({ locked }) => locked)).toEqual([base, quote]);
        for (const { free } of balances) expect(free >= 0n).toBe(true);
      }
    });
  });
});

/** Runs random commands and checks `holds` after each; a run without any trade would prove nothing. */
function check(kinds: readonly fc.Arbitrary<Command>[], holds: (kit: VenueKit) => void): void {
  let trades = 0;
  fc.assert(
    fc.property(fc.constantFrom(...SELF_TRADE), runOf(kinds), (selfTrade, commands) => {
      const kit = createKit({ selfTrade });
      for (const command of commands) {
        carryOut(kit, command);
        holds(kit);
      }
      trades += kit.venue.trades;
    }),
    { numRuns: 150 },
  );
  expect(trades).toBeGreaterThan(100);
}

function runOf(kinds: readonly fc.Arbitrary<Command>[]): fc.Arbitrary<Command[]> {
  return fc.array(fc.oneof(...kinds), { minLength: 20, maxLength: 80 });
}

function carryOut(kit: VenueKit, command: Command): void {
  if (command.kind === "move") {
    kit.move(
      command.price,
      command.fill === "touch" ? "touch" : "through",
      ({ quantity, executed }) => Math.min(command.most, quantity - executed) as QuantityLots,
    );
  } else if (command.kind === "cancel") {
    const open = kit.venue.openOrders(command.account, SYMBOL);
    const order = open[command.which % Math.max(1, open.length)];
    if (order) kit.cancel(order.exchangeOrderId, command.account);
  } else {
    kit[command.kind](command.price, command.quantity, { ...command.ask, account: command.account });
  }
}
