/** How many orders of the account rest, as far as answers and streams have told; lists put it right. */
export class OpenOrders {
  readonly #bySymbol = new Map<string, Set<string>>();

  get size(): number {
    let size = 0;
    for (const orders of this.#bySymbol.values()) size += orders.size;
    return size;
  }

  add(symbol: string, exchangeOrderId: string): void {
    this.#of(symbol).add(exchangeOrderId);
  }

  remove(symbol: string, exchangeOrderId: string): void {
    this.#of(symbol).delete(exchangeOrderId);
  }

  replace(symbol: string, exchangeOrderIds: readonly string[]): void {
    this.#bySymbol.set(symbol, new Set(exchangeOrderIds));
  }

  #of(symbol: string): Set<string> {
    const found = this.#bySymbol.get(symbol);
    if (found) return found;
    const orders = new Set<string>();
    this.#bySymbol.set(symbol, orders);
    return orders;
  }
}
