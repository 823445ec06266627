/** The venue against a naive one: the same executions and the same book after every command. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { QuantityLots } from "../../../src/domain/amounts.ts";
import { money } from "../../../src/domain/amounts.ts";
import type { Instant } from "../../../src/domain/ids.ts";
import type { PlaceCommand } from "../../../src/venue/matching/commands.ts";
import { freshSeed, scaled } from "../../support/scale.ts";
import { NaiveVenue } from "./naive-venue.ts";
import type { VenueKit } from "./venue-kit.ts";
import { SYMBOL, createKit } from "./venue-kit.ts";

const ACCOUNTS = ["ann", "bob", "cleo"];
const account = fc.constantFrom(...ACCOUNTS);
const price = fc.integer({ min: 95, max: 105 });
const place = fc.record({
  kind: fc.constant("place" as const),
  account,
  side: fc.constantFrom("buy" as const, "sell" as const),
  type: fc.constantFrom<PlaceCommand["type"]>("limit", "limit", "limit", "limit_maker", "market"),
  timeInForce: fc.constantFrom("GTC" as const, "GTC" as const, "IOC" as const, "FOK" as const),
  price,
  quantity: fc.integer({ min: 1, max: 40 }),
});
const cancel = fc.record({ kind: fc.constant("cancel" as const), which: fc.nat() });
const move = fc.record({
  kind: fc.constant("move" as const),
  price,
  fill: fc.constantFrom("touch" as const, "through" as const),
  /** How many lots of a crossed order execute at most. */
  most: fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 30 })),
});
type Command = typeof place | typeof cancel | typeof move extends fc.Arbitrary<infer T> ? T : never;

describe("the venue", () => {
  it("executes and keeps in its book what a naive one does, for every type, duration and self-trade mode", () => {
    const seed = freshSeed();
    const reached = new Set<string>();
    fc.assert(
      fc.property(
        fc.constantFrom(
          "none" as const,
          "expire_taker" as const,
          "expire_maker" as const,
          "expire_both" as const,
        ),
        fc.constantFrom("unlimited" as const, "book" as const),
        fc.array(fc.oneof({ weight: 6, arbitrary: place }, { weight: 2, arbitrary: cancel }, move), {
          minLength: 20,
          maxLength: 120,
        }),
        (selfTrade, depth, commands) => {
          const kit = createKit({ selfTrade, depth });
          for (const each of ACCOUNTS) {
            for (const asset of ["BTC", "USDT"]) kit.venue.deposit(each, asset, money(10n ** 30n));
          }
          const naive = new NaiveVenue(selfTrade, depth);
          for (const command of commands) {
            carryOut(command, kit, naive);
            expectSame(kit, naive);
          }
          for (const { type, status, executed } of naive.orders) {
            reached.add(`${selfTrade}: ${status}`);
            reached.add(`${type} ${status} ${executed > 0 ? "executed" : "untouched"}`);
          }
        },
      ),
      { numRuns: scaled(1500), seed },
    );
    for (const selfTrade of ["none", "expire_taker", "expire_maker", "expire_both"]) {
      for (const status of ["open", "filled", "canceled", "expired"]) {
        expect(reached).toContain(`${selfTrade}: ${status}`);
      }
    }
    for (const end of ["open executed", "canceled executed", "expired untouched", "expired executed"]) {
      expect(reached).toContain(`limit ${end}`);
    }
    expect(reached).toContain("limit_maker filled executed");
    expect(reached).toContain("market expired executed");
  });
});

function carryOut(command: Command, kit: VenueKit, naive: NaiveVenue): void {
  if (command.kind === "place") {
    const { side, price: limit, quantity, timeInForce, type, account: by } = command;
    const result = kit[side](limit, quantity, { account: by, type, timeInForce });
    expect(result.kind).toBe(naive.place(command) ? "accepted" : "rejected");
  } else if (command.kind === "cancel") {
    const order = naive.orders[command.which % Math.max(1, naive.orders.length)];
    if (!order) return;
    const expected = order.status === "open" ? "canceled" : "not_found";
    expect(kit.cancel(String(order.number), order.account).kind).toBe(expected);
    if (order.status === "open") naive.cancel(order);
  } else {
    const { most } = command;
    kit.move(
      command.price,
      command.fill,
      (order) => Math.min(most, order.quantity - order.executed) as QuantityLots,
    );
    naive.move(command.price, command.fill, most);
  }
}

function expectSame({ venue, events }: VenueKit, naive: NaiveVenue): void {
  const executions = events.flatMap((event) => {
    if (event.kind !== "fill") return [];
    const { tradeId, exchangeOrderId, side, quantity, price: at, liquidity } = event.execution;
    return [`${tradeId} ${event.account} ${exchangeOrderId} ${side} ${quantity}@${at} ${liquidity}`];
  });
  expect(executions).toEqual(naive.executions);
  for (const side of ["buy", "sell"] as const) {
    const levels = new Map<number, number>();
    for (const { price: at, quantity, executed } of naive.resting(side)) {
      levels.set(at, (levels.get(at) ?? 0) + quantity - executed);
    }
    const depth = [...levels].map(([at, quantity]) => ({ price: at, quantity }));
    expect(venue.depth(SYMBOL, side === "buy", Infinity)).toEqual(depth);
  }
  const shown = ACCOUNTS.flatMap((each) =>
    venue
      .ordersSince(each, SYMBOL, 0 as Instant)
      .map((order) => `${order.exchangeOrderId} ${each} ${order.status} ${order.executed}`),
  );
  const expected = ACCOUNTS.flatMap((each) =>
    naive.orders
      .filter((order) => order.account === each)
      .map((order) => `${order.number} ${each} ${order.status} ${order.executed}`),
  );
  expect(shown).toEqual(expected);
}
