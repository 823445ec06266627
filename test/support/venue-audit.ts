/** The venue's own journal as the referee of tests: every order that it accepted, and every fill. The bot never reads it. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { decodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import type { JournalLine, PlaceLine } from "../../src/venue/server/journal-format.ts";

export interface AuditedOrder extends PlaceLine {
  readonly order: string;
  readonly status: string;
  readonly executed: number;
}

export interface AuditedFill {
  readonly tradeId: string;
  readonly order: string;
  readonly price: number;
  readonly quantity: number;
}

export interface Audit {
  readonly orders: readonly AuditedOrder[];
  readonly fills: readonly AuditedFill[];
}

/** What the venue did for `account`, checked on the way: I1 and I5 hold at every line of its journal. */
export function readCheckedAudit(folder: string, account: string): Audit {
  const orders = new Map<string, AuditedOrder>();
  const fills: AuditedFill[] = [];
  const accepted = new Set<string>();
  const live = new Map<string, string>();
  for (const line of readJournal(folder)) {
    if (line.kind === "place" && line.account === account && line.outcome === "accepted" && line.order) {
      const { id, time, validUntil, order } = line;
      expect(accepted.has(id), `${id} was accepted twice`).toBe(false);
      accepted.add(id);
      expect(time, `${id} was accepted after its time`).toBeLessThanOrEqual(validUntil);
      const side = sideOf(id);
      expect(live.get(side), `${id} was accepted while another order of ${side} lived`).toBeUndefined();
      live.set(side, id);
      orders.set(order, { ...line, order, status: "open", executed: 0 });
    }
    for (const [order, status, executed] of line.changes) {
      const known = orders.get(order);
      if (!known) continue;
      orders.set(order, { ...known, status, executed });
      if (status !== "open") live.delete(sideOf(known.id));
    }
    for (const [tradeId, order, price, quantity] of line.fills) {
      if (orders.has(order)) fills.push({ tradeId, order, price, quantity });
    }
  }
  return { orders: [...orders.values()], fills };
}

/** Every moment at which a second order of `account` came to live on one price, as text; nobody looked at its id. */
export function doubledInAudit(folder: string, account: string): readonly string[] {
  const levels = new Map<string, string>();
  const live = new Map<string, Set<string>>();
  const doubled: string[] = [];
  for (const line of readJournal(folder)) {
    if (line.kind === "place" && line.account === account && line.outcome === "accepted" && line.order) {
      const level = `${line.symbol} ${line.side} ${line.price}`;
      const orders = live.get(level) ?? new Set();
      live.set(level, orders.add(line.order));
      levels.set(line.order, level);
      if (orders.size > 1) doubled.push(`${level}: ${[...orders].join(", ")}`);
    }
    for (const [order, status] of line.changes) {
      if (status !== "open") live.get(levels.get(order) ?? "")?.delete(order);
    }
  }
  return doubled;
}

/** Every command of the journal, in order; the venue may be running. */
export function readJournal(folder: string): readonly JournalLine[] {
  const files = readdirSync(folder).filter((name) => name.startsWith("journal-"));
  return files.sort().flatMap((name) => {
    const lines = readFileSync(join(folder, name), "utf8").split("\n");
    // What follows the last line end was never answered.
    return lines.slice(1, -1).map((line) => JSON.parse(line) as JournalLine);
  });
}

function sideOf(id: string): string {
  const name = decodeClientOrderId(id);
  return `${name?.bot} slot ${name?.slot} ${name?.side}`;
}
