/** The public streams, and markets that move by themselves: walks, candle files, other users. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { serverFolder } from "../support/servers/private-server.ts";
import type { Depth, Message } from "../support/stream-client.ts";
import { listen } from "../support/stream-client.ts";
import { callRaw, callSigned, placeLimit } from "../support/venue-client.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { startVenueProcess } from "../support/venue-process.ts";

const WITHIN = { timeout: 60_000 };
const RULES = { tick_size: "0.01", lot_size: "0.00001", min_notional: "5" };

let venue: VenueProcess | undefined;

afterEach(async () => {
  await venue?.server.stop();
  venue = undefined;
});

describe("public streams", () => {
  it("tell of trades, best prices, tickers, candles and the book, each by its name", async () => {
    venue = await startVenueProcess();
    const names = [
      "trade",
      "aggTrade",
      "bookTicker",
      "miniTicker",
      "ticker",
      "kline_1m",
      "avgPrice",
      "depth@100ms",
      "depth5",
      "depth10@100ms",
      "depth20",
    ];
    const stream = await listen(venue, `/stream?streams=${names.map((name) => `btcusdt@${name}`).join("/")}`);
    await placeLimit(venue, "rests", "BUY", "59000", "0.002");
    await placeLimit(venue, "takes", "BUY", "60000", "0.001");
    const data = (name: string): readonly Message[] => stream.of(`btcusdt@${name}`);
    await vi.waitFor(() => {
      for (const name of names) expect(data(name).length, name).toBeGreaterThan(0);
    }, WITHIN);
    expect(data("trade")).toMatchObject([
      { e: "trade", t: 1, p: "60000.00000000", q: "0.00100000", m: false },
    ]);
    expect(data("aggTrade")).toMatchObject([{ e: "aggTrade", a: 1 }]);
    expect(data("bookTicker").at(-1)).toMatchObject({
      s: "BTCUSDT",
      b: "60000.00000000",
      a: "60000.01000000",
    });
    expect(data("miniTicker").at(-1)).toMatchObject({ e: "24hrMiniTicker", c: "60000.00000000" });
    // One may be told of between the two orders.
    await vi.waitFor(() => {
      const trade = { e: "24hrTicker", n: 1, v: "0.00100000", q: "60.00000000" };
      expect(data("ticker").at(-1)).toMatchObject(trade);
    }, WITHIN);
    expect(data("kline_1m").at(-1)).toMatchObject({ e: "kline", k: { i: "1m", c: "60000.00000000" } });
    expect(data("depth5").at(-1)).toHaveProperty("bids");
    expect(data("avgPrice").at(-1)).toMatchObject({ e: "avgPrice", i: "5m", w: "60000.00000000" });
    stream.close();
  });

  it("are asked for and ended by messages, and tell of all symbols at once", async () => {
    venue = await startVenueProcess();
    const { admin } = venue;
    const stream = await listen(venue, "/stream/ws/3");
    stream.send({ method: "SUBSCRIBE", params: ["btcusdt@bookTicker", "!miniTicker@arr"], id: 7 });
    await vi.waitFor(() => expect(stream.all()).toEqual([{ result: null, id: 7 }]), WITHIN);
    await admin.move("BTC/USDT", "61000");
    await vi.waitFor(() => expect(stream.all()).toHaveLength(3), WITHIN);
    expect(stream.all()[1]).toMatchObject({ b: "61000.00000000" });
    expect(stream.all()[2]).toMatchObject([{ e: "24hrMiniTicker", c: "61000.00000000" }]);
    const last = (answer: object) => vi.waitFor(() => expect(stream.all().at(-1)).toEqual(answer), WITHIN);
    stream.send({ method: "SET_PROPERTY", params: ["combined", true], id: "a" });
    await last({ result: null, id: "a" });
    stream.send({ method: "GET_PROPERTY", params: ["combined"], id: "b" });
    await last({ result: true, id: "b" });
    await admin.move("BTC/USDT", "61001");
    await vi.waitFor(() => expect(stream.of("btcusdt@bookTicker")).toHaveLength(1), WITHIN);
    await vi.waitFor(() => expect(stream.of("!miniTicker@arr")).toHaveLength(1), WITHIN);
    stream.send({ method: "UNSUBSCRIBE", params: ["btcusdt@bookTicker", "!miniTicker@arr"], id: 8 });
    stream.send({ method: "LIST_SUBSCRIPTIONS", id: 9 });
    await vi.waitFor(() => expect(stream.all().at(-1)).toEqual({ result: [], id: 9 }), WITHIN);
    stream.close();
  });
});

describe("markets that move by themselves", () => {
  it("walk, replay several files, and trade with other users; what they did outlives the process", async () => {
    const folder = serverFolder("venue-candles");
    const file = (name: string, price: number): string => {
      const rows = Array.from({ length: 200 }, (_, index) => {
        const open = price + index;
        return `${1_700_000_000_000 + index * 60_000},${open},${open + 2},${open - 1},${open + 1},1`;
      });
      const path = join(folder, name);
      writeFileSync(path, `timestamp,open,high,low,close,volume\n${rows.join("\n")}\n`);
      return path;
    };
    const replay = (name: string, price: number) => ({
      ...RULES,
      market: { type: "replay", file: file(name, price), speed: "6000" },
    });
    venue = await startVenueProcess({
      crowd: { orders_per_point: "2", max_quantity: "100000" },
      symbols: {
        "BTC/USDT": { ...RULES, market: { type: "walk", start_price: "60000", step: "5", step_ms: "10" } },
        "ETH/USDT": replay("eth.csv", 3_000),
        "SOL/USDT": replay("sol.csv", 150),
      },
      accounts: { main: { USDT: "1000000", BTC: "10" }, other: {} },
    });
    const { admin, server } = venue;
    const pointsOf = async (): Promise<Readonly<Record<string, number>>> =>
      Object.fromEntries(
        Object.entries((await admin.status()).symbols).map(([id, { points }]) => [id, points]),
      );
    await vi.waitFor(
      async () => expect(await pointsOf()).toMatchObject({ ETHUSDT: 800, SOLUSDT: 800 }),
      WITHIN,
    );
    const { price } = (await callRaw(venue, "GET", "/api/v3/ticker/price?symbol=ETHUSDT")).json as {
      price: string;
    };
    expect(Math.abs(Number(price) - 3_200)).toBeLessThan(2);
    const before = await pointsOf();
    await server.crash();
    await server.restart();
    const after = await pointsOf();
    expect(after["SOLUSDT"]).toBe(800);
    expect(after["BTCUSDT"]).toBeGreaterThanOrEqual(before["BTCUSDT"] ?? 0);
    // The crowd fills what rests near the walk.
    await admin.call("POST", "/pause", {});
    const book = (await callRaw(venue, "GET", "/api/v3/depth?symbol=BTCUSDT&limit=5")).json as Depth;
    const best = book.asks[0]?.[0] ?? "0";
    const bought = await placeLimit(venue, "taker", "BUY", best, "0.001", { timeInForce: "IOC" });
    expect(bought.json, bought.text).toMatchObject({ status: "FILLED", timeInForce: "IOC" });
    const { json } = await callSigned(venue, "GET", "/api/v3/myTrades", { symbol: "BTCUSDT" });
    expect(json).toMatchObject([{ isMaker: false, isBuyer: true, price: best }]);
  });
});
