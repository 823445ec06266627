/** What must hold after everything that was done to a fleet, by the venue's own journal and the database. */
import { expect } from "vitest";
import type { JournalLine, PlaceLine } from "../../src/venue/server/journal-format.ts";
import { decodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import type { FleetLab } from "./fleet-lab.ts";
import { readJournal } from "./read-journal.ts";

export interface Verdict {
  readonly accepted: number;
  readonly expired: number;
  readonly fills: number;
}

/**
 * I1: one accepted order per id and generation, never two live orders of one (bot, slot, side). I2: every fill of the
 * venue is stored once. Call it when no instance runs any more and what was unresolved is resolved.
 */
export async function judgeFleet(lab: FleetLab): Promise<Verdict> {
  const journal = readJournal(lab.venue.journal);
  const accepted = new Set<string>();
  const live = new Map<string, string>();
  const placeOf = new Map<string, string>();
  const problems: string[] = [];
  let expired = 0;
  for (const line of journal) {
    if (line.kind === "place") {
      if (line.outcome === "expired") expired += 1;
      if (line.outcome === "accepted") notePlaced(line);
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
  return { accepted: accepted.size, expired, fills: wanted.length };

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
