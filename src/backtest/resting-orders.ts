/** The limit orders that rest in a back-test; few at a time, so that a scan is the fastest search. */
import type { OrderRef, OrderTerms } from "../domain/order.ts";

export interface RestingOrder {
  readonly terms: OrderTerms;
  readonly exchangeOrderId: string;
}

export class RestingOrders {
  readonly #buys = new Side();
  readonly #sells = new Side();

  add(order: RestingOrder): void {
    (order.terms.side === "buy" ? this.#buys : this.#sells).add(order);
  }

  /** Removes and returns the highest buy at or above `limit`; the oldest of equals. */
  takeBuy(limit: number): RestingOrder | undefined {
    return this.#buys.take(this.#buys.highest(limit));
  }

  /** Removes and returns the lowest sell at or below `limit`; the oldest of equals. */
  takeSell(limit: number): RestingOrder | undefined {
    return this.#sells.take(this.#sells.lowest(limit));
  }

  remove({ side, id }: OrderRef): void {
    const orders = side === "buy" ? this.#buys : this.#sells;
    orders.take(orders.indexOf(id));
  }
}

/** Parallel arrays, in the order of arrival: prices beside the orders keep the scan in plain numbers. */
class Side {
  readonly #prices: number[] = [];
  readonly #orders: RestingOrder[] = [];

  add(order: RestingOrder): void {
    this.#prices.push(order.terms.price);
    this.#orders.push(order);
  }

  highest(limit: number): number {
    let best = -1;
    let price = limit;
    for (let i = 0; i < this.#prices.length; i++) {
      const candidate = this.#prices[i] as number;
      if (candidate > price || (candidate === price && best < 0)) {
        best = i;
        price = candidate;
      }
    }
    return best;
  }

  lowest(limit: number): number {
    let best = -1;
    let price = limit;
    for (let i = 0; i < this.#prices.length; i++) {
      const candidate = this.#prices[i] as number;
      if (candidate < price || (candidate === price && best < 0)) {
        best = i;
        price = candidate;
      }
    }
    return best;
  }

  indexOf(id: string): number {
    return this.#orders.findIndex(({ terms }) => terms.id === id);
  }

  take(index: number): RestingOrder | undefined {
    if (index < 0) return undefined;
    this.#prices.splice(index, 1);
    return this.#orders.splice(index, 1)[0];
  }
}
