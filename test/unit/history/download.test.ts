/** The downloader against a history with holes: what it stores, what it remembers, what it never asks twice. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import { instant } from "../../../src/domain/ids.ts";
import type { TimeSpan } from "../../../src/domain/time-span.ts";
import { joinSpans } from "../../../src/domain/time-span.ts";
import type { CandleFolder } from "../../../src/backtest/history/candle-store.ts";
import type { CandleSource, DownloadEnd } from "../../../src/backtest/history/download.ts";
import { downloadCandles } from "../../../src/backtest/history/download.ts";
import { lineOf } from "../../../src/backtest/history/month-file.ts";
import { MonthWriter } from "../../../src/backtest/history/month-writer.ts";
import { surveyOf } from "../../../src/backtest/history/survey.ts";
import { freshSeed, scaled } from "../../support/scale.ts";
import { HastyClock, MINUTE, candleAt, candleFolder, contentOf, inFolder, sourceOf } from "./history-kit.ts";

/** Two hours around the end of a month. */
const SPAN = { from: Date.parse("2024-01-31T23:00:00Z"), to: Date.parse("2024-02-01T01:00:00Z") };
const MINUTES = 120;
/** Long after it. */
const NOW = SPAN.to + 86_400_000;

interface Options {
  readonly span?: TimeSpan;
  readonly now?: number;
  readonly askAgain?: boolean;
  readonly clock?: HastyClock;
  readonly signal?: AbortSignal;
}

async function download(
  folder: CandleFolder,
  source: CandleSource,
  { span = SPAN, now = NOW, askAgain = false, clock = new HastyClock(), signal }: Options = {},
): Promise<DownloadEnd> {
  folder.prepare();
  const stop = signal ?? new AbortController().signal;
  return downloadCandles({ source, folder, span, now: instant(now), askAgain, clock, signal: stop });
}

function timesOf(span: TimeSpan, isThere: (minute: number) => boolean = () => true): readonly number[] {
  const count = (span.to - span.from) / MINUTE;
  return Array.from({ length: count }, (_, minute) => minute)
    .filter(isThere)
    .map((minute) => span.from + minute * MINUTE);
}

const refused = (code: "EXCHANGE_UNAVAILABLE" | "RATE_LIMITED" | "EXCHANGE_AUTH"): QuantmeshError =>
  new QuantmeshError(code, "binance: candles: HTTP 503");

describe("a download", () => {
  it("stores every candle once, in the file of its month, as exact text", async () => {
    await inFolder(async (data) => {
      const folder = candleFolder(data);

      const end = await download(folder, sourceOf(timesOf(SPAN), 7));

      expect(end).toEqual({ added: MINUTES, isInterrupted: false });
      expect(await folder.months()).toEqual(["2024-01", "2024-02"]);
      const january = await folder.read("2024-01");
      expect(january).toHaveLength(60);
      const { openTime, open, high, low, close, volume } = candleAt(SPAN.from);
      expect(january[0]?.text).toBe([openTime, open, high, low, close, volume].join(","));
      expect((await folder.read("2024-02")).map(({ at }) => at)).toEqual(timesOf(SPAN).slice(60));
    });
  });

  it("finds all that there is whatever is stored, missing and nowhere, and asks nothing when it runs again", async () => {
    const minutes = fc.uniqueArray(fc.integer({ min: 0, max: MINUTES - 1 }));
    const property = fc.asyncProperty(
      minutes,
      minutes,
      fc.integer({ min: 1, max: 150 }),
      async (holes, stored, page) => {
        await inFolder(async (data) => {
          const folder = candleFolder(data);
          const nowhere = new Set(holes);
          const times = timesOf(SPAN, (minute) => !nowhere.has(minute));
          for (const minute of stored) {
            const at = SPAN.from + minute * MINUTE;
            await download(folder, sourceOf(times, 1), { span: { from: at, to: at + MINUTE } });
          }
          const before = (await surveyOf(folder, SPAN)).candles;

          const end = await download(folder, sourceOf(times, page));

          expect(end.added).toBe(times.length - before);
          const survey = await surveyOf(folder, SPAN);
          expect(survey.candles).toBe(times.length);
          const expected = joinSpans(
            holes.map((hole) => ({ from: SPAN.from + hole * MINUTE, to: SPAN.from + (hole + 1) * MINUTE })),
          );
          expect(survey.gaps).toEqual(
            expected.map((hole) => ({ ...hole, kind: "absent", candles: (hole.to - hole.from) / MINUTE })),
          );
          const again = sourceOf(times, page);
          expect(await download(folder, again)).toEqual({ added: 0, isInterrupted: false });
          expect(again.asked).toEqual([]);
        });
      },
    );
    await fc.assert(property, { seed: freshSeed() | 0, numRuns: scaled(150) });
  });

  it("takes nothing of a candle beyond the end that was asked for, but learns from it that there is none before", async () => {
    await inFolder(async (data) => {
      const folder = candleFolder(data);
      const beyond = [...timesOf(SPAN, (minute) => minute < 100), SPAN.to + 5 * MINUTE];

      await download(folder, sourceOf(beyond, 1_000), { now: SPAN.to + MINUTE });

      const { candles, gaps } = await surveyOf(folder, SPAN);
      expect([candles, gaps.map(({ kind, candles: count }) => [kind, count])]).toEqual([
        100,
        [["absent", 20]],
      ]);
      expect((await folder.read("2024-02")).at(-1)?.at).toBe(SPAN.from + 99 * MINUTE);
    });
  });

  it("does not take what an exchange has not published yet for a gap for ever", async () => {
    await inFolder(async (data) => {
      const folder = candleFolder(data);
      const early = sourceOf(
        timesOf(SPAN, (minute) => minute < 118 && minute !== 116),
        1_000,
      );
      const now = SPAN.to + 30_000;
      await download(folder, early, { now });
      const proven = { from: SPAN.to - 4 * MINUTE, to: SPAN.to - 3 * MINUTE, kind: "absent", candles: 1 };
      expect((await surveyOf(folder, SPAN)).gaps).toEqual([
        proven,
        { from: SPAN.to - 2 * MINUTE, to: SPAN.to, kind: "missing", candles: 2 },
      ]);

      const end = await download(folder, sourceOf(timesOf(SPAN), 1_000), { now });

      expect(end.added).toBe(2);
      expect((await surveyOf(folder, SPAN)).gaps).toEqual([proven]);
    });
  });

  it("does not believe a single answer that there is nothing", async () => {
    await inFolder(async (data) => {
      const folder = candleFolder(data);
      const source = sourceOf(timesOf(SPAN), 50);
      const forgetful: CandleSource = {
        ...source,
        candles: async (...args) => {
          const page = await source.candles(...args);
          return source.asked.length === 2 ? [] : page;
        },
      };

      const end = await download(folder, forgetful);

      expect(end.added).toBe(MINUTES);
      expect(await contentOf(folder)).toMatchObject({ absent: [] });
    });
  });

  it("asks again for what is known to be nowhere only when it is told to", async () => {
    await inFolder(async (data) => {
      const folder = candleFolder(data);
      await download(
        folder,
        sourceOf(
          timesOf(SPAN, (minute) => minute < 30 || minute >= 40),
          50,
        ),
      );
      const whole = sourceOf(timesOf(SPAN), 50);
      expect((await download(folder, whole)).added).toBe(0);

      const end = await download(folder, whole, { askAgain: true });

      expect(end.added).toBe(10);
      expect(await contentOf(folder)).toMatchObject({ absent: [] });
    });
  });

  it("stores what has arrived when it is told to stop, and goes on from there", async () => {
    await inFolder(async (data) => {
      const stopping = new AbortController();
      const stopAtThird = (page: number): void => {
        if (page === 3) stopping.abort();
      };
      const folder = candleFolder(data);

      const end = await download(folder, sourceOf(timesOf(SPAN), 10, stopAtThird), {
        signal: stopping.signal,
      });

      expect(end).toEqual({ added: 30, isInterrupted: true });
      const rest = sourceOf(timesOf(SPAN), 10);
      expect((await download(folder, rest)).added).toBe(MINUTES - 30);
      expect(rest.asked[0]).toBe(SPAN.from + 30 * MINUTE);
    });
  });

  it("keeps the candle that is stored where one comes a second time", async () => {
    await inFolder(async (data) => {
      const folder = candleFolder(data);
      folder.prepare();
      const line = lineOf(candleAt(SPAN.from));
      await folder.write("2024-01", [line]);
      const writer = new MonthWriter(folder, [], [], () => 0);

      const added = await writer.add([{ ...line, text: `${line.at},1,1,1,1,1` }]);
      await writer.save();

      expect([added, await folder.read("2024-01")]).toEqual([0, [line]]);
    });
  });

  it("waits longer and longer where the exchange does not answer, and loses nothing by it", async () => {
    await inFolder(async (data) => {
      const clock = new HastyClock();
      const failing = (page: number): void => {
        if (page >= 2 && page <= 5) throw refused(page % 2 === 0 ? "EXCHANGE_UNAVAILABLE" : "RATE_LIMITED");
      };
      const folder = candleFolder(data);

      const end = await download(folder, sourceOf(timesOf(SPAN), 60, failing), { clock });

      expect(end.added).toBe(MINUTES);
      expect(clock.waits).toEqual([1_000, 2_000, 4_000, 8_000]);
    });
  });

  it("gives up after some minutes with what has arrived stored", async () => {
    await inFolder(async (data) => {
      const clock = new HastyClock();
      const dead = (page: number): void => {
        if (page > 2) throw refused("EXCHANGE_UNAVAILABLE");
      };
      const folder = candleFolder(data);

      const attempt = download(folder, sourceOf(timesOf(SPAN), 10, dead), { clock });

      await expect(attempt).rejects.toMatchObject({ code: "EXCHANGE_UNAVAILABLE" });
      const waited = clock.waits.reduce((sum, ms) => sum + ms, 0);
      expect(waited).toBeGreaterThan(120_000);
      expect(waited).toBeLessThan(300_000);
      expect((await surveyOf(folder, SPAN)).candles).toBe(20);
    });
  });

  it("does not repeat what no repetition can help", async () => {
    await inFolder(async (data) => {
      const source = sourceOf(timesOf(SPAN), 10, () => {
        throw refused("EXCHANGE_AUTH");
      });

      await expect(download(candleFolder(data), source)).rejects.toMatchObject({ code: "EXCHANGE_AUTH" });
      expect(source.asked).toHaveLength(1);
    });
  });

  it("refuses candles that do not begin at multiples of their length", async () => {
    await inFolder(async (data) => {
      const folder = candleFolder(data, "1h");
      const late = sourceOf([SPAN.from + 30 * MINUTE], 10);

      await expect(download(folder, late)).rejects.toMatchObject({
        code: "DATA_INVALID",
        message: expect.stringMatching(/2024-01-31T23:30.+download a shorter timeframe/) as string,
      });
    });
  });
});
