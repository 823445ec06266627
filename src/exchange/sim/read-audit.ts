/** The simulated exchange's own list of the orders that it was sent, for tests; the bot never reads it. */
import { readFileSync } from "node:fs";
import type { QuantityLots } from "../../domain/amounts.ts";
import { ZERO_LOTS } from "../../domain/amounts.ts";
import type { Instant } from "../../domain/ids.ts";
import type { VenueOrderStatus } from "../../venue/matching/order-history.ts";
import type { RejectReason } from "../exchange.ts";
import type { JournalRecord, OrderChange, PlaceRecord } from "./journal-format.ts";
import { parseJournal } from "./journal-format.ts";

type Request = Pick<PlaceRecord, "id" | "symbol" | "side" | "type" | "price" | "quantity" | "validUntil">;

export interface AuditEntry extends Request {
  readonly account: string;
  readonly exchangeOrderId: string;
  /** When it was accepted, in exchange time. */
  readonly time: Instant;
  /** How it ended, or that it did not. */
  readonly status: VenueOrderStatus;
  readonly executed: QuantityLots;
}

export interface RefusalEntry extends Request {
  readonly account: string;
  /** When it was refused, in exchange time. */
  readonly time: Instant;
  readonly reason: RejectReason | "duplicate";
}

/** Every accepted order in the journal `file`, in the order of acceptance; the market may be running. */
export function readAudit(file: string): readonly AuditEntry[] {
  const { account, records } = read(file);
  const last = new Map<string, OrderChange>();
  for (const { changes } of records) for (const change of changes) last.set(change[0], change);
  return records.flatMap((record) => {
    if (record.kind !== "place" || record.outcome.kind !== "accepted") return [];
    const { exchangeOrderId } = record.outcome;
    const [, status, executed] = last.get(exchangeOrderId) ?? [exchangeOrderId, "open", ZERO_LOTS];
    return { ...requestOf(record), account, exchangeOrderId, time: record.time, status, executed };
  });
}

/** Every refused order in the journal `file`, in the order of arrival: expired, duplicate or invalid. */
export function readRefusals(file: string): readonly RefusalEntry[] {
  const { account, records } = read(file);
  return records.flatMap((record) => {
    if (record.kind !== "place" || record.outcome.kind === "accepted") return [];
    const { outcome, time } = record;
    const reason = outcome.kind === "rejected" ? outcome.reason : "duplicate";
    return { ...requestOf(record), account, time, reason };
  });
}

function read(file: string): { readonly account: string; readonly records: readonly JournalRecord[] } {
  return parseJournal(file, readFileSync(file)) ?? { account: "", records: [] };
}

function requestOf({ id, symbol, side, type, price, quantity, validUntil }: PlaceRecord): Request {
  return { id, symbol, side, type, price, quantity, validUntil };
}
