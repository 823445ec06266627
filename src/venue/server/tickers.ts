/** The best prices and the last 24 hours of a symbol, as REST and the streams tell them. */
import type { Money, PriceTicks } from "../../domain/amounts.ts";
import { ZERO_LOTS, ZERO_MONEY } from "../../domain/amounts.ts";
import type { Instant } from "../../domain/ids.ts";
import type { PriceLevel } from "./book-view.ts";
import { bookView } from "./book-view.ts";
import type { TapeCandle } from "./candle-series.ts";
import type { Kline } from "./klines.ts";
import { everyMs, klinesOf } from "./klines.ts";
import type { Listing } from "./listing.ts";
import { moneyText, priceText, quantityText } from "./listing.ts";
import { MINUTE_MS } from "./market-data.ts";
import { ZERO_TEXT } from "./order-json.ts";
import type { Floor } from "./route.ts";

const DAY_MS = 86_400_000;
const FIVE_MINUTES_MS = 300_000;
const FIVE_MINUTES = everyMs(FIVE_MINUTES_MS);

export interface BestPrices {
  readonly bidPrice: string;
  readonly bidQty: string;
  readonly askPrice: string;
  readonly askQty: string;
}

export function bestPrices({ world }: Pick<Floor, "world">, listing: Listing): BestPrices {
  const { bids, asks } = bookView(world, listing.symbol, 1);
  const [bid, ask] = [levelText(listing, bids[0]), levelText(listing, asks[0])];
  return { bidPrice: bid[0], bidQty: bid[1], askPrice: ask[0], askQty: ask[1] };
}

function levelText(listing: Listing, level: PriceLevel | undefined): readonly [price: string, qty: string] {
  if (!level) return [ZERO_TEXT, ZERO_TEXT];
  return [priceText(listing, level.price), quantityText(listing, level.quantity)];
}

/** The last 24 hours by whole minutes, or the last price where none of them has one; all zero before the first price. */
export interface DayTicker extends BestPrices {
  readonly priceChange: string;
  readonly priceChangePercent: string;
  readonly weightedAvgPrice: string;
  readonly prevClosePrice: string;
  readonly lastPrice: string;
  readonly lastQty: string;
  readonly openPrice: string;
  readonly highPrice: string;
  readonly lowPrice: string;
  readonly volume: string;
  readonly quoteVolume: string;
  readonly openTime: number;
  readonly closeTime: number;
  readonly firstId: number;
  readonly lastId: number;
  readonly count: number;
}

export function dayTicker(floor: Floor, listing: Listing, now: Instant): DayTicker {
  const { trades, candles } = floor.data.of(listing.symbol);
  const from = now - DAY_MS + MINUTE_MS;
  const minutes = candles.filter(({ openTime }) => openTime >= from - MINUTE_MS);
  const whole = joined(minutes) ?? fiveMinutes(candles, now);
  const text = (price: PriceTicks | undefined): string =>
    price === undefined ? ZERO_TEXT : priceText(listing, price);
  const [open, last] = [whole?.open, whole?.close];
  const change = open === undefined || last === undefined ? 0 : last - open;
  const tradeCount = whole?.trades ?? 0;
  const newest = trades[trades.length - 1];
  return {
    ...bestPrices(floor, listing),
    priceChange: change < 0 ? `-${text(-change as PriceTicks)}` : text(change as PriceTicks),
    priceChangePercent: open === undefined || open === 0 ? "0.000" : ((100 * change) / open).toFixed(3),
    weightedAvgPrice: averageText(listing, whole),
    prevClosePrice: text(open),
    lastPrice: text(last),
    lastQty: newest ? quantityText(listing, newest.quantity) : ZERO_TEXT,
    openPrice: text(open),
    highPrice: text(whole?.high),
    lowPrice: text(whole?.low),
    volume: quantityText(listing, whole?.lots ?? ZERO_LOTS),
    quoteVolume: moneyText(whole?.value ?? ZERO_MONEY),
    openTime: now - DAY_MS,
    closeTime: now,
    firstId: newest && tradeCount > 0 ? newest.id - tradeCount + 1 : -1,
    lastId: newest && tradeCount > 0 ? newest.id : -1,
    count: tradeCount,
  };
}

/** Of the last five minutes. */
export function averagePrice({ data }: Pick<Floor, "data">, listing: Listing, now: Instant): string {
  const { candles } = data.of(listing.symbol);
  return averageText(listing, fiveMinutes(candles, now));
}

function fiveMinutes(candles: readonly TapeCandle[], now: Instant): Kline | undefined {
  return klinesOf(candles, FIVE_MINUTES, now - FIVE_MINUTES_MS, now).at(-1);
}

/** Value by quantity; the last price where nothing was traded. */
function averageText(listing: Listing, whole: Pick<Kline, "lots" | "value" | "close"> | undefined): string {
  if (!whole) return ZERO_TEXT;
  if (whole.lots === 0) return priceText(listing, whole.close);
  const { lotSize } = listing.instrument;
  return moneyText(((whole.value * 10n ** 18n) / (BigInt(whole.lots) * lotSize)) as Money);
}

/** Candles of any length as one. */
function joined(candles: readonly Omit<Kline, "closeTime">[]): Omit<Kline, "closeTime"> | undefined {
  const [first, ...rest] = candles;
  if (!first) return undefined;
  const all = { ...first };
  for (const { high, low, close, lots, value, trades } of rest) {
    if (high > all.high) Object.assign(all, { high });
    if (low < all.low) Object.assign(all, { low });
    Object.assign(all, {
      close,
      lots: all.lots + lots,
      value: all.value + value,
      trades: all.trades + trades,
    });
  }
  return all;
}
