/** What users may write for a part of history, and what they are told where they write something else. */
import { describe, expect, it } from "vitest";
import { closeRange, formatTimeRange, parseTimeRange } from "../../../src/backtest/history/time-range.ts";
import { parseTimeframe } from "../../../src/backtest/history/timeframe.ts";

const day = (text: string): number => Date.parse(`${text}T00:00:00Z`);

describe("a time range", () => {
  it.each([
    ["20240101-20240201", day("2024-01-01"), day("2024-02-01")],
    ["20240101-", day("2024-01-01"), undefined],
    ["-20240229", undefined, day("2024-02-29")],
    ["1704067200-1704067260", day("2024-01-01"), day("2024-01-01") + 60_000],
    ["1704067200000-20240102", day("2024-01-01"), day("2024-01-02")],
  ])("reads %s", (text, from, to) => {
    expect(parseTimeRange(text)).toEqual({ from, to });
  });

  it.each([
    ["", /write FROM-TO with days as YYYYMMDD/],
    ["-", /write FROM-TO/],
    ["20240101", /write FROM-TO/],
    ["2024-01-01", /write FROM-TO/],
    ["january-february", /write FROM-TO/],
    ["20240101-20240101", /its end must be after its beginning/],
    ["20240201-20240101", /its end must be after its beginning/],
    ["20240230-20240301", /there is no day 2024-02-30/],
    ["20230229-", /there is no day 2023-02-29/],
    ["20241301-", /there is no day 2024-13-01/],
    ["202401-202402", /"202401" is neither a day YYYYMMDD nor 10 digits of seconds/],
  ])("refuses %j and says how to write it", (text, remedy) => {
    expect(() => parseTimeRange(text)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringMatching(remedy) as string }),
    );
    expect(() => parseTimeRange(text)).toThrow(`--timerange ${text}:`);
  });

  it("is written as it is read", () => {
    for (const span of [
      { from: day("2024-01-01"), to: day("2024-02-01") },
      { from: day("2024-01-01") + 60_000, to: day("2024-02-01") },
    ]) {
      expect(parseTimeRange(formatTimeRange(span))).toEqual(span);
    }
    expect(formatTimeRange({ from: day("2024-01-01"), to: day("2024-02-01") })).toBe("20240101-20240201");
  });

  it("holds only whole candles, and is nothing where not one has room", () => {
    const otherwise = { from: 0, to: 600_000 };
    expect(closeRange({ from: 1, to: 299_999 }, otherwise, 60_000)).toEqual({ from: 60_000, to: 240_000 });
    expect(closeRange({ from: undefined, to: undefined }, otherwise, 300_000)).toEqual(otherwise);
    expect(closeRange({ from: 1, to: 60_001 }, otherwise, 60_000)).toBeUndefined();
  });
});

describe("a timeframe", () => {
  it.each([
    ["1m", 60_000],
    ["15m", 900_000],
    ["4h", 14_400_000],
    ["1d", 86_400_000],
  ])("reads %s", (name, ms) => {
    expect(parseTimeframe(name)).toEqual({ name, ms });
  });

  it.each(["", "m", "0m", "7m", "5h", "2d", "1w", "1M", "1s", "1.5h", "-1m", "60"])("refuses %j", (text) => {
    expect(() => parseTimeframe(text)).toThrow(/is not a timeframe: give minutes or hours that divide a day/);
  });
});
