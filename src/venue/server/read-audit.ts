/** The venue's own list of what it was sent, from its journal: the referee of tests; no bot ever reads it. */
import { readFileSync } from "node:fs";
import type { QuantityLots } from "../../domain/amounts.ts";
import { ZERO_LOTS } from "../../domain/amounts.ts";
import type { VenueOrderStatus } from "../matching/order-history.ts";
import type { CommandOutcome, FillChange, JournalLine, OrderChange, PlaceLine } from "./journal-format.ts";
import { segmentFile, segmentNumbers } from "./segment-files.ts";

/** An order that the venue accepted. */
export interface AuditOrder extends PlaceLine {
  readonly exchangeOrderId: string;
  /** How it ended, or that it did not. */
  readonly status: VenueOrderStatus;
  readonly executed: QuantityLots;
}

/** An order that the matcher refused: expired on the way, duplicate, too dear. What the door refused never came here. */
export interface AuditRefusal extends PlaceLine {
  readonly outcome: CommandOutcome;
}

/** One execution of a customer's order. */
export interface AuditFill {
  readonly tradeId: string;
  readonly exchangeOrderId: string;
  readonly price: number;
  readonly quantity: number;
  /** In units of 1e-18 of `feeAsset`. */
  readonly fee: bigint;
  readonly feeAsset: string;
  readonly liquidity: "maker" | "taker";
}

export interface Audit {
  /** In the order of acceptance. */
  readonly orders: readonly AuditOrder[];
  readonly refusals: readonly AuditRefusal[];
  readonly fills: readonly AuditFill[];
}

/** Reads the journal in `folder`; the venue may be running, and what it has not answered yet may be missing. */
export function readVenueAudit(folder: string): Audit {
  const lines = segmentNumbers(folder, "journal").flatMap((segment) =>
    linesOf(segmentFile(folder, "journal", segment)),
  );
  const last = new Map<string, OrderChange>();
  for (const { changes } of lines) for (const change of changes) last.set(change[0], change);
  const places = lines.filter((line) => line.kind === "place");
  return {
    orders: places.flatMap(({ outcome, order, changes: _, fills: __, ...terms }) => {
      if (outcome !== "accepted" || order === undefined) return [];
      const [, status, executed] = last.get(order) ?? [order, "open", ZERO_LOTS];
      return [{ ...terms, exchangeOrderId: order, status, executed }];
    }),
    refusals: places.flatMap(({ changes: _, fills: __, ...line }) =>
      line.outcome === "accepted" ? [] : [line],
    ),
    fills: lines.flatMap(({ fills }) => fills.map(fillOf)),
  };
}

/** The whole lines of one segment, without its header. */
function linesOf(file: string): readonly JournalLine[] {
  const texts = readFileSync(file, "utf8").split("\n").slice(1, -1);
  return texts.map((text) => JSON.parse(text) as JournalLine);
}

function fillOf([tradeId, order, price, quantity, fee, feeAsset, liquidity]: FillChange): AuditFill {
  return { tradeId, exchangeOrderId: order, price, quantity, fee: BigInt(fee), feeAsset, liquidity };
}
