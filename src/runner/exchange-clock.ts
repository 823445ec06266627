/** The exchange's time, carried on by our monotonic clock between two readings. */
import type { Clock } from "../domain/clock.ts";
import type { Instant } from "../domain/ids.ts";
import type { Exchange } from "../exchange/exchange.ts";

/** Half of it is less than what exchanges let a request be ahead of their clock. */
const LONG_TRIP_MS = 1_500;
const MOST_READINGS = 3;

export class ExchangeClock {
  readonly #clock: Clock;
  readonly #exchange: Exchange;
  #offset = 0;

  constructor(clock: Clock, exchange: Exchange) {
    this.#clock = clock;
    this.#exchange = exchange;
    this.#offset = clock.now() - clock.monotonic();
  }

  /**
   * Reads the exchange's clock; the reading is taken to be of the middle of the round trip. One that took long may be off
   * by half of that, as where this process slept meanwhile: the shortest of a few counts.
   */
  async synchronize(): Promise<void> {
    let shortest = Number.POSITIVE_INFINITY;
    for (let readings = 0; readings < MOST_READINGS && shortest > LONG_TRIP_MS; readings += 1) {
      const sent = this.#clock.monotonic();
      const time = await this.#exchange.time();
      const received = this.#clock.monotonic();
      if (received - sent >= shortest) continue;
      shortest = received - sent;
      this.#offset = time - (sent + received) / 2;
    }
  }

  now(): Instant {
    return Math.round(this.#clock.monotonic() + this.#offset) as Instant;
  }
}
