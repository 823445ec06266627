/** The exchange's time between two readings of it, and a watch on how far this computer's clock is from it. */
import type { Clock } from "../../domain/clock.ts";
import type { Instant } from "../../domain/ids.ts";
import { instant } from "../../domain/ids.ts";
import type { Log } from "../../domain/log.ts";
import type { Metrics } from "../../domain/metrics.ts";

/** A reading that took longer is of a moment too uncertain to correct one that it does not contradict. */
const TELLING_READ_MS = 250;

/** A clock that is further off, or has moved further since the last reading, is worth a line in the log. */
const WORTH_TELLING_MS = 500;

export class OffsetClock {
  readonly #clock: Clock;
  readonly #exchange: string;
  readonly #log: Log;
  readonly #metrics: Metrics;
  /** Exchange time less our monotonic clock. */
  #offset: number;
  #told = 0;

  constructor(clock: Clock, exchange: string, log: Log, metrics: Metrics) {
    this.#clock = clock;
    this.#exchange = exchange;
    this.#log = log;
    this.#metrics = metrics;
    this.#offset = clock.now() - clock.monotonic();
  }

  now(): Instant {
    return instant(Math.round(this.#clock.monotonic() + this.#offset));
  }

  /**
   * The exchange said `time` between `sent` and `received`, both monotonic: taken to be of the middle, but where they are
   * far apart, as after a pause of this process, and what was known before may be right.
   */
  note(time: number, sent: number, received: number): void {
    const isPossible = time - received <= this.#offset && this.#offset <= time - sent;
    if (received - sent <= TELLING_READ_MS || !isPossible) this.#offset = time - (sent + received) / 2;
    const ahead = this.#clock.monotonic() + this.#offset - this.#clock.now();
    this.#metrics.gauge("quantmesh_exchange_clock_offset", { exchange: this.#exchange }, ahead / 1000);
    if (Math.abs(ahead - this.#told) < WORTH_TELLING_MS) return;
    this.#told = ahead;
    this.#log.warn({ exchange: this.#exchange, aheadMs: Math.round(ahead) }, "exchange.clock_offset");
  }
}
