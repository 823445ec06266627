/** Candles of one length out of prices and trades as they come. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { ZERO_LOTS, ZERO_MONEY, addLots, addMoney } from "../../domain/amounts.ts";
import type { Instant } from "../../domain/ids.ts";

/** The prices that the market stood at or traded at within one period, and what was traded. */
export interface TapeCandle {
  readonly openTime: number;
  readonly open: PriceTicks;
  readonly high: PriceTicks;
  readonly low: PriceTicks;
  readonly close: PriceTicks;
  readonly lots: QuantityLots;
  /** Quote value of what was traded. */
  readonly value: Money;
  readonly trades: number;
  /** What buyers took. */
  readonly takenLots: QuantityLots;
}

/** What a trade adds to its candle. */
export interface Volume {
  readonly lots: QuantityLots;
  readonly value: Money;
  readonly isBuyerMaker: boolean;
}

export class CandleSeries {
  readonly #periodMs: number;
  readonly #most: number;
  #candles: TapeCandle[] = [];

  /** `most`: so many are kept, or up to twice as many. */
  constructor(periodMs: number, most: number) {
    this.#periodMs = periodMs;
    this.#most = most;
  }

  /** Oldest first; none of a period in which nothing happened. */
  get candles(): readonly TapeCandle[] {
    return this.#candles;
  }

  restore(candles: readonly TapeCandle[]): void {
    this.#candles = [...candles];
  }

  /** The price was `price` at `at`; `volume`: of the trade, where it is one's. */
  see(price: PriceTicks, at: Instant, volume: Volume | undefined): void {
    const openTime = at - (at % this.#periodMs);
    const newest = this.#candles[this.#candles.length - 1];
    const isNew = newest === undefined || newest.openTime < openTime;
    const candle = isNew ? emptyCandle(openTime, price) : newest;
    const next: TapeCandle = {
      openTime: candle.openTime,
      open: candle.open,
      high: price > candle.high ? price : candle.high,
      low: price < candle.low ? price : candle.low,
      close: price,
      lots: volume ? addLots(candle.lots, volume.lots) : candle.lots,
      value: volume ? addMoney(candle.value, volume.value) : candle.value,
      trades: candle.trades + (volume ? 1 : 0),
      takenLots: volume?.isBuyerMaker === false ? addLots(candle.takenLots, volume.lots) : candle.takenLots,
    };
    if (!isNew) this.#candles[this.#candles.length - 1] = next;
    else if (this.#candles.push(next) > 2 * this.#most) this.#candles = this.#candles.slice(-this.#most);
  }
}

function emptyCandle(openTime: number, price: PriceTicks): TapeCandle {
  return {
    openTime,
    open: price,
    high: price,
    low: price,
    close: price,
    lots: ZERO_LOTS,
    value: ZERO_MONEY,
    trades: 0,
    takenLots: ZERO_LOTS,
  };
}
