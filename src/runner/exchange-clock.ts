/** The exchange's time, carried on by our monotonic clock between two readings. */
import type { Clock } from "../domain/clock.ts";
import type { Instant } from "../domain/ids.ts";
import type { Exchange } from "../exchange/exchange.ts";

export class ExchangeClock {
  readonly #clock: Clock;
  readonly #exchange: Exchange;
  #offset = 0;

  constructor(clock: Clock, exchange: Exchange) {
    this.#clock = clock;
    this.#exchange = exchange;
    this.#offset = clock.now() - clock.monotonic();
  }

  /** Reads the exchange's clock; the reading is taken to be of the middle of the round trip. */
  async synchronize(): Promise<void> {
    const sent = this.#clock.monotonic();
    const time = await this.#exchange.time();
    const received = this.#clock.monotonic();
    this.#offset = time - (sent + received) / 2;
  }

  now(): Instant {
    return Math.round(this.#clock.monotonic() + this.#offset) as Instant;
  }
}
