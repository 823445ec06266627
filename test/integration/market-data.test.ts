/** What anybody may read of an exchange, against a venue's server over HTTP. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { instant } from "../../src/domain/ids.ts";
import type { MarketData } from "../../src/exchange/ccxt/open-market-data.ts";
import { openMarketData } from "../../src/exchange/ccxt/open-market-data.ts";
import { realClock } from "../../src/exchange/sim/real-clock.ts";
import { pastMarket, writeHistory } from "../support/candle-history.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { startVenueProcess } from "../support/venue-process.ts";

const FROM = Date.parse("2024-01-01T00:00:00Z");
const SYMBOL = "BTC/USDT";
/** What the venue says with a 429. */
const LEFT_ALONE_MS = 1_000;
const { signal } = new AbortController();

describe("market data through ccxt", () => {
  let venue: VenueProcess;
  let folder = "";
  let lines: readonly string[] = [];
  let data: MarketData;
  const open = async (): Promise<MarketData> =>
    openMarketData({
      exchange: "binance",
      urls: { rest: venue.url, ws: venue.wsUrl },
      clock: realClock,
    });
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-market-data-"));
    lines = writeHistory(join(folder, "btc.csv"), { from: FROM, minutes: 2_500, seed: 3 });
    venue = await startVenueProcess({ symbols: { [SYMBOL]: pastMarket(join(folder, "btc.csv")) } });
    data = await open();
  });
  afterEach(async () => venue.admin.faults([]));
  afterAll(async () => {
    await data.close();
    await venue.server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const ask = async (minute: number): ReturnType<MarketData["candles"]> =>
    data.candles(SYMBOL, "1m", instant(FROM + minute * 60_000), data.candlesPerPage, signal);

  it("is a page of candles from a moment on, digit by digit, and the exchange's time", async () => {
    expect(data.candlesPerPage).toBe(1_000);
    expect(data.timeframes).toContain("1m");

    const [page, rest] = [await ask(500), await ask(2_000)];

    const texts = page.map((candle) => Object.values(candle).join(","));
    expect(texts).toEqual(lines.slice(500, 1_500));
    expect(rest.map(({ openTime }) => openTime).slice(0, 500)).toEqual(
      Array.from({ length: 500 }, (_, index) => FROM + (2_000 + index) * 60_000),
    );
    await venue.admin.setClockOffset(3_600_000);
    expect((await data.time()) - Date.now()).toBeGreaterThan(3_500_000);
    await venue.admin.setClockOffset(0);
  });

  it("is never a page of a proxy, and says what failed without an address", async () => {
    await venue.admin.faults([{ kind: "html_body", route: "GET *", status: 200 }]);

    const error: unknown = await ask(0).catch((reason: unknown) => reason);

    expect(error).toMatchObject({ code: "EXCHANGE_UNAVAILABLE" });
    expect(String(error)).toContain("binance: candles");
    expect(String(error)).not.toContain("http:");
  });

  it("leaves an exchange alone for as long as it asks for, and stops waiting when it is told to", async () => {
    const limited = await open();
    const candles = async (stopping: AbortController): ReturnType<MarketData["candles"]> =>
      limited.candles(SYMBOL, "1m", instant(FROM), 10, stopping.signal);
    const ask = async () => {
      await venue.admin.faults([{ kind: "rate_limited", route: "GET *", times: 1 }]);
      const asked = performance.now();
      const refused: unknown = await candles(new AbortController()).catch((reason: unknown) => reason);
      const { requests } = await venue.admin.status();
      const stopping = new AbortController();
      const waiting = candles(stopping).catch((reason: unknown) => reason);
      stopping.abort();
      return { refused, requests, stopped: await waiting, tookMs: performance.now() - asked };
    };

    let answers = await ask();
    // A busy machine may need longer for all of it than the exchange wants to be left alone.
    while (answers.tookMs >= LEFT_ALONE_MS) {
      await pause(LEFT_ALONE_MS);
      answers = await ask();
    }

    expect(answers.refused).toMatchObject({ code: "RATE_LIMITED" });
    expect(answers.stopped).toMatchObject({ code: "RATE_LIMITED" });
    expect((await venue.admin.status()).requests).toBe(answers.requests);
    await limited.close();
  });

  it("is refused where nobody listens or nobody knows the exchange", async () => {
    const nowhere = { rest: "http://127.0.0.1:9", ws: "ws://127.0.0.1:9" };
    await expect(
      openMarketData({ exchange: "binance", urls: nowhere, clock: realClock }),
    ).rejects.toMatchObject({ code: "EXCHANGE_UNAVAILABLE" });
    await expect(openMarketData({ exchange: "nowhere", clock: realClock })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });
});
