/** What every order passes before it is sent: our own limits, and a place in those of the exchange. */
import type { Money } from "../../domain/amounts.ts";
import type { Clock } from "../../domain/clock.ts";
import type { ClientOrderId } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import { isOrderable, notional } from "../../domain/instrument.ts";
import type { OrderTerms } from "../../domain/order.ts";
import type { Admission, RejectReason } from "../exchange.ts";
import type { OpenOrders } from "../limits/open-orders.ts";
import type { RequestBudget } from "../limits/request-budget.ts";
import type { Urgency } from "../limits/urgency.ts";

/** The most that is sent, whatever a strategy asks for. */
export interface TradingLimits {
  /** Of one order, in quote. */
  readonly maxOrderValue: Money | undefined;
  /** Of the account, in all symbols of this instance. */
  readonly maxOpenOrders: number | undefined;
}

export interface OrderGateParts {
  readonly limits: TradingLimits;
  readonly budget: RequestBudget;
  readonly openOrders: OpenOrders;
  readonly clock: Clock;
}

/** Why an order is not sent. */
export interface GateRefusal {
  readonly reason: RejectReason;
  readonly message: string;
}

/** An order that waited longer was decided at another price. */
const ENTRY_WAIT_MS = 1_000;
const EXIT_WAIT_MS = 5_000;
/** An order that is not sent so long after its admission never will be. */
const ADMISSION_MS = 10_000;
const ORDER_COST = { weight: 1, orders: 1 };

export class OrderGate {
  readonly #parts: OrderGateParts;
  /** Orders that have their place in the limits already; until when they may be sent, and for how long it is good (monotonic). */
  readonly #admitted = new Map<ClientOrderId, { readonly until: number; readonly placeUntil: number }>();

  constructor(parts: OrderGateParts) {
    this.#parts = parts;
  }

  /** Waits for a place, which is the order's until it passes; see `Exchange.admit`. */
  async admit(instrument: Instrument, terms: OrderTerms, signal: AbortSignal): Promise<Admission> {
    const refusal = this.#refusalOf(instrument, terms);
    if (refusal !== undefined) return { kind: "refused", reason: refusal };
    const urgency = urgencyOf(terms);
    const waitMs = urgency === "exit" ? EXIT_WAIT_MS : ENTRY_WAIT_MS;
    const { budget, clock } = this.#parts;
    const hasRoom = await budget.take(ORDER_COST, urgency, waitMs, signal);
    if (!hasRoom) return { kind: "refused", reason: "rate_budget" };
    // Others may have been admitted while this one waited.
    const late = this.#refusalOf(instrument, terms);
    if (late !== undefined) return { kind: "refused", reason: late };
    const now = clock.monotonic();
    const placeUntil = now + Math.min(ADMISSION_MS, budget.placeLastsMs());
    this.#admitted.set(terms.id, { until: now + ADMISSION_MS, placeUntil });
    return { kind: "admitted" };
  }

  /** Called just before the order is sent, admitted or not: undefined where it may be, and its place is used up. */
  pass(instrument: Instrument, terms: OrderTerms): GateRefusal | undefined {
    const { budget, clock } = this.#parts;
    const { id, price, quantity } = terms;
    const { placeUntil = Number.NEGATIVE_INFINITY } = this.#admitted.get(id) ?? {};
    const isAdmitted = this.#admitted.delete(id);
    const hasPlace = clock.monotonic() <= placeUntil;
    if (!isOrderable(instrument, price, quantity)) {
      return { reason: "invalid_order", message: "smaller than the exchange takes; not sent" };
    }
    const refusal = isAdmitted ? undefined : this.#refusalOf(instrument, terms);
    if (refusal !== undefined) return { reason: "other", message: `${refusal}; not sent` };
    // The exchange may want to be left alone since it was admitted.
    const hasRoom = !budget.isBlocked && (hasPlace || budget.tryTake(ORDER_COST, urgencyOf(terms)));
    if (hasRoom) return undefined;
    return { reason: "rate_limited", message: "no room in the exchange's limits; not sent" };
  }

  /** Why our own limits forbid the order; undefined where they do not. */
  #refusalOf(instrument: Instrument, terms: OrderTerms): string | undefined {
    const { price, quantity, type } = terms;
    const { limits, openOrders } = this.#parts;
    const { maxOrderValue, maxOpenOrders } = limits;
    if (maxOrderValue !== undefined && notional(instrument, price, quantity) > maxOrderValue) {
      return "max_order_value";
    }
    if (maxOpenOrders === undefined || type === "market") return undefined;
    // Buys leave the last fifth to sells.
    const most = urgencyOf(terms) === "exit" ? maxOpenOrders : Math.max(1, Math.floor(maxOpenOrders * 0.8));
    if (openOrders.size + this.#countAdmitted() >= most) return "max_open_orders";
    return undefined;
  }

  /** Orders that were admitted a moment ago and may still be sent. */
  #countAdmitted(): number {
    const now = this.#parts.clock.monotonic();
    for (const [id, { until }] of this.#admitted) if (until < now) this.#admitted.delete(id);
    return this.#admitted.size;
  }
}

/** A long grid enters by buying. */
function urgencyOf({ side }: OrderTerms): Urgency {
  return side === "sell" ? "exit" : "entry";
}
