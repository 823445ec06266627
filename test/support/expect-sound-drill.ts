/** What must hold after every drill on a lying exchange, by the exchange's own journal and lists. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { addMoney, parseMoney } from "../../src/domain/amounts.ts";
import { parseJournal } from "../../src/exchange/sim/journal-format.ts";
import { decodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import { baseOwned, valueGrid } from "../../src/strategy/valuation.ts";
import { workingOrders } from "../../src/strategy/working-orders.ts";
import { QUOTE_AT_START } from "./draw-drill.ts";
import type { DrillEnd } from "./fault-drill.ts";

/** Resolves I1 from the journal: no id accepted twice, never two live orders of one (slot, side), none after its time. */
export function expectOneOrderAtATime(journalFile: string): void {
  const live = new Map<string, string>();
  const sideOf = new Map<string, string>();
  const accepted = new Set<string>();
  for (const record of parseJournal(journalFile, readFileSync(journalFile))?.records ?? []) {
    if (record.kind === "place" && record.outcome.kind === "accepted") {
      const { id, time, validUntil } = record;
      expect(accepted.has(id), `${id} was accepted twice`).toBe(false);
      accepted.add(id);
      expect(time, `${id} was accepted after its time`).toBeLessThanOrEqual(validUntil);
      const name = decodeClientOrderId(id);
      const side = `${name?.slot} ${name?.side}`;
      expect(live.get(side), `${id} was accepted while an order of slot and side ${side} lived`).toBe(
        undefined,
      );
      live.set(side, id);
      sideOf.set(record.outcome.exchangeOrderId, side);
    }
    for (const [exchangeOrderId, status] of record.changes) {
      if (status !== "open") live.delete(sideOf.get(exchangeOrderId) ?? "");
    }
  }
}

/** I1, I2, I3, exact books, nothing unresolved, and a bot that still trades. */
export function expectSoundDrill(end: DrillEnd, journalFile: string): void {
  const { status, storedFills, exchangeFills, exchangeOrders, balances } = end;
  expectOneOrderAtATime(journalFile);
  expect(end.log.filter(({ event }) => event === "bot.failed" || event === "bot.mode")).toEqual([]);
  expect(status.mode).toBe("running");
  expect(end.unresolved).toEqual([]);

  const idOf = new Map(exchangeOrders.map(({ exchangeOrderId, id }) => [exchangeOrderId, id]));
  const listed = exchangeFills.map((fill) => ({ ...fill, id: idOf.get(fill.exchangeOrderId) }));
  const byTrade = (fills: readonly { readonly tradeId: string }[]): unknown[] =>
    [...fills].sort((a, b) => Number(a.tradeId) - Number(b.tradeId));
  expect(byTrade(storedFills)).toEqual(byTrade(listed));
  const open = exchangeOrders.filter((order) => order.status === "open").map(({ id }) => id);
  expect(status.working.map(({ terms }) => terms.id).sort()).toEqual(open.sort());

  const { bot, totals, state } = status;
  const owned = (asset: string) => {
    const balance = balances.find((one) => one.asset === asset);
    return balance ? addMoney(balance.free, balance.locked) : undefined;
  };
  const position = storedFills.reduce(
    (sum, { side, quantity }) => sum + (side === "buy" ? quantity : -quantity),
    0,
  );
  expect(totals.fills).toBe(storedFills.length);
  expect(totals.position).toBe(position);
  expect(owned(bot.instrument.base)).toBe(baseOwned(bot, totals));
  expect(owned(bot.instrument.quote)).toBe(addMoney(parseMoney(QUOTE_AT_START), totals.cashFlow));
  expect(workingOrders(state)).toEqual(status.working);
  expect(valueGrid(state, status.price).identityError).toBe(0n);
}
