/** The exchange port: one account on one exchange. Its lists are the truth, its streams are hints. */
import type { Money, PriceTicks, QuantityLots } from "../domain/amounts.ts";
import type { Execution } from "../domain/fill.ts";
import type { ExchangeOrder } from "../domain/exchange-order.ts";
import type { ClientOrderId, Instant } from "../domain/ids.ts";
import type { Instrument } from "../domain/instrument.ts";
import type { OrderTerms } from "../domain/order.ts";

export type { ExchangeOrder } from "../domain/exchange-order.ts";

/** Everything that an order request needs; the request dies at the exchange at `validUntil`. */
export interface OrderRequest {
  readonly symbol: string;
  readonly terms: OrderTerms;
  /** In exchange time; the request is signed for exactly `validUntil − requestWindowMs`. */
  readonly validUntil: Instant;
}

export interface CancelRequest {
  readonly symbol: string;
  readonly id: ClientOrderId;
  readonly exchangeOrderId: string;
  readonly validUntil: Instant;
}

/** Why an exchange refused for certain: nothing was or will be done. */
export type RejectReason =
  | "insufficient_funds"
  | "would_cross"
  | "invalid_order"
  | "expired"
  | "rate_limited"
  | "not_authorized"
  | "other";

/** What is known after a request to place; `unknown` is neither yes nor no. */
export type PlaceOutcome =
  | { readonly kind: "accepted"; readonly exchangeOrderId: string }
  | { readonly kind: "rejected"; readonly reason: RejectReason; readonly message: string }
  | { readonly kind: "duplicate" }
  | { readonly kind: "unknown"; readonly message: string };

/** What is known after a request to cancel. */
export type CancelOutcome =
  | { readonly kind: "canceled"; readonly executed: QuantityLots }
  | { readonly kind: "not_found" }
  | { readonly kind: "unknown"; readonly message: string };

/** Whether an order has a place within the limits. */
export type Admission = { readonly kind: "admitted" } | { readonly kind: "refused"; readonly reason: string };

export interface FillPage {
  /** Ascending by trade id; may repeat fills of an earlier page. */
  readonly fills: readonly Execution[];
  /** Hand it in next time; opaque; already overlaps. */
  readonly cursor: string;
}

export interface Balance {
  readonly asset: string;
  readonly free: Money;
  readonly locked: Money;
}

/** A hint from a stream: may be late, repeated, reordered or missing. */
export type MarketHint =
  | { readonly kind: "tick"; readonly price: PriceTicks; readonly at: Instant }
  | { readonly kind: "fill"; readonly execution: Execution; readonly id: ClientOrderId | undefined }
  | { readonly kind: "order"; readonly order: ExchangeOrder }
  /** The stream was interrupted: read the lists. */
  | { readonly kind: "gap" };

/**
 * One account on one exchange.
 * Reads throw EXCHANGE_UNAVAILABLE, RATE_LIMITED or EXCHANGE_AUTH and may be repeated. `placeOrder` and
 * `cancelOrder` never throw for an answer of the exchange or for its absence: that is an outcome. Neither may be
 * repeated by an implementation on its own. All waits end when `signal` is aborted.
 */
export interface Exchange {
  readonly name: string;
  readonly account: string;
  /** How long a signed request stays alive, ms. */
  readonly requestWindowMs: number;
  /** How late the exchange's own queries may be, ms. */
  readonly settleMs: number;
  /** The exchange's clock, read from the exchange. */
  time(): Promise<Instant>;
  instrument(symbol: string): Promise<Instrument>;
  price(symbol: string): Promise<{ readonly price: PriceTicks; readonly at: Instant }>;
  /** How many orders of the account may rest in the symbol; undefined where the exchange does not tell. */
  mostOpenOrders?(symbol: string): number | undefined;
  /**
   * Takes the order's place in the request limits, before its intent is stored: nothing waits after that. May wait
   * for a few seconds, exits before entries. An exchange without limits has no such method.
   */
  admit?(symbol: string, terms: OrderTerms, signal: AbortSignal): Promise<Admission>;
  placeOrder(request: OrderRequest): Promise<PlaceOutcome>;
  cancelOrder(request: CancelRequest): Promise<CancelOutcome>;
  /** The order with this client id, open or closed; undefined where the exchange shows none (yet). */
  findOrder(symbol: string, id: ClientOrderId): Promise<ExchangeOrder | undefined>;
  openOrders(symbol: string): Promise<readonly ExchangeOrder[]>;
  /** Orders created at or after `since`, open and closed. */
  ordersSince(symbol: string, since: Instant): Promise<readonly ExchangeOrder[]>;
  /** Fills after `cursor`, or all that the exchange keeps. */
  fillsSince(symbol: string, cursor: string | undefined): Promise<FillPage>;
  balances(): Promise<readonly Balance[]>;
  /** Hints for one symbol, in the order of arrival, never inside this call; the returned function ends them. */
  subscribe(symbol: string, listen: (hint: MarketHint) => void): () => void;
  ping(): Promise<void>;
  close(): Promise<void>;
}
