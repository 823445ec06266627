/** Every order and fill of one account in one market, and the ways to find them again. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import type { Execution } from "../../domain/fill.ts";
import type { ClientOrderId, Instant, Side } from "../../domain/ids.ts";
import type { OrderType } from "../../domain/order.ts";
import type { Slot } from "./book.ts";
import type { Trader } from "./market.ts";

export type VenueOrderStatus = "open" | "filled" | "canceled" | "expired";

/** An order as the venue shows it. `expired`: a rest that could neither trade nor stay, or gave way to its owner. */
export interface OrderView {
  readonly id: ClientOrderId | undefined;
  readonly exchangeOrderId: string;
  readonly side: Side;
  readonly type: OrderType;
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
  readonly executed: QuantityLots;
  /** Gross quote value of what was executed. */
  readonly quote: Money;
  readonly status: VenueOrderStatus;
  readonly createdAt: Instant;
}

/** An order inside the venue, which alone changes it. */
export interface VenueOrder extends OrderView {
  readonly trader: Trader;
  executed: QuantityLots;
  quote: Money;
  status: VenueOrderStatus;
  /** What is locked for each lot that has not executed: quote of a buy, base of a sell. */
  readonly lockPerLot: Money;
  /** Its place in the book while it rests there, else NO_SLOT. */
  slot: Slot;
}

/**
 * Orders in the order of their acceptance, fills in the order of their trade ids. The past is kept for ever, because
 * an exchange answers for it: about 260 bytes for each closed order and 200 for each fill (`VenueOptions.forgotten`
 * names the accounts that keep nothing but what is open).
 */
export class OrderHistory {
  readonly #keepsPast: boolean;
  readonly #orders: VenueOrder[] = [];
  readonly #newestByClientId = new Map<ClientOrderId, VenueOrder>();
  readonly #open = new Map<string, VenueOrder>();
  readonly #fills: Execution[] = [];

  constructor(keepsPast: boolean) {
    this.#keepsPast = keepsPast;
  }

  /** How many orders are open. */
  get open(): number {
    return this.#open.size;
  }

  add(order: VenueOrder): void {
    if (this.#keepsPast) this.#orders.push(order);
    if (order.id !== undefined) this.#newestByClientId.set(order.id, order);
    this.#open.set(order.exchangeOrderId, order);
  }

  close(order: VenueOrder): void {
    this.#open.delete(order.exchangeOrderId);
    if (this.#keepsPast || order.id === undefined) return;
    if (this.byClientId(order.id) === order) this.#newestByClientId.delete(order.id);
  }

  addFill(execution: Execution): void {
    if (this.#keepsPast) this.#fills.push(execution);
  }

  /** The newest order with this client id. */
  byClientId(id: ClientOrderId): VenueOrder | undefined {
    return this.#newestByClientId.get(id);
  }

  byExchangeId(exchangeOrderId: string): VenueOrder | undefined {
    const open = this.#open.get(exchangeOrderId);
    if (open) return open;
    // Exchange ids are ascending numbers as text.
    const number = Number(exchangeOrderId);
    const order = this.#orders[firstIndex(this.#orders, (each) => Number(each.exchangeOrderId) >= number)];
    return order?.exchangeOrderId === exchangeOrderId ? order : undefined;
  }

  openOrders(): readonly VenueOrder[] {
    return [...this.#open.values()];
  }

  /** All that is kept: orders in the order of their acceptance where the past is kept, fills in that of their ids. */
  entries(): { readonly orders: Iterable<VenueOrder>; readonly fills: readonly Execution[] } {
    return { orders: this.#keepsPast ? this.#orders : this.#open.values(), fills: this.#fills };
  }

  /** Orders created at or after `since`; time never runs backwards, so they are the last ones. */
  ordersSince(since: Instant): readonly VenueOrder[] {
    return this.#orders.slice(firstIndex(this.#orders, (order) => order.createdAt >= since));
  }

  /** Fills with a trade id above `tradeId`. */
  fillsAfter(tradeId: number): readonly Execution[] {
    return this.#fills.slice(firstIndex(this.#fills, (fill) => Number(fill.tradeId) > tradeId));
  }
}

/** Copies what the venue shows of an order, so that nobody sees it change. */
export function viewOf(order: VenueOrder): OrderView {
  return {
    id: order.id,
    exchangeOrderId: order.exchangeOrderId,
    side: order.side,
    type: order.type,
    price: order.price,
    quantity: order.quantity,
    executed: order.executed,
    quote: order.quote,
    status: order.status,
    createdAt: order.createdAt,
  };
}

/** The first index at which `holds` is true, where it stays true from there on. */
function firstIndex<Item>(items: readonly Item[], holds: (item: Item) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item !== undefined && !holds(item)) low = middle + 1;
    else high = middle;
  }
  return low;
}
