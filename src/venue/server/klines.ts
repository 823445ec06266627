/** Candles of any interval out of minute candles, without gaps, as Binance shows them. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { ZERO_LOTS, ZERO_MONEY, addLots, addMoney } from "../../domain/amounts.ts";
import type { Listing } from "./listing.ts";
import { moneyText, priceText, quantityText } from "./listing.ts";
import type { MinuteCandle } from "./market-data.ts";
import { MINUTE_MS } from "./market-data.ts";

const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** What Binance calls an interval → its length in ms. */
export const INTERVALS: Readonly<Record<string, number>> = {
  "1m": MINUTE_MS,
  "3m": 3 * MINUTE_MS,
  "5m": 5 * MINUTE_MS,
  "15m": 15 * MINUTE_MS,
  "30m": 30 * MINUTE_MS,
  "1h": HOUR_MS,
  "2h": 2 * HOUR_MS,
  "4h": 4 * HOUR_MS,
  "6h": 6 * HOUR_MS,
  "8h": 8 * HOUR_MS,
  "12h": 12 * HOUR_MS,
  "1d": DAY_MS,
};

export interface Kline extends MinuteCandle {
  readonly closeTime: number;
}

/** The klines that begin from `from` to `to`, oldest first; an interval in which nothing happened stands at the last price. */
export function klinesOf(
  candles: readonly MinuteCandle[],
  intervalMs: number,
  from: number,
  to: number,
): readonly Kline[] {
  const klines: Kline[] = [];
  const first = candles[0];
  if (!first) return klines;
  const begin = Math.max(startOf(first.openTime, intervalMs), startOf(from + intervalMs - 1, intervalMs));
  let index = firstFrom(candles, begin);
  let close = candles[index - 1]?.close ?? first.open;
  for (let openTime = begin; openTime <= to; openTime += intervalMs) {
    let kline = flat(openTime, intervalMs, close);
    for (let isFirst = true; ; isFirst = false, index += 1) {
      const candle = candles[index];
      if (!candle || candle.openTime >= openTime + intervalMs) break;
      kline = isFirst ? { ...kline, ...candle, openTime } : join(kline, candle);
    }
    close = kline.close;
    klines.push(kline);
  }
  return klines;
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

function flat(openTime: number, intervalMs: number, price: PriceTicks): Kline {
  return {
    openTime,
    closeTime: openTime + intervalMs - 1,
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

function join(kline: Kline, candle: MinuteCandle): Kline {
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

/** When the interval that `time` lies in begins. */
export function startOf(time: number, intervalMs: number): number {
  return time - (time % intervalMs);
}

function firstFrom(candles: readonly MinuteCandle[], openTime: number): number {
  let low = 0;
  let high = candles.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((candles[middle]?.openTime ?? 0) < openTime) low = middle + 1;
    else high = middle;
  }
  return low;
}
