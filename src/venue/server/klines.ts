/** Candles of any interval out of shorter ones, without gaps, as Binance shows them. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { ZERO_LOTS, ZERO_MONEY, addLots, addMoney } from "../../domain/amounts.ts";
import type { Listing } from "./listing.ts";
import { moneyText, priceText, quantityText } from "./listing.ts";
import type { TapeCandle } from "./candle-series.ts";
import type { SymbolData } from "./market-data.ts";
import { MINUTE_MS } from "./market-data.ts";

/** How time is divided into candles. */
export interface Interval {
  /** When the one that `time` lies in begins. */
  startOf(time: number): number;
  /** When the one begins that is so many after the one that begins at `openTime`. */
  shift(openTime: number, count: number): number;
  /** How long the shortest is, ms. */
  readonly leastMs: number;
}

/** Periods of one length, one of which begins at `origin`. */
export function everyMs(ms: number, origin = 0): Interval {
  return {
    startOf: (time) => origin + Math.floor((time - origin) / ms) * ms,
    shift: (openTime, count) => openTime + count * ms,
    leastMs: ms,
  };
}

const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Weeks begin on Mondays. */
const A_MONDAY = Date.UTC(1970, 0, 5);
const MONTHS: Interval = {
  startOf: (time) => monthAfter(time, 0),
  shift: monthAfter,
  leastMs: 28 * DAY_MS,
};

/** What Binance calls it → the interval. All are those of UTC. */
export const INTERVALS: Readonly<Record<string, Interval>> = {
  "1s": everyMs(1_000),
  "1m": everyMs(MINUTE_MS),
  "3m": everyMs(3 * MINUTE_MS),
  "5m": everyMs(5 * MINUTE_MS),
  "15m": everyMs(15 * MINUTE_MS),
  "30m": everyMs(30 * MINUTE_MS),
  "1h": everyMs(HOUR_MS),
  "2h": everyMs(2 * HOUR_MS),
  "4h": everyMs(4 * HOUR_MS),
  "6h": everyMs(6 * HOUR_MS),
  "8h": everyMs(8 * HOUR_MS),
  "12h": everyMs(12 * HOUR_MS),
  "1d": everyMs(DAY_MS),
  "3d": everyMs(3 * DAY_MS),
  "1w": everyMs(7 * DAY_MS, A_MONDAY),
  "1M": MONTHS,
};

function monthAfter(time: number, count: number): number {
  const date = new Date(time);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + count, 1);
}

/** What the klines of `interval` are made of. */
export function candlesFor({ candles, seconds }: SymbolData, { leastMs }: Interval): readonly TapeCandle[] {
  return leastMs < MINUTE_MS ? seconds : candles;
}

export interface Kline extends TapeCandle {
  readonly closeTime: number;
}

/** The first `limit` klines that begin from `from` to `to`; an interval in which nothing happened stands at the last price. */
export function klinesOf(
  candles: readonly TapeCandle[],
  interval: Interval,
  from: number,
  to: number,
  limit = Number.POSITIVE_INFINITY,
): readonly Kline[] {
  const klines: Kline[] = [];
  const first = candles[0];
  if (!first) return klines;
  let openTime = Math.max(interval.startOf(first.openTime), firstStart(interval, from));
  let index = firstFrom(candles, openTime);
  let close = candles[index - 1]?.close ?? first.open;
  for (let next = 0; openTime <= to && klines.length < limit; openTime = next) {
    next = interval.shift(openTime, 1);
    let kline = flat(openTime, next, close);
    for (let isFirst = true; ; isFirst = false, index += 1) {
      const candle = candles[index];
      if (!candle || candle.openTime >= next) break;
      kline = isFirst ? { ...kline, ...candle, openTime } : join(kline, candle);
    }
    close = kline.close;
    klines.push(kline);
  }
  return klines;
}

/** When the first begins that begins at `from` or later. */
export function firstStart(interval: Interval, from: number): number {
  const start = interval.startOf(from);
  return start < from ? interval.shift(start, 1) : start;
}

export function klineText(listing: Listing, kline: Kline): string {
  const { openTime, closeTime, open, high, low, close, lots, value, trades, takenLots } = kline;
  const [o, h, l, c] = [open, high, low, close].map((price) => priceText(listing, price));
  const taken = moneyText(shareOfValue(value, takenLots, lots));
  return `[${openTime},"${o}","${h}","${l}","${c}","${quantityText(listing, lots)}",${closeTime},"${moneyText(value)}",${trades},"${quantityText(listing, takenLots)}","${taken}","0"]`;
}

/** What buyers took, in quote, by the mean price of the interval. */
export function shareOfValue(value: Money, part: QuantityLots, whole: QuantityLots): Money {
  return whole === 0 ? ZERO_MONEY : (((value * BigInt(part)) / BigInt(whole)) as Money);
}

function flat(openTime: number, next: number, price: PriceTicks): Kline {
  return {
    openTime,
    closeTime: next - 1,
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

function join(kline: Kline, candle: TapeCandle): Kline {
  return {
    ...kline,
    high: candle.high > kline.high ? candle.high : kline.high,
    low: candle.low < kline.low ? candle.low : kline.low,
    close: candle.close,
    lots: addLots(kline.lots, candle.lots),
    value: addMoney(kline.value, candle.value),
    trades: kline.trades + candle.trades,
    takenLots: addLots(kline.takenLots, candle.takenLots),
  };
}

function firstFrom(candles: readonly TapeCandle[], openTime: number): number {
  let low = 0;
  let high = candles.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((candles[middle]?.openTime ?? 0) < openTime) low = middle + 1;
    else high = middle;
  }
  return low;
}
