/** report.html: complete, self-contained, small, and not to be broken by what a user types. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Script } from "node:vm";
import { afterAll, describe, expect, it } from "vitest";
import type { FinishedBacktest } from "../../../src/backtest/export-backtest.ts";
import { exportBacktest, formatResult } from "../../../src/backtest/export-backtest.ts";
import { figureRows } from "../../../src/backtest/figure-rows.ts";
import { parseMoney } from "../../../src/domain/amounts.ts";
import { loadCandles } from "../../../src/venue/market/candles.ts";
import { REAL_CANDLES, finish, wanderingCandles } from "./report-kit.ts";

const ONE_MEGABYTE = 1_000_000;
const SCRIPT = /<script(?: [^>]*)?>([\s\S]*?)<\/script>/g;

describe("report.html", () => {
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-report-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let exports = 0;
  const write = async (finished: FinishedBacktest): Promise<string> => {
    const target = join(folder, String(++exports));
    await exportBacktest(target, finished);
    expect(readFileSync(join(target, "result.json"), "utf8")).toBe(formatResult(finished.report));
    return join(target, "report.html");
  };

  it("says every figure, every setting of the grid and the range of the data, exactly", async () => {
    const finished = finish(wanderingCandles(2_000, 2));
    const page = readFileSync(await write(finished), "utf8");

    for (const [name, value] of figureRows(finished.report)) {
      expect(page).toContain(`<dt>${name}</dt><dd>${value}</dd>`);
    }
    for (const row of [
      "lower</dt><dd>25000",
      "grids</dt><dd>30",
      "order quantity</dt><dd>100",
      "fill model</dt><dd>touch",
    ]) {
      expect(page).toContain(`<dt>${row}</dd>`);
    }
    expect(page).toContain(`${finished.report.from} – ${finished.report.to}`);
  });

  it("says that it is downsampled where it is, and only there", async () => {
    const few = readFileSync(await write(finish(wanderingCandles(700, 2))), "utf8");
    const many = readFileSync(await write(finish(wanderingCandles(20_000, 2))), "utf8");

    expect(few).not.toContain("Downsampled");
    expect(many).toMatch(/Downsampled: drawn from \d+ of 80000 points/);
    expect(many).toMatch(/Downsampled: drawn from \d+ of 20001 points/);
    expect(many).toMatch(/Downsampled: drawn from \d+ of \d+ fills/);
  });

  it("says why there is nothing to see where nothing traded", async () => {
    const finished = finish(wanderingCandles(50, 2), { settings: { lower: "10000", upper: "11000" } });
    expect(finished.report.fills).toBe(0);
    expect(readFileSync(await write(finished), "utf8")).toMatch(/class="warning">no trades: /);
  });

  it("is under 1 MB for 50,000 candles with tens of thousands of fills", async () => {
    const finished = finish(wanderingCandles(50_000, 4, 2_000), {
      settings: { grids: 300, amount: { kind: "order_quantity", value: "10" } },
      fee: "0",
    });
    expect(finished.report.fills).toBeGreaterThan(30_000);
    expect(statSync(await write(finished)).size).toBeLessThan(ONE_MEGABYTE);
  });

  it.skipIf(!existsSync(REAL_CANDLES))("is under 1 MB for 50,000 real candles", async () => {
    const candles = await loadCandles(REAL_CANDLES, parseMoney("0.01"));
    expect(candles.length).toBe(50_000);
    expect(statSync(await write(finish(candles))).size).toBeLessThan(ONE_MEGABYTE);
  });

  it("refers to nothing outside of itself, and keeps the chart library's licence", async () => {
    const page = readFileSync(await write(finish(wanderingCandles(100, 2))), "utf8");
    const html = page.replaceAll(SCRIPT, "").replaceAll(/<style>[\s\S]*?<\/style>/g, "");

    expect([...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url]) => url)).toEqual(["data:,"]);
    expect(page).not.toMatch(/@import|url\(/);
    expect(page).toContain("default-src 'none'");
    expect(page).toContain("Permission is hereby granted, free of charge");
  });

  it("is not broken by a symbol with markup in it", async () => {
    const symbol = '"><script>alert(1)</script>/<b>USDT&';
    const page = readFileSync(await write(finish(wanderingCandles(100, 2), { symbol })), "utf8");

    expect(page).toContain("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;/&lt;b&gt;USDT&amp;");
    expect(page).not.toContain("<script>alert");
    const [data = "", library = "", script = "", ...more] = [...page.matchAll(SCRIPT)].map(
      ([, text]) => text,
    );
    expect(more).toEqual([]);
    expect(JSON.parse(data)).toHaveProperty("levels");
    for (const code of [library, script]) expect(() => new Script(code)).not.toThrow();
  });
});
