/** What each public stream says, and how often: by Binance's names. */
import type { PriceTicks } from "../../domain/amounts.ts";
import { ZERO_LOTS } from "../../domain/amounts.ts";
import type { Instant } from "../../domain/ids.ts";
import type { BookView, PriceLevel } from "./book-view.ts";
import { bookView } from "./book-view.ts";
import { INTERVALS, klinesOf } from "./klines.ts";
import type { Listing } from "./listing.ts";
import { moneyText, priceText, quantityText } from "./listing.ts";
import type { TapeTrade } from "./market-data.ts";
import { ZERO_TEXT } from "./order-json.ts";
import type { Floor } from "./route.ts";
import { bestPrices, dayTicker } from "./tickers.ts";
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
  message(now: Instant): string | undefined;
  /** Of a topic that must see each command in between. */
  readonly watches?: { readonly listing: Listing; note(happening: Happening): void };
}

export type TopicKind = LiveTopic | PeriodicTopic;

/** As many levels as Binance keeps track of. */
const MOST_LEVELS = 5_000;

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
    message(now) {
      const { updateId } = data.of(symbol);
      if (updateId === told) return undefined;
      told = updateId;
      return textOf(now);
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
    message(now) {
      const texts = each.flatMap((topic) => topic.message(now) ?? []);
      return texts.length === 0 ? undefined : `[${texts.join(",")}]`;
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

function depthText(floor: Floor, listing: Listing, limit: number): string {
  const { bids, asks } = bookView(floor.world, listing.symbol, limit);
  const { updateId } = floor.data.of(listing.symbol);
  return `{"lastUpdateId":${updateId},"bids":${levelsText(listing, bids)},"asks":${levelsText(listing, asks)}}`;
}

/**
 * The levels that were touched, whatever became of them: a snapshot taken in between may have shown what is gone
 * by now. Update ids follow on each other without a gap.
 */
function depthDiff(floor: Floor, listing: Listing, periodMs: 100 | 1_000): PeriodicTopic {
  const { symbol } = listing;
  const view = (): BookView => bookView(floor.world, symbol, MOST_LEVELS);
  const touched = new Set<PriceTicks>();
  let told = view();
  let first = floor.data.of(symbol).updateId + 1;
  const topic = changed(floor, listing, periodMs, (now) => {
    const next = view();
    const { updateId } = floor.data.of(symbol);
    const bids = levelsText(listing, changesOf(told.bids, next.bids, touched));
    const asks = levelsText(listing, changesOf(told.asks, next.asks, touched));
    const text = `{"e":"depthUpdate","E":${now},"s":"${listing.id}","U":${first},"u":${updateId},"b":${bids},"a":${asks}}`;
    told = next;
    first = updateId + 1;
    touched.clear();
    return text;
  });
  const note = ({ command, events }: Happening): void => {
    for (const event of events) if (event.kind === "order") touched.add(event.order.price);
    if (command.kind !== "move" || !floor.world.isUnlimited) return;
    // What the market shows of itself stands at its price or a tick beside it.
    for (const ticks of [-1, 0, 1]) touched.add((command.price + ticks) as PriceTicks);
  };
  return { ...topic, watches: { listing, note } };
}

/** Quantities of the levels that are not as before or were touched; zero where there is none. */
function changesOf(
  before: readonly PriceLevel[],
  after: readonly PriceLevel[],
  touched: ReadonlySet<PriceTicks>,
): readonly PriceLevel[] {
  const old = new Map(before.map(({ price, quantity }) => [price, quantity]));
  const now = new Map(after.map(({ price, quantity }) => [price, quantity]));
  const prices = new Set([...touched, ...old.keys(), ...now.keys()]);
  return [...prices].flatMap((price) => {
    const quantity = now.get(price) ?? ZERO_LOTS;
    return touched.has(price) || quantity !== (old.get(price) ?? 0) ? [{ price, quantity }] : [];
  });
}

function levelsText(listing: Listing, levels: readonly PriceLevel[]): string {
  const rows = levels.map(
    ({ price, quantity }) => `["${priceText(listing, price)}","${quantityText(listing, quantity)}"]`,
  );
  return `[${rows.join(",")}]`;
}

function klineTopic(floor: Floor, listing: Listing, kind: string): PeriodicTopic | undefined {
  const [name, interval = ""] = kind.split("_");
  const intervalMs = INTERVALS[interval];
  if (name !== "kline" || intervalMs === undefined) return undefined;
  return changed(floor, listing, 1_000, (now) => {
    const { candles, trades } = floor.data.of(listing.symbol);
    const kline = klinesOf(candles, intervalMs, now - intervalMs + 1, now).at(-1);
    const price = (value: Parameters<typeof priceText>[1] | undefined): string =>
      value === undefined ? ZERO_TEXT : priceText(listing, value);
    const last = trades.at(-1)?.id ?? -1;
    const count = kline?.trades ?? 0;
    return `{"e":"kline","E":${now},"s":"${listing.id}","k":{"t":${kline?.openTime ?? now},"T":${kline?.closeTime ?? now},"s":"${listing.id}","i":"${interval}","f":${count === 0 ? -1 : last - count + 1},"L":${count === 0 ? -1 : last},"o":"${price(kline?.open)}","c":"${price(kline?.close)}","h":"${price(kline?.high)}","l":"${price(kline?.low)}","v":"${kline ? quantityText(listing, kline.lots) : ZERO_TEXT}","n":${count},"x":${kline !== undefined && kline.closeTime < now},"q":"${kline ? moneyText(kline.value) : ZERO_TEXT}","V":"${kline ? quantityText(listing, kline.takenLots) : ZERO_TEXT}","Q":"${ZERO_TEXT}","B":"0"}}`;
  });
}
