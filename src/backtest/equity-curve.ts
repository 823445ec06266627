/** Follows equity over closes for its largest fall, with exact money only where something traded. */
import type { Money, QuantityLots } from "../domain/amounts.ts";
import { ZERO_MONEY, money } from "../domain/amounts.ts";
import type { Totals } from "../domain/grid.ts";
import type { Instrument } from "../domain/instrument.ts";

/**
 * Between two fills equity is cash + position · close: a straight line in the close. So a stretch without fills needs
 * only its lowest close, its highest close and the largest fall between closes, all in ticks; what they are worth is
 * worked out when the stretch ends. With P the peak before the stretch and a position of at least 0, the largest
 * fall in it is the larger of P − equity(lowest close) and position · fall.
 */
export class EquityCurve {
  readonly #unit: bigint;
  /** Equity is counted from the start: 0 there. */
  #peak: Money = ZERO_MONEY;
  #drawdown: Money = ZERO_MONEY;
  #cash: Money = ZERO_MONEY;
  #position = 0 as QuantityLots;
  #highest = Number.NEGATIVE_INFINITY;
  #lowest = Number.POSITIVE_INFINITY;
  #fall = 0;

  constructor(instrument: Instrument) {
    this.#unit = instrument.notionalUnit;
  }

  /** One more close, in ticks. */
  close(price: number): void {
    if (price > this.#highest) this.#highest = price;
    else if (this.#highest - price > this.#fall) this.#fall = this.#highest - price;
    if (price < this.#lowest) this.#lowest = price;
  }

  /** Something traded since the last close: from the next close on, equity is another line. */
  rebase(totals: Totals): void {
    this.#endStretch();
    this.#cash = totals.cashFlow;
    this.#position = totals.position;
    this.#highest = Number.NEGATIVE_INFINITY;
    this.#lowest = Number.POSITIVE_INFINITY;
    this.#fall = 0;
  }

  maxDrawdown(): Money {
    this.#endStretch();
    return this.#drawdown;
  }

  #endStretch(): void {
    if (this.#lowest === Number.POSITIVE_INFINITY) return;
    const perTick = BigInt(this.#position) * this.#unit;
    const fromPeak = this.#peak - (this.#cash + BigInt(this.#lowest) * perTick);
    const within = BigInt(this.#fall) * perTick;
    const largest = fromPeak > within ? fromPeak : within;
    if (largest > this.#drawdown) this.#drawdown = money(largest);
    const highest = this.#cash + BigInt(this.#highest) * perTick;
    if (highest > this.#peak) this.#peak = money(highest);
  }
}
