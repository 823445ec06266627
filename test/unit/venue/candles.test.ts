/** Candle files: exact ticks, and a complaint with a line number for everything else. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseMoney } from "../../../src/domain/amounts.ts";
import { pathInstant, pathPrice } from "../../../src/venue/market/candle-path.ts";
import type { Candles } from "../../../src/venue/market/candles.ts";
import { loadCandles } from "../../../src/venue/market/candles.ts";

const HEADER = "timestamp,open,high,low,close,volume";
let folder = "";

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "candles-"));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

function write(content: string | Uint8Array, name = "candles.csv"): string {
  const file = path.join(folder, name);
  fs.writeFileSync(file, content);
  return file;
}

function load(lines: readonly string[], tick = "0.01"): Promise<Candles> {
  return loadCandles(write([HEADER, ...lines, ""].join("\n")), parseMoney(tick));
}

const columnsOf = (candles: Candles): number[][] =>
  [candles.timestamp, candles.open, candles.high, candles.low, candles.close].map((column) => [...column]);

describe("a candle file", () => {
  it("is read into whole ticks, whatever the number of decimals", async () => {
    const candles = await load(["60000,1.1,1.30,1.000,1.2,5", "120000,0.29,2,.07,1.,0"]);

    expect(columnsOf(candles)).toEqual([
      [60_000, 120_000],
      [110, 29],
      [130, 200],
      [100, 7],
      [120, 100],
    ]);
    expect(candles.length).toBe(2);
  });

  it("may have a tick that is no power of ten", async () => {
    expect((await load(["0,10.25,10.75,10,10.5,1"], "0.25")).open).toEqual(Float64Array.of(41));
    expect((await load(["0,1500,1750,1250,1500,1"], "250")).high).toEqual(Float64Array.of(7));
  });

  it("may be gzipped, end its lines in the Windows way, and end in empty lines or in the middle of one", async () => {
    const text = `${HEADER}\r\n0,1,2,1,2,0.5\r\n60000,2,2,2,2,0.5`;
    const tick = parseMoney("1");
    const plain = await loadCandles(write(text), tick);
    const zipped = await loadCandles(write(gzipSync(`${text}\r\n\r\n`), "candles.csv.gz"), tick);

    expect(columnsOf(plain)).toEqual([
      [0, 60_000],
      [1, 2],
      [2, 2],
      [1, 2],
      [2, 2],
    ]);
    expect(columnsOf(zipped)).toEqual(columnsOf(plain));
  });

  it("has the interval of its nearest neighbours, or a minute where there is one candle", async () => {
    const line = (at: number): string => `${at},1,1,1,1,0`;
    expect((await load([line(0), line(900_000), line(1_200_000), line(1_500_000)])).intervalMs).toBe(300_000);
    expect((await load([line(5)])).intervalMs).toBe(60_000);
  });

  it.each([
    ["a word for a number", "60000,1,x,1,1,0", 'high "x" is not a plain decimal number'],
    ["an exponent", "60000,1e3,1,1,1,0", 'open "1e3" is not a plain decimal number'],
    ["a sign", "60000,1,1,-1,1,0", 'low "-1" is not a plain decimal number'],
    ["an empty price", "60000,1,1,1,,0", 'close "" is not a plain decimal number'],
    ["an empty volume", "60000,1,1,1,1,", 'volume "" is not a plain decimal number'],
    ["a fraction of a millisecond", "60000.5,1,1,1,1,0", 'timestamp "60000.5" is not a plain decimal number'],
    [
      "too many digits",
      "60000,1,99999999999999999,1,1,0",
      'high "99999999999999999" is not a plain decimal number',
    ],
    ["too few columns", "60000,1,1,1,1", "5 columns instead of 6"],
    ["too many columns", "60000,1,1,1,1,0,0", "7 columns instead of 6"],
    ["an empty line in between", "\n60000,1,1,1,1,0", "1 columns instead of 6"],
    ["a high below the open", "60000,2,1,1,1,0", "high is below open, low or close"],
    ["a high below the close", "60000,1,1,1,2,0", "high is below open, low or close"],
    ["a high below the low", "60000,1,1,2,1,0", "high is below open, low or close"],
    ["a low above the open", "60000,1,3,2,2,0", "low is above open or close"],
    ["a low above the close", "60000,2,3,2,1,0", "low is above open or close"],
    ["a price of nothing", "60000,1,1,0.00,1,0", "a price of 0"],
    ["a time that stands still", "0,1,1,1,1,0", "timestamp 0 is not after the one before it, 0"],
  ])("with %s is refused with its line", async (_name, line, complaint) => {
    const loading = load(["0,1,1,1,1,0", line]);

    await expect(loading).rejects.toMatchObject({ code: "DATA_INVALID" });
    await expect(loading).rejects.toThrow(`candles.csv line 3: ${complaint}`);
  });

  it("with a price between two ticks is refused with a tick that would do", async () => {
    const loading = load(["0,1,1,1,1,0", "60000,1,1.005,1,1,0"]);

    await expect(loading).rejects.toThrow(
      "line 3: price 1.005 is not a multiple of the tick size 0.01; " +
        "set the instrument's tick size to one that all prices of the file are on, such as 0.001",
    );
    await expect(load(["0,1,1.25,1,1.3,0"], "0.25")).rejects.toThrow("price 1.3 is not a multiple");
  });

  it("in seconds or microseconds is refused, wherever the unit changes", async () => {
    const rest = "1,1,1,1,1";
    await expect(load([`1700000000,${rest}`])).rejects.toThrow(
      "candles.csv line 2: timestamp 1700000000 looks like seconds: give milliseconds since 1970",
    );
    await expect(load([`1735689540000,${rest}`, `1735689600000000,${rest}`])).rejects.toThrow(
      "candles.csv line 3: timestamp 1735689600000000 looks like microseconds: give milliseconds since 1970",
    );
  });

  it("may begin with the mark of UTF-8", async () => {
    const marked = await loadCandles(write(`\u{feff}${HEADER}\n0,1,2,1,2,1\n`), parseMoney("1"));

    expect(marked.length).toBe(1);
  });

  it("needs its header, a candle, and to be there", async () => {
    const tick = parseMoney("1");
    const missing = path.join(folder, "missing.csv");

    await expect(loadCandles(write("0,1,1,1,1,0\n"), tick)).rejects.toThrow(
      `line 1: the header is not "${HEADER}"`,
    );
    await expect(loadCandles(write(`${HEADER}\n`), tick)).rejects.toThrow("candles.csv has no candles");
    await expect(loadCandles(missing, tick)).rejects.toThrow(
      `cannot read candle file ${missing}: no such file`,
    );
    await expect(loadCandles(missing, tick)).rejects.toMatchObject({ code: "DATA_INVALID" });
    await expect(loadCandles(folder, tick)).rejects.toMatchObject({ code: "DATA_INVALID" });
  });
});

describe("the path of a candle", () => {
  it("goes to the low first where it rises or stays, and to the high first where it falls", async () => {
    const candles = await load(["1000,5,9,1,7,0", "61000,7,9,1,5,0", "121000,5,9,1,5,0"], "1");
    const prices = (index: number): number[] => [0, 1, 2, 3].map((point) => pathPrice(candles, index, point));

    expect([prices(0), prices(1), prices(2)]).toEqual([
      [5, 1, 9, 7],
      [7, 9, 1, 5],
      [5, 1, 9, 5],
    ]);
  });

  it("has its points a quarter of the interval apart", async () => {
    const candles = await load(["1000,5,9,1,7,0", "61000,7,9,1,5,0"], "1");

    expect([0, 1, 2, 3].map((point) => pathInstant(candles, 1, point))).toEqual([
      61_000, 76_000, 91_000, 106_000,
    ]);
  });
});
