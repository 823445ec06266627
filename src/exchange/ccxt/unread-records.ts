/** What a stream has told and nobody has read yet, in place of ccxt's own cache of it. */
import type { CcxtRecord } from "./ccxt-client.ts";

/**
 * Has what ccxt asks of a cache. Its own one searches thousands of old records for each new one, and merges what an order
 * was into what it is.
 */
export class UnreadRecords extends Array<CcxtRecord> {
  #isRead = false;

  /** By symbol and id; ccxt looks here for the former state of an order, which nobody needs. */
  get hashmap(): CcxtRecord {
    return {};
  }

  append(record: CcxtRecord): void {
    if (this.#isRead) this.length = 0;
    this.#isRead = false;
    this.push(record);
  }

  /** How many have come since it was asked last: ccxt asks, and takes so many of the last in the same breath. */
  getLimit(): number {
    if (this.#isRead) this.length = 0;
    this.#isRead = true;
    return this.length;
  }
}
