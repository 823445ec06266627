/** `backtest --export` and `plan` as commands, and the report as a reader's browser shows it. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CommandEnd } from "../support/command.ts";
import { runCommand } from "../support/command.ts";
import { defaultConfig } from "../support/default-config.ts";
import { writeCandles } from "../support/replay-lab.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
/** In CI a missing browser is a failure, not a skip. */
const HAS_NO_BROWSER = !existsSync(CHROMIUM) && process.env["CI"] !== "true";
const FLAGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync";
/** A folder for pictures of the report, to be looked at by a person. */
const PICTURES = process.env["QUANTMESH_SCREENSHOTS"];
const GRID =
  "--symbol BTC/USDT --tick 0.01 --lot 0.00001 --lower 26000 --upper 28000 --grids 20 --order-quantity 100 --fee 0.001";
const EXPORTED = ["report.html", "result.json", "trades.csv"];

const folder = mkdtempSync(join(tmpdir(), "quantmesh-report-"));
const candles = writeCandles(folder, 6_000, 1);
const backtest = (...args: readonly string[]): Promise<CommandEnd> =>
  runCommand(["backtest", "--data", candles, ...GRID.split(" "), ...args], { cwd: folder });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("quantmesh backtest --export", () => {
  it("writes the object that --json prints, a row for each fill, and the report", async () => {
    const end = await backtest("--json", "--export", "out/json");

    expect(end).toMatchObject({ code: 0, stderr: "" });
    expect(readdirSync(join(folder, "out/json")).sort()).toEqual(EXPORTED);
    expect(readFileSync(join(folder, "out/json/result.json"), "utf8")).toBe(end.stdout);
    const report = JSON.parse(end.stdout) as { readonly fills: number; readonly trades: number };
    expect(report.trades).toBeGreaterThan(100);
    const lines = readFileSync(join(folder, "out/json/trades.csv"), "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(report.fills + 1);
    expect(statSync(join(folder, "out/json/report.html")).size).toBeLessThan(1_000_000);
  });

  it("overwrites nothing unless it is told to", async () => {
    const target = join(folder, "out/kept");
    expect(await backtest("--export", target)).toMatchObject({ code: 0, stderr: "" });
    writeFileSync(join(target, "result.json"), "mine");

    const refused = await backtest("--export", target);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toMatch(
      /^quantmesh: cannot export to .*kept: the folder is not empty .*--force.*\n$/,
    );
    expect(readFileSync(join(target, "result.json"), "utf8")).toBe("mine");

    const forced = await backtest("--export", target, "--force");
    expect(forced).toMatchObject({ code: 0, stderr: "" });
    expect(forced.stdout).toContain(join(target, "report.html"));
    expect(readFileSync(join(target, "result.json"), "utf8")).toContain("gridProfit");
    expect(readdirSync(target).sort()).toEqual(EXPORTED);
  });

  it("leaves no folder behind where the grid is refused", async () => {
    const end = await backtest("--export", "out/never", "--lower", "29000");
    expect(end).toMatchObject({ code: 2, stdout: "" });
    expect(existsSync(join(folder, "out/never"))).toBe(false);
  });
});

describe.skipIf(HAS_NO_BROWSER)("report.html in a browser", () => {
  const file = join(folder, "page/report.html");
  let browser: Browser;
  beforeAll(async () => {
    expect(await backtest("--export", "page")).toMatchObject({ code: 0 });
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS.split(" ") });
  });
  afterAll(async () => browser.close());

  const screens = [
    { screen: "phone", width: 390, height: 844, deviceScaleFactor: 2 },
    { screen: "desk", width: 1280, height: 900, deviceScaleFactor: 1 },
  ].flatMap((screen) => (["light", "dark"] as const).map((colorScheme) => ({ ...screen, colorScheme })));

  it.each(screens)(
    "draws four charts, says no error, asks for nothing and fits the screen ($screen, $colorScheme)",
    async ({ screen, width, height, deviceScaleFactor, colorScheme }) => {
      const context = await browser.newContext({
        viewport: { width, height },
        deviceScaleFactor,
        colorScheme,
      });
      const page = await context.newPage();
      const said: string[] = [];
      const asked: string[] = [];
      page.on("console", (message) => said.push(message.text()));
      page.on("pageerror", (error) => said.push(error.message));
      page.on("request", (request) => asked.push(request.url()));
      await page.goto(pathToFileURL(file).href);
      await page.waitForSelector("html[data-charts=drawn] canvas");
      // The library draws when the browser is next idle.
      await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");

      expect(await coloursOf(page)).toEqual({
        price: expect.objectContaining({ buy: true, sell: true, line: true }) as unknown,
        equity: expect.objectContaining({ buy: true, sell: true }) as unknown,
        drawdown: expect.objectContaining({ fall: true }) as unknown,
        days: expect.objectContaining({ bar: true }) as unknown,
      });
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe(
        colorScheme === "light" ? "rgb(255, 255, 255)" : "rgb(20, 23, 28)",
      );
      expect(await page.locator("canvas[role=img][aria-label]").count()).toBe(4);
      expect(await page.locator("h1, h2").allTextContents()).toEqual([
        "Back-test of BTC/USDT",
        "Figures",
        "Grid",
        "Price, levels and fills",
        "Equity against holding",
        "Drawdown",
        "Trades per day",
      ]);
      if (PICTURES !== undefined) {
        await page.screenshot({ path: join(PICTURES, `${screen}-${colorScheme}.png`), fullPage: true });
      }
      expect(said).toEqual([]);
      expect(asked).toEqual([pathToFileURL(file).href]);
      await context.close();
    },
  );

  it("draws anew, still fitting, when the screen is turned and when its colours change", async () => {
    const page = await browser.newPage({ viewport: { width: 390, height: 844 }, colorScheme: "light" });
    await page.goto(pathToFileURL(file).href);
    await page.waitForSelector("html[data-charts=drawn] canvas");
    const canvasWidth = (): Promise<number> => page.evaluate("document.querySelector('canvas').clientWidth");
    const narrow = await canvasWidth();

    await page.setViewportSize({ width: 844, height: 390 });
    await expect.poll(canvasWidth).toBeGreaterThan(narrow + 300);
    await page.emulateMedia({ colorScheme: "dark" });
    await expect
      .poll(() => page.evaluate("getComputedStyle(document.body).backgroundColor"))
      .toBe("rgb(20, 23, 28)");
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");

    expect((await coloursOf(page))["price"]).toMatchObject({ buy: true, sell: true });
    expect(await page.locator("canvas").count()).toBe(4);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(844);
    await page.close();
  });
});

describe("quantmesh plan", () => {
  it("previews the shipped grid at the market's first price, or at a given one", async () => {
    writeFileSync(join(folder, "plan.yaml"), defaultConfig());
    const plan = (...args: readonly string[]): Promise<CommandEnd> =>
      runCommand(["plan", "-c", "plan.yaml", ...args], { cwd: folder });

    const table = await plan();
    expect(table).toMatchObject({ code: 0, stderr: "" });
    expect(table.stdout).toContain("quote needed      3964.420887 USDT");
    expect(table.stdout).toContain("resting at start  20 buys, 20 sells");
    const [first] = JSON.parse((await plan("--json")).stdout) as [Record<string, unknown>];
    expect(first).toMatchObject({ symbol: "BTC/USDT", startPrice: "30000", quoteNeeded: "3964.420887" });
    const [given] = JSON.parse((await plan("--json", "--price", "29010.5")).stdout) as [
      Record<string, unknown>,
    ];
    expect(given).toMatchObject({ startPrice: "29010.5", restingBuys: 1, restingSells: 39 });

    const refusals = [
      [["--symbol", "ETH/USDT"], "plan.yaml has no grid for ETH/USDT"],
      [["--price", "29000.001"], "--price: 29000.001 is not a multiple of the tick size 0.01"],
      [["--price", "0"], "--price must be above 0"],
    ] as const;
    for (const [args, message] of refusals) {
      expect(await plan(...args)).toEqual({
        code: 2,
        signal: null,
        stdout: "",
        stderr: `quantmesh: ${message}\n`,
      });
    }
    expect(readdirSync(folder)).not.toContain("data");
  });
});

/** Which of the page's colours the pixels of each chart have. */
function coloursOf(page: Page): Promise<Record<string, Record<string, boolean>>> {
  return page.evaluate(`(() => {
    const style = getComputedStyle(document.documentElement);
    const names = ["buy", "sell", "line", "fall", "bar"];
    const wanted = names.map((name) => {
      const hex = style.getPropertyValue("--" + name).trim();
      return [name, [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join()];
    });
    return Object.fromEntries([...document.querySelectorAll(".chart")].map((place) => {
      const canvas = place.querySelector("canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const seen = new Set();
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) seen.add([data[i], data[i + 1], data[i + 2]].join());
      return [place.id.replace("chart-", ""), Object.fromEntries(wanted.map(([name, rgb]) => [name, seen.has(rgb)]))];
    }));
  })()`);
}
