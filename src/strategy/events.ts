/** What the core is told and what it asks for: events in; state, records and commands out. */
import type { Money, PriceTicks } from "../domain/amounts.ts";
import type { ExchangeOrder } from "../domain/exchange-order.ts";
import type { Execution } from "../domain/fill.ts";
import type { Instant } from "../domain/ids.ts";
import type { OrderRef, OrderTerms } from "../domain/order.ts";
import type { StoreRecord } from "../domain/records.ts";
import type { GridState } from "./state.ts";

export type GridEvent =
  | { readonly kind: "tick"; readonly at: Instant; readonly price: PriceTicks }
  | OrderAccepted
  | OrderRejected
  /** Given up before its intent was stored: nothing left, nothing is stored of it. */
  | { readonly kind: "orderNotSent"; readonly at: Instant; readonly order: OrderRef; readonly reason: string }
  | { readonly kind: "outcomeUnknown"; readonly at: Instant; readonly order: OrderRef }
  /** Proven: the exchange has never seen the order and never will. */
  | { readonly kind: "orderNotFound"; readonly at: Instant; readonly order: OrderRef }
  | FillEvent
  | OrderClosed
  | SnapshotEvent
  | { readonly kind: "timer"; readonly at: Instant }
  | {
      readonly kind: "control";
      readonly at: Instant;
      readonly action: ControlAction;
      readonly reason: string;
    };

export interface OrderAccepted {
  readonly kind: "orderAccepted";
  readonly at: Instant;
  readonly order: OrderRef;
  readonly exchangeOrderId: string;
}

/** Proven refusal of a stored intent: by the exchange, or because the request was never sent. */
export interface OrderRejected {
  readonly kind: "orderRejected";
  readonly at: Instant;
  readonly order: OrderRef;
  readonly reason: string;
}

export interface FillEvent {
  readonly kind: "fill";
  readonly at: Instant;
  readonly order: OrderRef;
  readonly execution: Execution;
}

/** The exchange says that the order is closed, and what it executed in all; its fills may still be on their way. */
export interface OrderClosed {
  readonly kind: "orderCanceled";
  readonly at: Instant;
  readonly order: OrderRef;
  readonly exchangeOrderId: string;
  readonly executed: number;
}

/** The exchange's own lists, read in this order: open orders, lookups of those missing, fills. */
export interface SnapshotEvent {
  readonly kind: "snapshot";
  readonly at: Instant;
  readonly price: PriceTicks;
  /** Open orders of the account and symbol, and closed ones that were looked up by id. */
  readonly orders: readonly ExchangeOrder[];
  /** Fills of this bot that are not stored yet, oldest first. */
  readonly fills: readonly { readonly order: OrderRef; readonly execution: Execution }[];
  /** Every order of this bot that the exchange was seen to know: their generations are never used again. */
  readonly seen: readonly OrderRef[];
  /** What the account owns of the base asset, locked or free; undefined where other bots share it. */
  readonly baseOwned: Money | undefined;
  /** The bot as it was when the first list was asked for: what has ended since may be shown as open. */
  readonly before: GridState;
}

/**
 * pause: exits go on, nothing is bought · drain and stop: nothing new, what rests stays (not durable) · cancel: so, and
 * what rests is cancelled (not durable) · halt: nothing new until resumed · close: cancel everything, sell all that is
 * held, end · kill: cancel everything, keep what is held, end · hold: no intent can be stored, so nothing is placed any
 * more in this state; cancels go on (not durable).
 */
export type ControlAction =
  | "pause"
  | "resume"
  | "drain"
  | "stop"
  | "cancel"
  | "halt"
  | "close"
  | "kill"
  | "hold";

export type Command =
  | { readonly kind: "placeOrder"; readonly terms: OrderTerms }
  | { readonly kind: "cancelOrder"; readonly order: OrderRef; readonly exchangeOrderId: string }
  /** Look the order up until its fate is known. */
  | { readonly kind: "queryOrder"; readonly order: OrderRef };

export interface Step {
  readonly state: GridState;
  /** Stored in one transaction before any command is sent. */
  readonly records: readonly StoreRecord[];
  readonly commands: readonly Command[];
}
