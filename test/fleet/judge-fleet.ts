/** What must hold after everything that was done to a fleet, by the venue's own journal and the database. */
import { expect } from "vitest";
import type { JournalLine, PlaceLine } from "../../src/venue/server/journal-format.ts";
import { decodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import type { FleetLab } from "./fleet-lab.ts";
import { REQUEST_WINDOW_MS } from "./fleet-lab.ts";
import { readJournal } from "../support/venue-audit.ts";

export interface Verdict {
  readonly accepted: number;
  readonly expired: number;
  readonly fills: number;
  /** Accepted under an older epoch than an order before them: their intent is older than the newer claim. */
  readonly late: number;
}

/**
 * I1: one accepted order per id and generation, never two live orders of one (bot, slot, side). I2: every fill of the
 * venue is stored once. I4: no order is accepted under an older epoch later than a request window after the first of a
 * newer one. Call it when no instance runs any more and what was unresolved is resolved.
 */
export async function judgeFleet(lab: FleetLab): Promise<Verdict> {
  const journal = readJournal(lab.venue.journal);
  const accepted = new Set<string>();
  const live = new Map<string, string>();
  const placeOf = new Map<string, string>();
  const problems: string[] = [];
  const orders = await lab.query<{ id: string; epoch: string }>(
    "select client_order_id as id, epoch from orders",
  );
  const epochs = new Map(orders.map(({ id, epoch }) => [id, Number(epoch)]));
  /** By symbol: the newest epoch under which an order was accepted, and when the first was. */
  const newest = new Map<string, { readonly epoch: number; readonly time: number }>();
  let expired = 0;
  let late = 0;
  for (const line of journal) {
    if (line.kind === "place") {
      if (line.outcome === "expired") expired += 1;
      if (line.outcome === "accepted") {
        notePlaced(line);
        noteEpoch(line);
      }
    }
    for (const [order, status] of line.changes) {
      const place = placeOf.get(`${lineSymbol(line)} ${order}`);
      if (place !== undefined && status !== "open") live.delete(place);
    }
  }
  expect(problems).toEqual([]);

  const wanted = journal.flatMap((line) =>
    line.fills.map(([trade, order]) => `${lineSymbol(line)} ${trade} ${order}`),
  );
  const stored = await lab.query<{ fill: string }>(
    `select b.symbol || ' ' || f.trade_id || ' ' || o.exchange_order_id as fill
     from fills f join bots b on b.code = f.bot_code join orders o on o.client_order_id = f.client_order_id`,
  );
  expect(stored.map(({ fill }) => fill).sort()).toEqual(wanted.sort());
  return { accepted: accepted.size, expired, fills: wanted.length, late };

  function noteEpoch({ id, symbol, time }: PlaceLine): void {
    const epoch = epochs.get(id);
    if (epoch === undefined) return void problems.push(`${id} was accepted and is in no book`);
    const known = newest.get(symbol);
    if (known === undefined || epoch > known.epoch) newest.set(symbol, { epoch, time });
    if (known === undefined || epoch >= known.epoch) return;
    late += 1;
    if (time > known.time + REQUEST_WINDOW_MS)
      problems.push(`${id} of epoch ${epoch} was accepted ${time - known.time} ms into epoch ${known.epoch}`);
  }

  function notePlaced(line: PlaceLine & JournalLine): void {
    if (accepted.has(line.id)) problems.push(`${line.id} was accepted twice`);
    accepted.add(line.id);
    const name = decodeClientOrderId(line.id);
    if (!name) return void problems.push(`${line.id} is nobody's id`);
    const place = `${name.bot} ${name.slot} ${name.side}`;
    const other = live.get(place);
    if (other !== undefined) problems.push(`${line.id} was accepted while ${other} rested on ${place}`);
    const status = line.changes.find(([order]) => order === line.order)?.[1];
    if (status === undefined || status === "open") live.set(place, line.id);
    placeOf.set(`${line.symbol} ${line.order ?? ""}`, place);
  }
}

function lineSymbol(line: JournalLine): string {
  return "symbol" in line ? line.symbol : "";
}
