/** Accepted orders that the stream has still to mention; one that it does not mention in time shows that it is silent. */
const MOST_REMEMBERED = 1_000;

export class Expected {
  readonly #limitMs: number;
  readonly #since = new Map<string, number>();
  /** Mentioned before the answer to the request was here. */
  readonly #early = new Set<string>();

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  add(symbol: string, exchangeOrderId: string, now: number): void {
    const key = `${symbol}:${exchangeOrderId}`;
    if (!this.#early.delete(key)) this.#since.set(key, now);
  }

  hear(symbol: string, exchangeOrderId: string): void {
    const key = `${symbol}:${exchangeOrderId}`;
    if (this.#since.delete(key)) return;
    this.#early.add(key);
    if (this.#early.size <= MOST_REMEMBERED) return;
    const [oldest] = this.#early;
    if (oldest !== undefined) this.#early.delete(oldest);
  }

  isOverdue(now: number): boolean {
    for (const since of this.#since.values()) return now - since > this.#limitMs;
    return false;
  }

  clear(): void {
    this.#since.clear();
  }
}
