/** Binance's answers, through ccxt's own parsing, in our words. */
import { beforeAll, describe, expect, it } from "vitest";
import { createInstrument } from "../../../src/domain/instrument.ts";
import type { Instant } from "../../../src/domain/ids.ts";
import type { CcxtClient, CcxtRecord } from "../../../src/exchange/ccxt/ccxt-client.ts";
import {
  idOf,
  toBalances,
  toExecution,
  toInstrument,
  toOrder,
  toPrice,
} from "../../../src/exchange/ccxt/ccxt-normalize.ts";
import { BINANCE } from "../../../src/exchange/ccxt/binance.ts";
import { createClient } from "../../../src/exchange/ccxt/create-client.ts";
import { realClock } from "../../../src/exchange/sim/real-clock.ts";

/** What ccxt makes of an answer, before anybody reads it. */
interface Parsing extends CcxtClient {
  readonly options: Record<string, unknown>;
  parseMarket(market: object): CcxtRecord;
  parseOrder(order: object): CcxtRecord;
  parseTrade(trade: object): CcxtRecord;
  parseWsOrder(event: object): CcxtRecord;
  parseWsTrade(event: object): CcxtRecord;
  parseTicker(ticker: object): CcxtRecord;
  parseBalanceCustom(answer: object, type: string, mode: undefined, papi: boolean): CcxtRecord;
}

const INSTRUMENT = createInstrument({
  exchange: "binance",
  symbol: "BTC/USDT",
  tickSize: "0.01",
  lotSize: "0.00001",
  minNotional: "5",
  makerFee: "0.001",
  takerFee: "0.001",
});
const MARKET = {
  symbol: "BTCUSDT",
  status: "TRADING",
  baseAsset: "BTC",
  baseAssetPrecision: 8,
  quoteAsset: "USDT",
  quotePrecision: 8,
  orderTypes: ["LIMIT", "LIMIT_MAKER", "MARKET"],
  isSpotTradingAllowed: true,
  permissions: [],
  permissionSets: [["SPOT"]],
  filters: [
    { filterType: "PRICE_FILTER", minPrice: "0.01", maxPrice: "1000000.00", tickSize: "0.01000000" },
    { filterType: "LOT_SIZE", minQty: "0.00002000", maxQty: "9000", stepSize: "0.00001000" },
    { filterType: "NOTIONAL", minNotional: "5.00000000", applyMinToMarket: true, maxNotional: "9000000" },
  ],
};
const ORDER = {
  symbol: "BTCUSDT",
  orderId: 28,
  clientOrderId: "abcdefghij000000100000001",
  price: "29999.99000000",
  origQty: "0.00100000",
  executedQty: "0.00040000",
  cummulativeQuoteQty: "11.99999600",
  status: "PARTIALLY_FILLED",
  timeInForce: "GTC",
  type: "LIMIT_MAKER",
  side: "BUY",
  time: 1_700_000_000_123,
  updateTime: 1_700_000_001_123,
};
const EXECUTION_REPORT = {
  e: "executionReport",
  E: 1_700_000_002_000,
  s: "BTCUSDT",
  c: "abcdefghij000000100000001",
  S: "BUY",
  o: "LIMIT",
  f: "GTC",
  q: "0.00100000",
  p: "29999.99000000",
  P: "0.00000000",
  C: "",
  x: "TRADE",
  X: "PARTIALLY_FILLED",
  i: 28,
  l: "0.00040000",
  z: "0.00040000",
  L: "29999.99000000",
  n: "0.00000040",
  N: "BTC",
  T: 1_700_000_001_999,
  t: 77,
  m: true,
  O: 1_700_000_000_123,
  Z: "11.99999600",
  Y: "11.99999600",
};

describe("an answer of Binance", () => {
  let ccxt: Parsing;
  beforeAll(async () => {
    ccxt = (await createClient({
      exchange: "binance",
      dialect: BINANCE,
      keys: undefined,
      isSandbox: false,
      urls: undefined,
      now: () => 0,
      clock: realClock,
      noteAnswer: () => undefined,
    })) as Parsing;
    ccxt.options["crossMarginPairsData"] = [];
    ccxt.options["isolatedMarginPairsData"] = [];
    ccxt.setMarkets([ccxt.parseMarket(MARKET)], {});
  });

  const market = (changes: object = {}): CcxtRecord => ccxt.parseMarket({ ...MARKET, ...changes });

  it("is an instrument with its exact steps and minimums", () => {
    const fees = { maker: "0.001", taker: "0.0015" };

    expect(toInstrument("binance", market(), ccxt.precisionMode, fees)).toEqual(
      createInstrument({
        exchange: "binance",
        symbol: "BTC/USDT",
        tickSize: "0.01",
        lotSize: "0.00001",
        minQuantity: "0.00002",
        minNotional: "5",
        makerFee: "0.001",
        takerFee: "0.0015",
      }),
    );
  });

  it("has steps of 1e-8, which ccxt writes with an exponent", () => {
    const filters = MARKET.filters.map((filter) =>
      filter.filterType === "PRICE_FILTER" ? { ...filter, tickSize: "0.00000001" } : filter,
    );
    const instrument = toInstrument("binance", market({ filters }), ccxt.precisionMode, {
      maker: "0",
      taker: "1e-3",
    });

    expect(instrument.tickSize).toBe(10_000_000_000n);
    expect(instrument.takerFee).toBe(1_000_000_000_000_000n);
  });

  it("is no instrument where the market is closed or not a spot market", () => {
    const fees = { maker: "0", taker: "0" };

    expect(() => toInstrument("binance", market({ status: "BREAK" }), 4, fees)).toThrow("not traded");
    expect(() => toInstrument("binance", { ...market(), spot: false }, 4, fees)).toThrow("not a spot");
    expect(() => toInstrument("binance", { ...market(), precision: {} }, 4, fees)).toThrow();
  });

  it("is an order with our id, its limit and what it executed", () => {
    expect(toOrder(INSTRUMENT, ccxt.parseOrder(ORDER))).toEqual({
      id: ORDER.clientOrderId,
      exchangeOrderId: "28",
      side: "buy",
      type: "limit_maker",
      price: 2_999_999,
      quantity: 100,
      executed: 40,
      status: "open",
      createdAt: 1_700_000_000_123,
    });
  });

  it.each([
    ["NEW", "open"],
    ["PENDING_NEW", "open"],
    ["FILLED", "filled"],
    ["CANCELED", "canceled"],
    ["PENDING_CANCEL", "open"],
    ["EXPIRED", "expired"],
    ["EXPIRED_IN_MATCH", "expired"],
    ["REJECTED", "rejected"],
  ])("is an order that is %s: %s", (status, expected) => {
    expect(toOrder(INSTRUMENT, ccxt.parseOrder({ ...ORDER, status })).status).toBe(expected);
  });

  it("is a market order at its average price, rounded to the tick", () => {
    const order = ccxt.parseOrder({
      ...ORDER,
      type: "MARKET",
      price: "0.00000000",
      status: "FILLED",
      executedQty: "0.00300000",
      origQty: "0.00300000",
      cummulativeQuoteQty: "90.00001000",
    });

    expect(toOrder(INSTRUMENT, order)).toMatchObject({ type: "market", price: 3_000_000, executed: 300 });
  });

  it("is refused where an order has a state that nobody knows", () => {
    expect(() => toOrder(INSTRUMENT, ccxt.parseOrder({ ...ORDER, status: "DREAMING" }))).toThrow(
      "makes no sense",
    );
    expect(() => toOrder(INSTRUMENT, {})).toThrow("makes no sense");
  });

  it("is an execution, the same from the list and from the stream", () => {
    const listed = toExecution(
      INSTRUMENT,
      ccxt.parseTrade({
        symbol: "BTCUSDT",
        id: 77,
        orderId: 28,
        price: "29999.99000000",
        qty: "0.00040000",
        commission: "0.00000040",
        commissionAsset: "BTC",
        time: 1_700_000_001_999,
        isBuyer: true,
        isMaker: true,
      }),
    );
    const streamed = ccxt.parseWsTrade(EXECUTION_REPORT);

    expect(listed).toEqual({
      tradeId: "77",
      exchangeOrderId: "28",
      side: "buy",
      price: 2_999_999,
      quantity: 40,
      fee: 400_000_000_000n,
      feeAsset: "BTC",
      liquidity: "maker",
      at: 1_700_000_001_999,
    });
    expect(toExecution(INSTRUMENT, streamed)).toEqual(listed);
    expect(BINANCE.clientIdOfTrade(streamed)).toBe(EXECUTION_REPORT.c);
  });

  it("names on the stream the order that was cancelled, not the request that cancelled it", () => {
    const canceled = {
      ...EXECUTION_REPORT,
      x: "CANCELED",
      X: "CANCELED",
      C: ORDER.clientOrderId,
      c: "web_1",
    };

    expect(toOrder(INSTRUMENT, ccxt.parseWsOrder(canceled))).toMatchObject({
      id: ORDER.clientOrderId,
      exchangeOrderId: "28",
      status: "canceled",
      executed: 40,
    });
  });

  it("is no execution of ours where it is finer than tick and lot", () => {
    const trade = { ...ccxt.parseWsTrade(EXECUTION_REPORT), amount: "0.000401" };

    expect(() => toExecution(INSTRUMENT, trade)).toThrow("not a multiple of the lot size");
  });

  it("is a price with its time", () => {
    const ticker = ccxt.parseTicker({ symbol: "BTCUSDT", lastPrice: "30000.01000000", closeTime: 5_000 });

    expect(toPrice(INSTRUMENT, ticker, 9 as Instant)).toEqual({ price: 3_000_001, at: 5_000 });
    expect(toPrice(INSTRUMENT, { last: "30000.01" }, 9 as Instant).at).toBe(9);
    expect(() => toPrice(INSTRUMENT, {}, 9 as Instant)).toThrow("has no price yet");
  });

  it("is what the account owns, without what it owns nothing of", () => {
    const answer = ccxt.parseBalanceCustom(
      {
        balances: [
          { asset: "BTC", free: "0.10000000", locked: "0.00000001" },
          { asset: "ETH", free: "0.00000000", locked: "0.00000000" },
        ],
      },
      "spot",
      undefined,
      false,
    );

    expect(toBalances(answer)).toEqual([
      { asset: "BTC", free: 100_000_000_000_000_000n, locked: 10_000_000_000n },
    ]);
  });

  it("names no order where it is a page of a proxy", () => {
    expect(idOf("<html>")).toBeUndefined();
    expect(idOf({})).toBeUndefined();
    expect(idOf({ id: "" })).toBeUndefined();
    expect(idOf({ id: "28" })).toBe("28");
  });
});
