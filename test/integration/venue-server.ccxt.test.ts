/** A real ccxt client, with nothing but its urls replaced, trades on the venue's server. */
import ccxt from "ccxt";
import type { Order } from "ccxt";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { VenueProcess } from "../support/venue-process.ts";
import { VENUE_KEY, startVenueProcess } from "../support/venue-process.ts";

const SYMBOL = "BTC/USDT";
const LIMIT = { timeout: 10_000 };
let venue: VenueProcess;
let client: InstanceType<typeof ccxt.pro.binance>;

beforeAll(async () => {
  venue = await startVenueProcess();
  client = clientOf(venue, VENUE_KEY);
  await client.loadHttpProxyAgent();
  await client.loadMarkets();
});

afterAll(async () => {
  await client.close();
  await venue.server.stop();
});

describe("ccxt against the venue", () => {
  it("loads markets with the venue's filters", () => {
    const market = client.market(SYMBOL);
    expect(market.precision).toMatchObject({ price: 0.01, amount: 0.00001 });
    expect(market.limits).toMatchObject({ cost: { min: 5 }, amount: { min: 0.00001 } });
  });

  it("places, finds, lists and cancels an order by its client id", async () => {
    const params = { clientOrderId: "order-1" };
    const placed = await client.createOrder(SYMBOL, "limit", "buy", 0.001, 59_000, params);
    expect(placed).toMatchObject({ status: "open", clientOrderId: "order-1", price: 59_000, filled: 0 });
    expect(await client.fetchOrder("", SYMBOL, params)).toMatchObject({ id: placed.id, status: "open" });
    expect((await client.fetchOpenOrders(SYMBOL)).map(({ id }) => id)).toEqual([placed.id]);
    expect(await client.cancelOrder(placed.id ?? "", SYMBOL)).toMatchObject({ status: "canceled" });
    expect(await client.fetchOpenOrders(SYMBOL)).toEqual([]);
    expect((await client.fetchOrders(SYMBOL)).map(({ status }) => status)).toEqual(["canceled"]);
  });

  it("fills a resting order when the price comes, and tells of it on the order stream", async () => {
    await client.ensureUserDataStreamWsSubscribeSignature("spot");
    const seen = collectOrders();
    const { id } = await client.createOrder(SYMBOL, "limit", "buy", 0.001, 58_500);
    await vi.waitFor(
      () => expect(seen()).toContainEqual(expect.objectContaining({ id, status: "open" })),
      LIMIT,
    );
    const own = { clientOrderId: "given-up" };
    const other = await client.createOrder(SYMBOL, "limit", "buy", 0.001, 50_000, own);
    await client.cancelOrder(other.id ?? "", SYMBOL);
    const canceled = { id: other.id, status: "canceled", ...own };
    await vi.waitFor(() => expect(seen()).toContainEqual(expect.objectContaining(canceled)), LIMIT);
    await venue.admin.move(SYMBOL, "58000");
    const filled = { id, status: "closed", filled: 0.001, remaining: 0 };
    await vi.waitFor(() => expect(seen()).toContainEqual(expect.objectContaining(filled)), LIMIT);
    const [trade] = await client.fetchMyTrades(SYMBOL);
    expect(trade).toMatchObject({ order: id, price: 58_500, amount: 0.001, takerOrMaker: "maker" });
    expect(trade?.fee).toMatchObject({ currency: "BTC", cost: 0.000_001 });
    const balance = await client.fetchBalance();
    expect(balance["BTC"]).toMatchObject({ free: 1.000_999, used: 0 });
    expect(balance["USDT"]).toMatchObject({ free: 100_000 - 58.5, used: 0 });
  });

  it("shows prices, the book and candles", async () => {
    expect((await client.fetchTicker(SYMBOL)).last).toBe(58_000);
    const bidAsk = (await client.fetchBidsAsks([SYMBOL]))[SYMBOL];
    expect(bidAsk).toMatchObject({ bid: 58_000, ask: 58_000.01 });
    const book = await client.fetchOrderBook(SYMBOL, 5);
    expect([book.bids[0]?.[0], book.asks[0]?.[0]]).toEqual([58_000, 58_000.01]);
    const [candle] = await client.fetchOHLCV(SYMBOL, "1m");
    expect(candle?.[1]).toBe(60_000);
    expect(Math.abs(((await client.fetchTime()) ?? 0) - Date.now())).toBeLessThan(5_000);
  });

  it("tells of prices, the book, trades and balances on its streams", async () => {
    const watched: readonly (readonly [name: string, watch: () => Promise<unknown>])[] = [
      ["best prices", () => client.watchBidsAsks([SYMBOL])],
      ["ticker", () => client.watchTicker(SYMBOL)],
      ["all tickers", () => client.watchTickers()],
      ["full tickers", () => client.watchTickers([SYMBOL], { name: "ticker" })],
      ["book", () => client.watchOrderBook(SYMBOL)],
      ["trades", () => client.watchTrades(SYMBOL)],
      ["candles", () => client.watchOHLCV(SYMBOL)],
      ["candles of hours", () => client.watchOHLCV(SYMBOL, "1h")],
      ["orders", () => client.watchOrders(SYMBOL)],
      ["my trades", () => client.watchMyTrades(SYMBOL)],
      ["balance", () => client.watchBalance()],
    ];
    const missing = new Set(watched.map(([name]) => name));
    const all = Promise.all(watched.map(async ([name, watch]) => watch().then(() => missing.delete(name))));
    for (let price = 57_000; missing.size > 0; price = 114_001 - price) {
      await venue.admin.move(SYMBOL, String(price));
      await client.createOrder(SYMBOL, "market", "buy", 0.001);
    }
    await all;
    const [trade] = await client.fetchTrades(SYMBOL, undefined, 1);
    await vi.waitFor(() => {
      expect(client.trades[SYMBOL]?.at(-1)).toMatchObject({ id: trade?.id, price: trade?.price });
      expect(client.tickers[SYMBOL]?.last).toBe(trade?.price);
    }, LIMIT);
    expect(Object.keys(client.ohlcvs[SYMBOL] ?? {}).sort()).toEqual(["1h", "1m"]);
  });

  it("keeps the very book that the venue has", async () => {
    const prices = [56_990, 56_980, 56_970, 56_960].map((price, index) => price + index / 100);
    const changed = client.watchOrderBook(SYMBOL);
    for (const price of prices) await client.createOrder(SYMBOL, "limit", "buy", 0.001, price);
    await changed;
    await vi.waitFor(async () => {
      const own = await client.fetchOrderBook(SYMBOL, 100);
      const kept = client.orderbooks[SYMBOL];
      expect(own.bids.length).toBeGreaterThan(prices.length);
      expect([[...(kept?.bids ?? [])], [...(kept?.asks ?? [])]]).toEqual([own.bids, own.asks]);
    }, LIMIT);
  });

  it("refuses in words that ccxt has classes for", async () => {
    const limit = async (amount: number, price: number, params = {}) =>
      client.createOrder(SYMBOL, "limit", "buy", amount, price, params);
    await expect(limit(100, 50_000)).rejects.toThrow(ccxt.InsufficientFunds);
    await expect(client.fetchOrder("999999", SYMBOL)).rejects.toThrow(ccxt.OrderNotFound);
    await expect(client.cancelOrder("999999", SYMBOL)).rejects.toThrow(ccxt.OrderNotFound);
    await expect(limit(0.001, 59_000, { postOnly: true })).rejects.toThrow(ccxt.OrderImmediatelyFillable);
    await expect(limit(0.001, 50_000, { timestamp: Date.now() - 20_000 })).rejects.toThrow(ccxt.InvalidNonce);
    expect(await client.sapiGetAccountApiRestrictions()).toMatchObject({ enableWithdrawals: false });
  });

  it("shows the last price after a day without any other", async () => {
    const { last } = await client.fetchTicker(SYMBOL);
    await venue.admin.setClockOffset(2 * 86_400_000);
    expect(await client.fetchTicker(SYMBOL)).toMatchObject({ last, open: last, high: last, baseVolume: 0 });
  });
});

/** Everything that the order stream has told so far; it ends with the client. */
function collectOrders(): () => readonly Order[] {
  const seen: Order[] = [];
  const watch = async (): Promise<void> => {
    for (;;) seen.push(...(await client.watchOrders(SYMBOL)).map((order) => ({ ...order })));
  };
  // The client's end rejects the last watch.
  watch().catch(() => undefined);
  return () => seen;
}

function clientOf({ url, wsUrl }: VenueProcess, { apiKey, secret }: typeof VENUE_KEY) {
  return new ccxt.pro.binance({
    apiKey,
    secret,
    enableRateLimit: false,
    urls: {
      api: {
        public: `${url}/api/v3`,
        private: `${url}/api/v3`,
        v1: `${url}/api/v1`,
        sapi: `${url}/sapi/v1`,
        ws: {
          spot: `${wsUrl}/stream/ws`,
          margin: `${wsUrl}/stream/ws`,
          "ws-api": { spot: `${wsUrl}/ws-api/v3` },
        },
      },
    },
    options: {
      defaultType: "spot",
      fetchMarkets: { types: ["spot"] },
      fetchCurrencies: false,
      fetchMargins: false,
    },
  });
}
