/** The files of the store: what is in which, and what is said of one that is not as it was written. */
import { mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { listFolders } from "../../../src/backtest/history/candle-store.ts";
import { lineOf, monthOf } from "../../../src/backtest/history/month-file.ts";
import { extentOf, surveyOf } from "../../../src/backtest/history/survey.ts";
import { MINUTE, candleAt, candleFolder, inFolder } from "./history-kit.ts";

const START = Date.parse("2024-02-01T00:00:00Z");
const MARCH = Date.parse("2024-03-01T00:00:00Z");
const lines = [0, 1, 2, 5].map((minute) => lineOf(candleAt(START + minute * MINUTE)));

describe("the store", () => {
  it("knows the months of UTC, leap years and years' ends included", () => {
    expect(monthOf(START)).toBe("2024-02");
    expect(monthOf(START - 1)).toBe("2024-01");
    expect(monthOf(MARCH - 1)).toBe("2024-02");
    expect(monthOf(MARCH)).toBe("2024-03");
    expect(monthOf(Date.parse("2023-12-31T23:59:59.999Z"))).toBe("2023-12");
  });

  it("keeps each month as a gzipped CSV file that a back-test reads", async () => {
    await inFolder(async (data) => {
      const folder = candleFolder(data);
      folder.prepare();
      await folder.write("2024-02", lines);

      const file = join(data, "binance", "BTC-USDT-1m", "2024-02.csv.gz");
      const text = gunzipSync(readFileSync(file)).toString();
      expect(text.split("\n").slice(0, 2)).toEqual(["timestamp,open,high,low,close,volume", lines[0]?.text]);
      expect(await folder.read("2024-02")).toEqual(lines);
      expect(await folder.read("2024-03")).toEqual([]);
      expect(readdirSync(folder.path)).toEqual(["2024-02.csv.gz"]);
    });
  });

  it("leaves the file as it was when the new one cannot be written", async () => {
    await inFolder(async (data) => {
      const folder = candleFolder(data);
      folder.prepare();
      await folder.write("2024-02", lines);
      mkdirSync(join(folder.fileOf("2024-03"), "in the way"), { recursive: true });

      await expect(folder.write("2024-03", lines)).rejects.toMatchObject({ code: "DATA_INVALID" });
      expect(await folder.read("2024-02")).toEqual(lines);
      expect(readdirSync(folder.path).sort()).toEqual(["2024-02.csv.gz", "2024-03.csv.gz"]);
    });
  });

  it("removes what a killed download left half-written, and nothing else", async () => {
    await inFolder(async (data) => {
      const folder = candleFolder(data);
      folder.prepare();
      await folder.write("2024-02", lines);
      writeFileSync(join(folder.path, ".2024-03.csv.gz.tmp"), "half");

      await folder.clean();

      expect(readdirSync(folder.path)).toEqual(["2024-02.csv.gz"]);
    });
  });

  it.each<readonly [string, (file: string) => void, RegExp]>([
    ["cut off", (file) => truncateSync(file, 60), /cannot be read \(unexpected end of file\)/],
    ["not gzipped", (file) => writeFileSync(file, "timestamp"), /cannot be read \(incorrect header check\)/],
    [
      "of something else",
      (file) => writeFileSync(file, gzipSync("a,b\n1,2\n")),
      /not a whole file of candles/,
    ],
    ["without its last line's end", (file) => rewrite(file, (text) => text.slice(0, -1)), /not a whole file/],
    [
      "with a word for a price",
      (file) => rewrite(file, (text) => text.replace("20", "x")),
      /line 2 is no candle/,
    ],
    [
      "with a line twice",
      (file) => rewrite(file, (text) => `${text}${lines[3]?.text}\n`),
      /line 6 is no candle after the one before it/,
    ],
    [
      "with another month's candle",
      (file) => rewrite(file, (text) => `${text}${lineOf(candleAt(MARCH)).text}\n`),
      /a candle of 1m at \d+/,
    ],
  ])("says of a file that is %s which it is and what to do", async (_, damage, says) => {
    await inFolder(async (data) => {
      const folder = candleFolder(data);
      folder.prepare();
      await folder.write("2024-02", lines);
      damage(folder.fileOf("2024-02"));

      const reading = folder.read("2024-02");

      await expect(reading).rejects.toMatchObject({ code: "DATA_INVALID" });
      await expect(reading).rejects.toThrow(says);
      await expect(reading).rejects.toThrow(/2024-02\.csv\.gz: .+; delete it and download it again$/);
    });
  });

  it("lists what it has by exchange, symbol and length, and leaves other files alone", async () => {
    await inFolder(async (data) => {
      for (const [timeframe, symbol] of [
        ["1h", "BTC/USDT"],
        ["1m", "BTC/USDT"],
        ["1m", "1000-SATS/USDC"],
      ]) {
        const folder = candleFolder(data, timeframe, symbol);
        folder.prepare();
        const [first] = lines;
        if (first) await folder.write("2024-02", [first]);
      }
      candleFolder(data, "1d").prepare();
      mkdirSync(join(data, "binance", "notes"));
      writeFileSync(join(data, "README"), "mine");

      const found = await listFolders(data);

      expect(found.map(({ series }) => `${series.symbol} ${series.timeframe.name}`)).toEqual([
        "1000-SATS/USDC 1m",
        "BTC/USDT 1m",
        "BTC/USDT 1h",
      ]);
      expect(await listFolders(join(data, "nowhere"))).toEqual([]);
    });
  });

  it("tells missing candles from those that are nowhere, gap by gap", async () => {
    await inFolder(async (data) => {
      const folder = candleFolder(data);
      folder.prepare();
      await folder.write("2024-02", lines);
      await folder.writeAbsent([{ from: START + 4 * MINUTE, to: START + 5 * MINUTE }]);

      const extent = await extentOf(folder);

      expect(extent).toEqual({ from: START, to: START + 6 * MINUTE });
      expect((await surveyOf(folder, { from: START, to: START + 7 * MINUTE })).gaps).toEqual([
        { kind: "missing", from: START + 3 * MINUTE, to: START + 4 * MINUTE, candles: 1 },
        { kind: "absent", from: START + 4 * MINUTE, to: START + 5 * MINUTE, candles: 1 },
        { kind: "missing", from: START + 6 * MINUTE, to: START + 7 * MINUTE, candles: 1 },
      ]);
    });
  });
});

function rewrite(file: string, change: (text: string) => string): void {
  writeFileSync(file, gzipSync(change(gunzipSync(readFileSync(file)).toString())));
}
