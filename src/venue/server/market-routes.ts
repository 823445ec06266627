/** What anybody may ask: time, rules, prices, books, trades and candles. */
import { notional } from "../../domain/instrument.ts";
import { badInterval, badSymbol } from "./api-error.ts";
import { bookView } from "./book-view.ts";
import { INTERVALS, candlesFor, klineText, klinesOf } from "./klines.ts";
import { pastKlineTexts } from "./kline-history.ts";
import type { Listing } from "./listing.ts";
import { moneyText, priceText, quantityText } from "./listing.ts";
import type { TapeTrade } from "./market-data.ts";
import type { Limits } from "./options.ts";
import { ZERO_TEXT } from "./order-json.ts";
import type { Params } from "./params.ts";
import { limitOf, optional, optionalInteger, required, symbolList } from "./params.ts";
import type { Floor, PublicRoute } from "./route.ts";
import { listingIn } from "./route.ts";
import { averagePrice, bestPrices, dayTicker } from "./tickers.ts";

export function marketRoutes(floor: Floor): readonly PublicRoute[] {
  const { listings, data, world } = floor;
  const get = (path: string, weight: PublicRoute["weight"], answer: PublicRoute["answer"]): PublicRoute => ({
    method: "GET",
    path,
    access: "public",
    weight,
    answer,
  });
  /** One object for `symbol`, a list for `symbols` or neither. */
  const forEach = (params: Params, textOf: (listing: Listing) => string): string => {
    if (params.has("symbol")) return textOf(listingIn(listings, params));
    const names = symbolList(params);
    return `[${(names ? names.map((name) => named(floor, name)) : listings.all).map(textOf).join(",")}]`;
  };
  return [
    get("/api/v3/ping", 1, () => "{}"),
    get("/api/v3/time", 1, ({ now }) => `{"serverTime":${now}}`),
    get("/sapi/v1/system/status", 1, () => '{"status":0,"msg":"normal"}'),
    get("/api/v3/exchangeInfo", 20, ({ params, now }) => {
      const names = params.has("symbol") ? [listingIn(listings, params).id] : symbolList(params);
      const asked = names ? names.map((name) => named(floor, name)) : listings.all;
      const symbols = asked.map(describeSymbol);
      const rateLimits = describeLimits(floor.terms);
      return JSON.stringify({ timezone: "UTC", serverTime: now, rateLimits, exchangeFilters: [], symbols });
    }),
    get("/api/v3/depth", depthWeight, ({ params }) => {
      const listing = listingIn(listings, params);
      const { bids, asks } = bookView(world, listing.symbol, limitOf(params, 100, 5_000));
      const side = (levels: typeof bids): string =>
        levels
          .map(
            ({ price, quantity }) => `["${priceText(listing, price)}","${quantityText(listing, quantity)}"]`,
          )
          .join(",");
      const { updateId } = data.of(listing.symbol);
      return `{"lastUpdateId":${updateId},"bids":[${side(bids)}],"asks":[${side(asks)}]}`;
    }),
    get("/api/v3/trades", 25, ({ params }) => {
      const listing = listingIn(listings, params);
      const trades = data.of(listing.symbol).trades.slice(-limitOf(params, 500, 1_000));
      return `[${trades.map((trade) => publicTradeText(listing, trade)).join(",")}]`;
    }),
    get("/api/v3/aggTrades", 4, ({ params }) => {
      const listing = listingIn(listings, params);
      const fromId = optionalInteger(params, "fromId");
      const startTime = optionalInteger(params, "startTime");
      const endTime = optionalInteger(params, "endTime") ?? Number.POSITIVE_INFINITY;
      const limit = limitOf(params, 500, 1_000);
      const trades = data
        .of(listing.symbol)
        .trades.filter(({ id, at }) => id >= (fromId ?? 0) && at >= (startTime ?? 0) && at <= endTime);
      const hasBeginning = fromId !== undefined || startTime !== undefined;
      const asked = hasBeginning ? trades.slice(0, limit) : trades.slice(-limit);
      return `[${asked.map((trade) => aggregateText(listing, trade)).join(",")}]`;
    }),
    get("/api/v3/klines", 2, ({ params, now }) => {
      const listing = listingIn(listings, params);
      const interval = INTERVALS[required(params, "interval")];
      if (interval === undefined) throw badInterval();
      const limit = limitOf(params, 500, 1_000);
      const startTime = optionalInteger(params, "startTime");
      const to = Math.min(optionalInteger(params, "endTime") ?? now, now);
      const from = startTime ?? interval.shift(interval.startOf(to), 1 - limit);
      const candles = candlesFor(data.of(listing.symbol), interval);
      const [first] = candles;
      const pastTo = first ? Math.min(to, interval.startOf(first.openTime) - 1) : to;
      const past = listing.history ? pastKlineTexts(listing.history, interval, from, pastTo, limit) : [];
      const own = klinesOf(candles, interval, from, to, limit);
      const texts = [...past, ...own.map((kline) => klineText(listing, kline))];
      return `[${(startTime === undefined ? texts.slice(-limit) : texts.slice(0, limit)).join(",")}]`;
    }),
    get("/api/v3/avgPrice", 2, ({ params, now }) => {
      const listing = listingIn(listings, params);
      return `{"mins":5,"price":"${averagePrice(floor, listing, now)}","closeTime":${now}}`;
    }),
    get("/api/v3/ticker/24hr", tickerWeight, ({ params, now }) =>
      forEach(params, (listing) => JSON.stringify({ symbol: listing.id, ...dayTicker(floor, listing, now) })),
    ),
    get("/api/v3/ticker/price", priceWeight, ({ params }) =>
      forEach(params, (listing) => {
        const { last } = data.of(listing.symbol);
        return `{"symbol":"${listing.id}","price":"${last === undefined ? ZERO_TEXT : priceText(listing, last)}"}`;
      }),
    ),
    get("/api/v3/ticker/bookTicker", priceWeight, ({ params }) =>
      forEach(params, (listing) => JSON.stringify({ symbol: listing.id, ...bestPrices(floor, listing) })),
    ),
  ];
}

function named({ listings }: Floor, name: string): Listing {
  const listing = listings.byId.get(name);
  if (!listing) throw badSymbol();
  return listing;
}

function depthWeight(params: Params): number {
  const limit = Number(optional(params, "limit") ?? 100);
  if (!(limit > 100)) return 5;
  if (limit <= 500) return 25;
  return limit <= 1_000 ? 50 : 250;
}

function priceWeight(params: Params): number {
  return params.has("symbol") ? 2 : 4;
}

function tickerWeight(params: Params): number {
  if (params.has("symbol")) return 2;
  const count = (params.get("symbols") ?? "").split(",").length;
  if (!params.has("symbols") || count > 100) return 80;
  return count > 20 ? 40 : 2;
}

/** Each trade is an aggregate of its own. */
function aggregateText(listing: Listing, { id, price, quantity, at, isBuyerMaker }: TapeTrade): string {
  return `{"a":${id},"p":"${priceText(listing, price)}","q":"${quantityText(listing, quantity)}","f":${id},"l":${id},"T":${at},"m":${isBuyerMaker},"M":true}`;
}

function publicTradeText(listing: Listing, { id, price, quantity, at, isBuyerMaker }: TapeTrade): string {
  const value = moneyText(notional(listing.instrument, price, quantity));
  return `{"id":${id},"price":"${priceText(listing, price)}","qty":"${quantityText(listing, quantity)}","quoteQty":"${value}","time":${at},"isBuyerMaker":${isBuyerMaker},"isBestMatch":true}`;
}

function describeLimits({ weightPerMinute, ordersPer10Seconds, ordersPerDay }: Limits): readonly object[] {
  return [
    { rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: weightPerMinute },
    { rateLimitType: "ORDERS", interval: "SECOND", intervalNum: 10, limit: ordersPer10Seconds },
    { rateLimitType: "ORDERS", interval: "DAY", intervalNum: 1, limit: ordersPerDay },
  ];
}

function describeSymbol(listing: Listing): object {
  const { id, instrument, filters } = listing;
  const { base, quote, tickSize, lotSize } = instrument;
  const { minPrice, maxPrice, minQuantity, maxQuantity, minNotional, maxNotional } = filters;
  const lots = { minQty: quantityText(listing, minQuantity), maxQty: quantityText(listing, maxQuantity) };
  return {
    symbol: id,
    status: "TRADING",
    baseAsset: base,
    baseAssetPrecision: 8,
    quoteAsset: quote,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    baseCommissionPrecision: 8,
    quoteCommissionPrecision: 8,
    orderTypes: ["LIMIT", "LIMIT_MAKER", "MARKET"],
    icebergAllowed: false,
    ocoAllowed: false,
    otoAllowed: false,
    quoteOrderQtyMarketAllowed: false,
    allowTrailingStop: false,
    cancelReplaceAllowed: false,
    amendAllowed: false,
    pegInstructionsAllowed: false,
    isSpotTradingAllowed: true,
    isMarginTradingAllowed: false,
    filters: [
      {
        filterType: "PRICE_FILTER",
        minPrice: priceText(listing, minPrice),
        maxPrice: priceText(listing, maxPrice),
        tickSize: moneyText(tickSize),
      },
      { filterType: "LOT_SIZE", ...lots, stepSize: moneyText(lotSize) },
      { filterType: "MARKET_LOT_SIZE", ...lots, stepSize: moneyText(lotSize) },
      {
        filterType: "NOTIONAL",
        minNotional: moneyText(minNotional),
        applyMinToMarket: true,
        maxNotional: moneyText(maxNotional),
        applyMaxToMarket: true,
        avgPriceMins: 0,
      },
      { filterType: "MAX_NUM_ORDERS", maxNumOrders: filters.maxOpenOrders },
    ],
    permissions: [],
    permissionSets: [["SPOT"]],
    defaultSelfTradePreventionMode: "EXPIRE_MAKER",
    allowedSelfTradePreventionModes: ["EXPIRE_MAKER"],
  };
}
