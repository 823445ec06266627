/** What a venue is asked and told: commands, their results, events and options. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import type { Execution } from "../../domain/fill.ts";
import type { ClientOrderId, Instant, Side } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import type { OrderType } from "../../domain/order.ts";
import type { Filters } from "./filters.ts";
import type { OrderView } from "./order-history.ts";

/** When a client order id is refused as a duplicate; ids are compared per account and symbol. */
export type ClientIdRule = "unique for ever" | "among open" | "none";

/** Whether the market price fills a resting order by reaching its limit or only by passing it. */
export type FillRule = "touch" | "through";

/**
 * How long a limit order waits for what it does not get at once. `GTC`: it rests until it is cancelled. `IOC`: its
 * rest expires. `FOK`: all of it at once, or it expires as a whole.
 */
export type TimeInForce = "GTC" | "IOC" | "FOK";

/** Who gives way where an order meets a resting one of its own account: neither, or whose rest expires. */
export type SelfTradeMode = "none" | "expire_taker" | "expire_maker" | "expire_both";

export interface PlaceCommand {
  readonly account: string;
  readonly symbol: string;
  readonly id: ClientOrderId | undefined;
  readonly side: Side;
  readonly type: OrderType;
  /** The limit; a market order takes at any price. */
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
  /** `GTC` unless given; for limit orders only. */
  readonly timeInForce?: TimeInForce;
  /** Refused as `expired` when the venue's time is past it. */
  readonly validUntil: Instant;
}

export interface CancelCommand {
  readonly account: string;
  readonly symbol: string;
  readonly exchangeOrderId: string;
  readonly validUntil: Instant;
}

export type RefusalReason = "insufficient_funds" | "would_cross" | "invalid_order" | "expired";

export type PlaceResult =
  | { readonly kind: "accepted"; readonly exchangeOrderId: string }
  | { readonly kind: "rejected"; readonly reason: RefusalReason; readonly message: string }
  | { readonly kind: "duplicate" };

export type CancelResult =
  | { readonly kind: "canceled"; readonly executed: QuantityLots }
  | { readonly kind: "not_found" }
  | { readonly kind: "expired" };

/** How many lots of a resting order execute now that the price has crossed it: at least 1, at most what is left. */
export type Portion = (order: OrderView) => QuantityLots;

/** Something happened to an order of `account`; a fill comes before the order's new state. */
export type VenueEvent =
  | { readonly kind: "order"; readonly account: string; readonly symbol: string; readonly order: OrderView }
  | {
      readonly kind: "fill";
      readonly account: string;
      readonly symbol: string;
      readonly id: ClientOrderId | undefined;
      readonly execution: Execution;
    };

export type FeeAsset = "quote" | "base";

export interface VenueOptions {
  readonly instruments: readonly Instrument[];
  /** `among open` unless given. */
  readonly clientIdRule?: ClientIdRule;
  /** `expire_maker` unless given: the newer order says what its owner wants now. */
  readonly selfTrade?: SelfTradeMode;
  /** `quote` unless given. `base`: a buy's fee is taken out of what it buys, as real spot exchanges do. */
  readonly feeAsset?: FeeAsset;
  /** Fees are whole multiples of it, rounded up; the finest there is unless given. */
  readonly feeStep?: Money;
  /** By symbol: what an order must keep besides the instrument's own minimums. */
  readonly filters?: ReadonlyMap<string, Filters>;
  /** `unlimited` unless given: whether the market itself trades with whom its price crosses, or only accounts do. */
  readonly depth?: "unlimited" | "book";
  /** Accounts whose closed orders and fills are forgotten: simulated users, whose past nobody asks for. */
  readonly forgotten?: ReadonlySet<string>;
  /** Called for each event, in order, inside the command that caused it; must not call the venue. */
  readonly listen?: (event: VenueEvent) => void;
}
