/** An order's life: the terms it was sent with, what it executed, and the table of its states. */
import type { Money, PriceTicks, QuantityLots } from "./amounts.ts";
import type { ClientOrderId, Generation, Instant, Side, SlotNumber } from "./ids.ts";

export type OrderType = "limit" | "limit_maker" | "market";

/** Names one order: the id and what it stands for. */
export interface OrderRef {
  readonly id: ClientOrderId;
  readonly slot: SlotNumber;
  readonly side: Side;
  readonly generation: Generation;
}

/** What is fixed before an order leaves. */
export interface OrderTerms extends OrderRef {
  readonly type: OrderType;
  /** The limit; of a market order the price it was decided at. */
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
  readonly createdAt: Instant;
}

/** What an order has executed so far: the sum of its stored fills. */
export interface Progress {
  readonly executed: QuantityLots;
  /** Gross quote value of what was executed. */
  readonly quote: Money;
  /** Fees of it, in quote. */
  readonly fee: Money;
  /** Fees of it that were taken in base. */
  readonly baseFee: Money;
  /** Exchange trade ids counted into this. */
  readonly tradeIds: readonly string[];
}

/** An order that may still execute; a terminal order leaves its slot and is remembered by generation only. */
export type WorkingOrder =
  | { readonly kind: "pending"; readonly terms: OrderTerms; readonly progress: Progress }
  | { readonly kind: "unknown"; readonly terms: OrderTerms; readonly progress: Progress }
  | AcknowledgedOrder
  | CancelingOrder;

/** An order that the exchange said it has. */
export interface AcknowledgedOrder {
  readonly kind: "open";
  readonly terms: OrderTerms;
  readonly progress: Progress;
  readonly exchangeOrderId: string;
}

/** An acknowledged order whose cancel was asked for. */
export interface CancelingOrder {
  readonly kind: "canceling";
  readonly terms: OrderTerms;
  readonly progress: Progress;
  readonly exchangeOrderId: string;
}

export type WorkingStatus = WorkingOrder["kind"];
export type TerminalStatus = "filled" | "canceled" | "rejected" | "absent";
export type OrderStatus = WorkingStatus | TerminalStatus;

export type OrderSignal =
  | "accepted"
  | "rejected"
  | "outcomeUnknown"
  | "partFill"
  | "filled"
  | "cancelAsked"
  | "closed"
  | "provenAbsent";

/** `halt`: this cannot be; the bot stops and reconciles. Fills are counted before the cell is looked up. */
export type Transition = OrderStatus | "halt";

/** The table of ARCHITECTURE §4: state × what happened → next state. */
export const ORDER_TRANSITIONS: Readonly<Record<OrderStatus, Readonly<Record<OrderSignal, Transition>>>> = {
  pending: {
    accepted: "open",
    rejected: "rejected",
    outcomeUnknown: "unknown",
    partFill: "open",
    filled: "filled",
    cancelAsked: "pending",
    closed: "canceled",
    provenAbsent: "absent",
  },
  unknown: {
    accepted: "open",
    rejected: "rejected",
    outcomeUnknown: "unknown",
    partFill: "open",
    filled: "filled",
    cancelAsked: "unknown",
    closed: "canceled",
    provenAbsent: "absent",
  },
  open: {
    accepted: "open",
    rejected: "halt",
    outcomeUnknown: "open",
    partFill: "open",
    filled: "filled",
    cancelAsked: "canceling",
    closed: "canceled",
    provenAbsent: "halt",
  },
  canceling: {
    accepted: "canceling",
    rejected: "halt",
    outcomeUnknown: "canceling",
    partFill: "canceling",
    filled: "filled",
    cancelAsked: "canceling",
    closed: "canceled",
    provenAbsent: "halt",
  },
  filled: {
    accepted: "filled",
    rejected: "halt",
    outcomeUnknown: "filled",
    partFill: "filled",
    filled: "filled",
    cancelAsked: "filled",
    closed: "filled",
    provenAbsent: "halt",
  },
  canceled: {
    accepted: "canceled",
    rejected: "halt",
    outcomeUnknown: "canceled",
    partFill: "canceled",
    filled: "filled",
    cancelAsked: "canceled",
    closed: "canceled",
    provenAbsent: "canceled",
  },
  rejected: {
    accepted: "halt",
    rejected: "rejected",
    outcomeUnknown: "rejected",
    partFill: "halt",
    filled: "halt",
    cancelAsked: "rejected",
    closed: "halt",
    provenAbsent: "rejected",
  },
  absent: {
    accepted: "halt",
    rejected: "absent",
    outcomeUnknown: "absent",
    partFill: "halt",
    filled: "halt",
    cancelAsked: "absent",
    closed: "halt",
    provenAbsent: "absent",
  },
};

export function isTerminal(status: OrderStatus): status is TerminalStatus {
  return status === "filled" || status === "canceled" || status === "rejected" || status === "absent";
}
