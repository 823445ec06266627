/** What each public stream says, and how often: by Binance's names. */
import type { PriceTicks } from "../../domain/amounts.ts";
import type { Instant } from "../../domain/ids.ts";
import type { PriceLevel } from "./book-view.ts";
import { bookView, marketQuotes, quantityShown } from "./book-view.ts";
import type { Kline } from "./klines.ts";
import { INTERVALS, candlesFor, klinesOf, shareOfValue } from "./klines.ts";
import type { Listing } from "./listing.ts";
import { moneyText, priceText, quantityText } from "./listing.ts";
import type { TapeTrade } from "./market-data.ts";
import type { Floor } from "./route.ts";
import { averagePrice, bestPrices, dayTicker } from "./tickers.ts";
import type { Happening } from "./venue-world.ts";

/** Says something with each command that concerns it. */
export interface LiveTopic {
  readonly kind: "live";
  readonly listing: Listing;
  /** The messages of a command that made these trades. */
  messages(trades: readonly TapeTrade[], at: Instant): readonly string[];
}

/** Says something once in a while, where something changed. */
export interface PeriodicTopic {
  readonly kind: "periodic";
  readonly periodMs: 100 | 1_000;
  messages(now: Instant): readonly string[];
  /** Of a topic that must see each command in between. */
  readonly watches?: { readonly listing: Listing; note(happening: Happening): void };
}

export type TopicKind = LiveTopic | PeriodicTopic;

/** What the stream of this name says; undefined where there is none. */
export function topicOf(floor: Floor, name: string): TopicKind | undefined {
  if (name === "!miniTicker@arr" || name === "!ticker@arr") return allTickers(floor, name === "!ticker@arr");
  const [id = "", kind = "", speed] = name.split("@");
  const listing = floor.listings.byId.get(id.toUpperCase());
  if (!listing || id !== listing.stream) return undefined;
  const periodMs = speed === "100ms" ? 100 : 1_000;
  if (speed !== undefined && !(kind.startsWith("depth") && (speed === "100ms" || speed === "1000ms"))) {
    return undefined;
  }
  switch (kind) {
    case "bookTicker":
      return bookTicker(floor, listing);
    case "trade":
    case "aggTrade":
      return tradeTopic(listing, kind);
    case "miniTicker":
    case "ticker":
      return changed(floor, listing, 1_000, (now) => tickerText(floor, listing, kind === "ticker", now));
    case "avgPrice":
      return changed(floor, listing, 1_000, (now) => averageEventText(floor, listing, now));
    case "depth":
      return depthDiff(floor, listing, periodMs);
    case "depth5":
    case "depth10":
    case "depth20":
      return changed(floor, listing, periodMs, () => depthText(floor, listing, Number(kind.slice(5))));
    default:
      return klineTopic(floor, listing, kind);
  }
}

/** Calls `textOf` only where the symbol changed since it last did. */
function changed(
  { data }: Floor,
  { symbol }: Listing,
  periodMs: 100 | 1_000,
  textOf: (now: Instant) => string,
): PeriodicTopic {
  let told = data.of(symbol).updateId;
  return {
    kind: "periodic",
    periodMs,
    messages(now) {
      const { updateId } = data.of(symbol);
      if (updateId === told) return [];
      told = updateId;
      return [textOf(now)];
    },
  };
}

function bookTicker(floor: Floor, listing: Listing): LiveTopic {
  let told = "";
  return {
    kind: "live",
    listing,
    messages() {
      const { bidPrice, bidQty, askPrice, askQty } = bestPrices(floor, listing);
      const best = `"s":"${listing.id}","b":"${bidPrice}","B":"${bidQty}","a":"${askPrice}","A":"${askQty}"`;
      if (best === told) return [];
      told = best;
      return [`{"u":${floor.data.of(listing.symbol).updateId},${best}}`];
    },
  };
}

function tradeTopic(listing: Listing, kind: "trade" | "aggTrade"): LiveTopic {
  const textOf = ({ id, price, quantity, at, isBuyerMaker }: TapeTrade, now: Instant): string => {
    const ids = kind === "trade" ? `"t":${id}` : `"a":${id},"f":${id},"l":${id}`;
    return `{"e":"${kind}","E":${now},"s":"${listing.id}",${ids},"p":"${priceText(listing, price)}","q":"${quantityText(listing, quantity)}","T":${at},"m":${isBuyerMaker},"M":true}`;
  };
  return {
    kind: "live",
    listing,
    messages: (trades, at) => trades.map((trade) => textOf(trade, at)),
  };
}

function allTickers(floor: Floor, isFull: boolean): PeriodicTopic {
  const each = floor.listings.all.map((listing) =>
    changed(floor, listing, 1_000, (now) => tickerText(floor, listing, isFull, now)),
  );
  return {
    kind: "periodic",
    periodMs: 1_000,
    messages(now) {
      const texts = each.flatMap((topic) => topic.messages(now));
      return texts.length === 0 ? [] : [`[${texts.join(",")}]`];
    },
  };
}

function tickerText(floor: Floor, listing: Listing, isFull: boolean, now: Instant): string {
  const day = dayTicker(floor, listing, now);
  const { id } = listing;
  if (!isFull) {
    return `{"e":"24hrMiniTicker","E":${now},"s":"${id}","c":"${day.lastPrice}","o":"${day.openPrice}","h":"${day.highPrice}","l":"${day.lowPrice}","v":"${day.volume}","q":"${day.quoteVolume}"}`;
  }
  return `{"e":"24hrTicker","E":${now},"s":"${id}","p":"${day.priceChange}","P":"${day.priceChangePercent}","w":"${day.weightedAvgPrice}","x":"${day.prevClosePrice}","c":"${day.lastPrice}","Q":"${day.lastQty}","b":"${day.bidPrice}","B":"${day.bidQty}","a":"${day.askPrice}","A":"${day.askQty}","o":"${day.openPrice}","h":"${day.highPrice}","l":"${day.lowPrice}","v":"${day.volume}","q":"${day.quoteVolume}","O":${day.openTime},"C":${day.closeTime},"F":${day.firstId},"L":${day.lastId},"n":${day.count}}`;
}

function averageEventText(floor: Floor, listing: Listing, now: Instant): string {
  const { data } = floor;
  const lastTrade = data.of(listing.symbol).trades.at(-1)?.at ?? now;
  return `{"e":"avgPrice","E":${now},"s":"${listing.id}","i":"5m","w":"${averagePrice(floor, listing, now)}","T":${lastTrade}}`;
}

function depthText(floor: Floor, listing: Listing, limit: number): string {
  const { bids, asks } = bookView(floor.world, listing.symbol, limit);
  const { updateId } = floor.data.of(listing.symbol);
  return `{"lastUpdateId":${updateId},"bids":${levelsText(listing, bids)},"asks":${levelsText(listing, asks)}}`;
}

/**
 * The levels that were touched, as they are now, whatever they were before: a snapshot taken in between may have shown
 * what is gone by now. Update ids follow on each other without a gap.
 */
function depthDiff(floor: Floor, listing: Listing, periodMs: 100 | 1_000): PeriodicTopic {
  const { world, data } = floor;
  const { symbol } = listing;
  const [bids, asks] = [new Set<PriceTicks>(), new Set<PriceTicks>()];
  /** Where the market shows itself changes without any order. */
  const touchMarket = (): void => {
    const market = marketQuotes(world, symbol);
    if (!market) return;
    bids.add(market.bid);
    asks.add(market.ask);
  };
  const changesOf = (isBuy: boolean): string =>
    levelsText(
      listing,
      [...(isBuy ? bids : asks)].map((price) => ({
        price,
        quantity: quantityShown(world, symbol, isBuy, price),
      })),
    );
  touchMarket();
  let first = data.of(symbol).updateId + 1;
  const topic = changed(floor, listing, periodMs, (now) => {
    const { updateId } = data.of(symbol);
    const text = `{"e":"depthUpdate","E":${now},"s":"${listing.id}","U":${first},"u":${updateId},"b":${changesOf(true)},"a":${changesOf(false)}}`;
    first = updateId + 1;
    bids.clear();
    asks.clear();
    touchMarket();
    return text;
  });
  const note = ({ events }: Happening): void => {
    for (const event of events) {
      if (event.kind !== "order" || event.order.type === "market") continue;
      (event.order.side === "buy" ? bids : asks).add(event.order.price);
    }
    touchMarket();
  };
  return { ...topic, watches: { listing, note } };
}

function levelsText(listing: Listing, levels: readonly PriceLevel[]): string {
  const rows = levels.map(
    ({ price, quantity }) => `["${priceText(listing, price)}","${quantityText(listing, quantity)}"]`,
  );
  return `[${rows.join(",")}]`;
}

/** After a jump of the clock the latest of those that it jumped over are told of. */
const MOST_ENDED = 10;

/** The kline of now where something changed in it; each one before it once more when it is over. */
function klineTopic(floor: Floor, listing: Listing, kind: string): PeriodicTopic | undefined {
  const [what, name = ""] = kind.split("_");
  const interval = INTERVALS[name];
  if (what !== "kline" || interval === undefined) return undefined;
  const { data } = floor;
  const { symbol } = listing;
  let told = data.of(symbol).updateId;
  let openTime = interval.startOf(floor.world.time);
  return {
    kind: "periodic",
    periodMs: 1_000,
    messages(now) {
      const known = data.of(symbol);
      const { updateId } = known;
      const current = interval.startOf(now);
      const isChanged = updateId !== told;
      if (!isChanged && current === openTime) return [];
      const from = Math.max(openTime, interval.shift(current, -MOST_ENDED));
      const klines = klinesOf(candlesFor(known, interval), interval, from, now);
      openTime = current;
      told = updateId;
      return klines
        .filter((kline) => kline.openTime < current || isChanged)
        .map((kline) => klineEventText(floor, listing, name, kline, now));
    },
  };
}

function klineEventText(
  { data }: Floor,
  listing: Listing,
  interval: string,
  kline: Kline,
  now: Instant,
): string {
  const { openTime, closeTime, lots, value, trades: count, takenLots } = kline;
  const price = (ticks: PriceTicks): string => priceText(listing, ticks);
  const newest =
    count === 0 ? undefined : data.of(listing.symbol).trades.findLast(({ at }) => at <= closeTime);
  const ids = newest ? `"f":${newest.id - count + 1},"L":${newest.id}` : `"f":-1,"L":-1`;
  const taken = moneyText(shareOfValue(value, takenLots, lots));
  return `{"e":"kline","E":${now},"s":"${listing.id}","k":{"t":${openTime},"T":${closeTime},"s":"${listing.id}","i":"${interval}",${ids},"o":"${price(kline.open)}","c":"${price(kline.close)}","h":"${price(kline.high)}","l":"${price(kline.low)}","v":"${quantityText(listing, lots)}","n":${count},"x":${closeTime < now},"q":"${moneyText(value)}","V":"${quantityText(listing, takenLots)}","Q":"${taken}","B":"0"}}`;
}
