/** Klines of the time before the venue's own: the file's candles, put together into longer ones, with its gaps. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { KlineHistory } from "../../../src/venue/server/kline-history.ts";
import { everyMs } from "../../../src/venue/server/klines.ts";
import { loadKlineHistory, pastKlineTexts } from "../../../src/venue/server/kline-history.ts";

const START = Date.parse("2024-01-01T00:00:00Z");
const MINUTE = 60_000;
/** Minutes 0, 1, 2 and, after a gap, 10. */
const ROWS = ["0,10,12.5,9,11,1", "1,11,13,10.5,12,2.5", "2,12,12,8.25,8.5,0.00000001", "10,8.5,9,8,8.75,3"];

let folder = "";
let history: KlineHistory;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "quantmesh-klines-"));
  const lines = ROWS.map((row) => row.replace(/^\d+/, (minute) => String(START + Number(minute) * MINUTE)));
  writeFileSync(join(folder, "h.csv"), `timestamp,open,high,low,close,volume\n${lines.join("\n")}\n`);
  history = await loadKlineHistory(join(folder, "h.csv"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Minute, prices and volume of each. */
function klines(intervalMs: number, from: number, to: number, limit = 1_000): readonly unknown[] {
  return pastKlineTexts(history, everyMs(intervalMs), START + from * MINUTE, START + to * MINUTE, limit).map(
    (text) => {
      const [openTime, open, high, low, close, volume, closeTime] = JSON.parse(text) as readonly [
        number,
        ...unknown[],
      ];
      expect(closeTime).toBe(openTime + intervalMs - 1);
      return [(openTime - START) / MINUTE, open, high, low, close, volume];
    },
  );
}

it("shows each candle as it is, and none in a gap", () => {
  expect(klines(MINUTE, 1, 10)).toEqual([
    [1, "11.00000000", "13.00000000", "10.50000000", "12.00000000", "2.50000000"],
    [2, "12.00000000", "12.00000000", "8.25000000", "8.50000000", "0.00000001"],
    [10, "8.50000000", "9.00000000", "8.00000000", "8.75000000", "3.00000000"],
  ]);
});

it("begins with the first candle that begins in the time that is asked for, and ends at the limit", () => {
  expect(klines(MINUTE, 3, 9)).toEqual([]);
  expect(klines(MINUTE, 0, 10, 2).map((kline) => (kline as readonly unknown[])[0])).toEqual([0, 1]);
  expect(klines(5 * MINUTE, 1, 10).map((kline) => (kline as readonly unknown[])[0])).toEqual([10]);
});

it("shows none that are shorter than those of the file", () => {
  expect(klines(1_000, 0, 10)).toEqual([]);
});

it("puts longer candles together from all that is in them", () => {
  expect(klines(5 * MINUTE, 0, 10)).toEqual([
    [0, "10.00000000", "13.00000000", "8.25000000", "8.50000000", "3.50000001"],
    [10, "8.50000000", "9.00000000", "8.00000000", "8.75000000", "3.00000000"],
  ]);
});
