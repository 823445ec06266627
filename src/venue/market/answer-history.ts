/** What the exchange's lists said a moment ago: enough of the past to answer as of then, and no more. */
import type { Instant } from "../../domain/ids.ts";
import type { VenueEvent } from "../matching/commands.ts";
import type { OrderView } from "../matching/order-history.ts";

/** However much happens: answers as of before the oldest change kept are as of that. */
const MOST_CHANGES = 10_000;

interface Change<Order> {
  readonly at: Instant;
  readonly symbol: string;
  readonly exchangeOrderId: string;
  /** The order before it; undefined where it was not there. */
  readonly before: Order | undefined;
}

/** The past of one account's orders, in the shape that `show` gives them. */
export class AnswerHistory<Order extends Pick<OrderView, "exchangeOrderId"> & { readonly status: string }> {
  readonly #keepMs: number;
  readonly #show: (order: OrderView) => Order;
  readonly #open = new Map<string, Order>();
  #changes: Change<Order>[] = [];

  /** `open`: the orders that are open now; `keepMs`: how far back answers are asked for. */
  constructor(open: readonly Order[], keepMs: number, show: (order: OrderView) => Order) {
    this.#keepMs = keepMs;
    this.#show = show;
    for (const order of open) this.#open.set(order.exchangeOrderId, order);
  }

  /** Takes in what has just happened, at `at`; time never runs backwards. */
  note(event: VenueEvent, at: Instant): void {
    if (event.kind === "fill") return;
    const order = this.#show(event.order);
    const { exchangeOrderId, status } = order;
    this.#changes.push({
      at,
      symbol: event.symbol,
      exchangeOrderId,
      before: this.#open.get(exchangeOrderId),
    });
    if (status === "open") this.#open.set(exchangeOrderId, order);
    else this.#open.delete(exchangeOrderId);
    this.#forget(at);
  }

  /** By exchange id: the orders that changed after `at`, as they were then; undefined where they were not there. */
  changedSince(symbol: string, at: Instant): ReadonlyMap<string, Order | undefined> {
    const then = new Map<string, Order | undefined>();
    for (let index = this.#changes.length - 1; index >= 0; index -= 1) {
      const change = this.#changes[index];
      if (!change || change.at <= at) break;
      if (change.symbol === symbol) then.set(change.exchangeOrderId, change.before);
    }
    return then;
  }

  /** Drops what nobody asks for any more, now and then: the first change that is too old is often the last. */
  #forget(now: Instant): void {
    const oldest = this.#changes[Math.floor(this.#changes.length / 2)];
    if (this.#changes.length <= MOST_CHANGES && (!oldest || oldest.at > now - this.#keepMs)) return;
    this.#changes = this.#changes.slice(Math.floor(this.#changes.length / 2));
  }
}
