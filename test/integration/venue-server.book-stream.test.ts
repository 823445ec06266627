/** Books rebuilt from the depth stream, and candles that end: what clients keep is what the venue has. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { freshSeed, scaled, seededRandom } from "../support/scale.ts";
import { LocalBook, fetchDepth, listen, sorted } from "../support/stream-client.ts";
import { callRaw, callSigned, placeLimit } from "../support/venue-client.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { startVenueProcess } from "../support/venue-process.ts";

const WITHIN = { timeout: 20_000 };
const OPERATIONS = scaled(3_000);
const FOLLOWERS = ["btcusdt@depth@100ms", "btcusdt@depth", "btcusdt@depth@100ms", "btcusdt@depth@1000ms"];

let venue: VenueProcess | undefined;

afterEach(async () => {
  await venue?.server.stop();
  venue = undefined;
});

describe("a book kept by Binance's procedure", () => {
  it.each([
    ["in a market of unlimited depth", {}],
    [
      "among other users",
      { crowd: { users: "3", orders_per_point: "4", life_points: "8", max_quantity: "100000" } },
    ],
  ])("is the venue's own to the last level %s, whenever it was begun", async (_, config) => {
    const seed = freshSeed();
    console.log(`seed ${seed}`);
    const random = seededRandom(seed);
    venue = await startVenueProcess(config);
    const books: Promise<LocalBook>[] = [];
    for (let operation = 0; operation < OPERATIONS; operation += 1) {
      const stream = FOLLOWERS[books.length];
      if (stream !== undefined && random() < 20 / OPERATIONS) books.push(LocalBook.follow(venue, stream));
      await disturb(venue, random, operation);
    }
    for (const stream of FOLLOWERS.slice(books.length)) books.push(LocalBook.follow(venue, stream));
    for (let level = 0; level < 10; level += 1) {
      await placeLimit(venue, `deep${level}`, "BUY", `${59_000 - level}`, "0.001");
      await placeLimit(venue, `high${level}`, "SELL", `${61_000 + level}`, "0.001");
    }
    // Whoever has just begun hears of a change at last.
    await vi.waitFor(async () => {
      await venue?.admin.move("BTC/USDT", (60_000 + Math.floor(random() * 20) / 100).toFixed(2));
      expect(await Promise.race([Promise.all(books).then(() => true), soon(false)])).toBe(true);
    }, WITHIN);
    const own = sorted(await fetchDepth(venue, "BTCUSDT"));
    expect(own.bids.length + own.asks.length).toBeGreaterThan(20);
    for (const book of await Promise.all(books)) {
      await vi.waitFor(() => expect(book.now().lastUpdateId).toBe(own.lastUpdateId), WITHIN);
      expect(book.now()).toEqual(own);
      book.close();
    }
  });
});

describe("the kline streams", () => {
  it("tell of each candle once more when it is over, with what was traded in it", async () => {
    venue = await startVenueProcess();
    const { admin } = venue;
    const stream = await listen(
      venue,
      "/stream?streams=btcusdt@kline_1m/btcusdt@kline_5m/btcusdt@kline_1s/btcusdt@kline_1M",
    );
    // Not at the end of a minute.
    const offset = 60_000 - (Date.now() % 60_000);
    await admin.setClockOffset(offset);
    const timestamp = Date.now() + offset;
    await placeLimit(venue, "one", "BUY", "60000", "0.001", { timestamp });
    await placeLimit(venue, "two", "BUY", "60000", "0.002", { timestamp });
    const ofMinutes = () =>
      stream.of("btcusdt@kline_1m").map(({ k }) => k as Readonly<Record<string, unknown>>);
    await vi.waitFor(() => expect(ofMinutes().at(-1)?.["n"]).toBe(2), WITHIN);
    expect(ofMinutes().at(-1)).toMatchObject({ x: false, f: 1, L: 2, v: "0.00300000", V: "0.00300000" });
    const begun = Number(ofMinutes().at(-1)?.["t"]);
    await admin.setClockOffset(offset + 61_000);
    await vi.waitFor(() => expect(ofMinutes().at(-1)?.["x"]).toBe(true), WITHIN);
    const over = {
      t: begun,
      T: begun + 59_999,
      x: true,
      n: 2,
      f: 1,
      L: 2,
      q: "180.00000000",
      Q: "180.00000000",
    };
    expect(ofMinutes()).toContainEqual(expect.objectContaining(over));
    await admin.move("BTC/USDT", "60010");
    await vi.waitFor(
      () => expect(ofMinutes().at(-1)).toMatchObject({ x: false, c: "60010.00000000", n: 0 }),
      WITHIN,
    );
    // What was over is told of once.
    expect(ofMinutes().filter(({ t, x }) => t === begun && x === true)).toHaveLength(1);
    const asked = `/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=${begun}&limit=1`;
    const [candle] = (await callRaw(venue, "GET", asked)).json as [readonly unknown[]];
    expect([candle[0], candle[5], candle[7]]).toEqual([begun, "0.00300000", "180.00000000"]);
    await vi.waitFor(() => {
      expect(stream.of("btcusdt@kline_5m").at(-1)).toMatchObject({ k: { i: "5m", x: false } });
      expect(stream.of("btcusdt@kline_1M").at(-1)).toMatchObject({ k: { i: "1M", x: false, n: 2 } });
    }, WITHIN);
    const ofSeconds = stream.of("btcusdt@kline_1s").map(({ k }) => k as Readonly<Record<string, unknown>>);
    expect(ofSeconds.every(({ t, T }) => Number(T) - Number(t) === 999)).toBe(true);
    expect(ofSeconds.some(({ x }) => x === true)).toBe(true);
    const seconds = `/api/v3/klines?symbol=BTCUSDT&interval=1s&startTime=${begun}&endTime=${begun + 59_999}`;
    const told = (await callRaw(venue, "GET", seconds)).json as readonly (readonly unknown[])[];
    expect(told.reduce((sum, one) => sum + Number(one[8]), 0)).toBe(2);
    stream.close();
  });
});

/** One thing that changes the book, or tries to. */
async function disturb(venue: VenueProcess, random: () => number, operation: number): Promise<void> {
  const { admin } = venue;
  const draw = random();
  const side = random() < 0.5 ? "BUY" : "SELL";
  const price = (60_000 + Math.floor(random() * 60 - 30) / 100).toFixed(2);
  const quantity = (0.0005 + Math.floor(random() * 40) / 100_000).toFixed(5);
  if (draw < 0.55) {
    await placeLimit(venue, `o${operation}`, side, price, quantity);
  } else if (draw < 0.65) {
    const terms = { symbol: "BTCUSDT", side, type: "MARKET", quantity };
    await callSigned(venue, "POST", "/api/v3/order", terms);
  } else if (draw < 0.8) {
    const origClientOrderId = `o${Math.floor(random() * operation)}`;
    await callSigned(venue, "DELETE", "/api/v3/order", { symbol: "BTCUSDT", origClientOrderId });
  } else if (draw < 0.81) {
    await callSigned(venue, "DELETE", "/api/v3/openOrders", { symbol: "BTCUSDT" });
  } else {
    const share = random() < 0.3 ? 0.4 : 1;
    await admin.move("BTC/USDT", (60_000 + Math.floor(random() * 30 - 15) / 100).toFixed(2), share);
  }
}

async function soon<Value>(value: Value): Promise<Value> {
  return new Promise((done) => setImmediate(() => done(value)));
}
