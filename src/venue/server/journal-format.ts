/** The lines of a venue's journal: each command with what became of it. It is the venue's audit, too. */
import type { PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import type { Execution } from "../../domain/fill.ts";
import type { ClientOrderId, Instant, Side } from "../../domain/ids.ts";
import type { OrderType } from "../../domain/order.ts";
import type { RefusalReason, TimeInForce, VenueEvent } from "../matching/commands.ts";
import type { VenueOrderStatus } from "../matching/order-history.ts";

export interface PlaceLine {
  readonly kind: "place";
  readonly time: Instant;
  readonly account: string;
  /** The API key that signed it. */
  readonly key: string;
  readonly symbol: string;
  readonly id: ClientOrderId;
  readonly side: Side;
  readonly type: OrderType;
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
  readonly timeInForce: TimeInForce;
  readonly validUntil: Instant;
}

export interface CancelLine {
  readonly kind: "cancel";
  readonly time: Instant;
  readonly account: string;
  readonly key: string;
  readonly symbol: string;
  /** The exchange's number of the order to cancel. */
  readonly cancels: string;
  /** The client's name for the cancel itself. */
  readonly id: string;
  readonly validUntil: Instant;
}

/** A symbol's price moved: by its source where `points` grew, else by hand. */
export interface MoveLine {
  readonly kind: "move";
  readonly time: Instant;
  readonly symbol: string;
  readonly price: PriceTicks;
  /** How many points of its source were consumed, this one included. */
  readonly points: number;
  /** In a market of unlimited depth: the part of each crossed order that executes, rounded down, at least one lot. */
  readonly share: number;
}

export interface DepositLine {
  readonly kind: "deposit";
  readonly time: Instant;
  readonly account: string;
  readonly asset: string;
  /** Decimal text. */
  readonly amount: string;
}

export type CommandLine = PlaceLine | CancelLine | MoveLine | DepositLine;

export type CommandOutcome = "accepted" | "duplicate" | "canceled" | "not_found" | "done" | RefusalReason;

/** How an order of a customer looked after the command. */
export type OrderChange = readonly [order: string, status: VenueOrderStatus, executed: QuantityLots];

/** One execution of a customer's order. */
export type FillChange = readonly [
  tradeId: string,
  order: string,
  price: PriceTicks,
  quantity: QuantityLots,
  fee: string,
  feeAsset: string,
  liquidity: Execution["liquidity"],
];

export interface CommandEffects {
  readonly outcome: CommandOutcome;
  /** Of an accepted order. */
  readonly order?: string;
  readonly changes: readonly OrderChange[];
  readonly fills: readonly FillChange[];
}

export type JournalLine = CommandLine & CommandEffects;

/** The first line of each segment. */
export interface SegmentHeader {
  readonly quantmesh: "venue-journal";
  readonly format: 1;
  readonly segment: number;
}

export const FORMAT = 1;

export function segmentHeader(segment: number): string {
  return JSON.stringify({ quantmesh: "venue-journal", format: FORMAT, segment } satisfies SegmentHeader);
}

/** What `events` did to the orders of customers: each order once, as it looks last, and every fill. */
export function effectsOf(
  events: readonly VenueEvent[],
  isCustomer: (account: string) => boolean,
): Pick<CommandEffects, "changes" | "fills"> {
  const [first] = events;
  if (first === undefined) return NO_EFFECTS;
  if (events.length === 1 && first.kind === "order") {
    const { exchangeOrderId, status, executed } = first.order;
    return isCustomer(first.account)
      ? { changes: [[exchangeOrderId, status, executed]], fills: [] }
      : NO_EFFECTS;
  }
  const changes = new Map<string, OrderChange>();
  const fills: FillChange[] = [];
  for (const event of events) {
    if (!isCustomer(event.account)) continue;
    if (event.kind === "order") {
      const { exchangeOrderId, status, executed } = event.order;
      changes.set(exchangeOrderId, [exchangeOrderId, status, executed]);
    } else {
      const { tradeId, exchangeOrderId, price, quantity, fee, feeAsset, liquidity } = event.execution;
      fills.push([tradeId, exchangeOrderId, price, quantity, String(fee), feeAsset, liquidity]);
    }
  }
  return { changes: [...changes.values()], fills };
}

const NO_EFFECTS = { changes: [], fills: [] } as const;
