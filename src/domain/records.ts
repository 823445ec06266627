/** What a step wants stored, in one transaction, before its commands are sent. */
import type { PriceTicks } from "./amounts.ts";
import type { Fill } from "./fill.ts";
import type { BotMode, SlotHolding, SlotTerms, Totals, Trade } from "./grid.ts";
import type { ClientOrderId, Instant, SlotNumber } from "./ids.ts";
import type { OrderRef, OrderStatus, OrderTerms, Progress } from "./order.ts";

export type StoreRecord =
  | OrderRecord
  | LateProgressRecord
  | AdoptedOrderRecord
  | FillRecord
  | TradeRecord
  | SlotOpenedRecord
  | SlotRecord
  | TotalsRecord
  | ModeRecord
  | InitialDoneRecord
  | EventRecord;

/** The new state of an order whose intent is stored. */
export interface OrderRecord {
  readonly kind: "order";
  readonly id: ClientOrderId;
  readonly status: OrderStatus;
  readonly exchangeOrderId: string | undefined;
  readonly progress: Progress;
  readonly at: Instant;
}

/**
 * What an order that works no more was found to have executed beyond what is stored of it. One that is not stored at all
 * (a restored backup has forgotten it, and the exchange lists it no longer) is stored as closed, as its fill tells of it.
 */
export interface LateProgressRecord {
  readonly kind: "lateProgress";
  readonly order: OrderRef;
  readonly exchangeOrderId: string;
  /** Of the fill. */
  readonly price: PriceTicks;
  readonly at: Instant;
  readonly progress: Progress;
}

/**
 * An order of ours that the exchange has and the database does not know (a restored backup): one that rests, or one that
 * has ended, whose id must never be used again. What it executed comes with its fills.
 */
export interface AdoptedOrderRecord {
  readonly kind: "adoptedOrder";
  readonly terms: OrderTerms;
  readonly status: "open" | "filled" | "canceled" | "rejected";
  readonly exchangeOrderId: string;
}

/** A fill; storing it a second time makes the whole step void. */
export interface FillRecord {
  readonly kind: "fill";
  readonly fill: Fill;
}

export interface TradeRecord {
  readonly kind: "trade";
  readonly trade: Trade;
}

/** A slot that a moving window has reached for the first time. */
export interface SlotOpenedRecord {
  readonly kind: "slotOpened";
  readonly terms: SlotTerms;
}

/** What a slot now holds, and what its next order is for. */
export interface SlotRecord {
  readonly kind: "slot";
  readonly slot: SlotNumber;
  readonly holding: SlotHolding;
}

export interface TotalsRecord {
  readonly kind: "totals";
  readonly totals: Totals;
}

export interface ModeRecord {
  readonly kind: "mode";
  readonly mode: BotMode;
  readonly reason: string;
}

/** The initial purchase is complete; from here on its slots sell. */
export interface InitialDoneRecord {
  readonly kind: "initialDone";
}

/** Something a person may want to read later. */
export interface EventRecord {
  readonly kind: "event";
  readonly at: Instant;
  readonly type: string;
  readonly detail: Readonly<Record<string, string | number>>;
}
