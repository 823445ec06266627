/** `quantmesh backtest`: the published figures to the last digit, as JSON and as a table. */
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addMoney, formatMoney, parseMoney } from "../../src/domain/amounts.ts";
import { runCommand } from "../support/command.ts";
import { configFolder, defaultConfig, removeFolder } from "../support/default-config.ts";
import { writeCandles } from "../support/replay-lab.ts";

const SHARED = resolve("../shared/data/binance-btcusdt-1m-2023.csv.gz");
const SHIPPED = resolve("config/quantmesh.yaml");
const RULES = "--symbol BTC/USDT --tick 0.01 --lot 0.00001 --maker-fee 0.001 --taker-fee 0.001 --fill touch";
const GRID = "--lower 25000 --upper 28000 --grids 30 --spacing arithmetic";
const SIZE = "--order-quantity 100";

/** From an independent exact calculation. */
const PUBLISHED = {
  candles: 50_000,
  fills: 671,
  trades: 320,
  inventorySells: 19,
  gridProfit: "57.162647",
  inventoryPnl: "67.4767136369",
  unrealizedPnl: "-20.998985",
  fees: "68.8849702631",
  totalPnl: "103.6403756369",
  identityError: "0",
};

type Report = Readonly<Record<string, unknown>>;

describe("quantmesh backtest", () => {
  let cwd = "";
  let candles = "";
  beforeAll(() => {
    cwd = configFolder(defaultConfig());
    candles = writeCandles(cwd, 3_000, 7);
  });
  afterAll(() => removeFolder(cwd));

  /** Runs it with `options` and returns stdout; nothing may be on stderr, which is no terminal here. */
  async function backtest(file: string, ...options: readonly string[]): Promise<string> {
    const args = ["backtest", "--data", file, ...options.join(" ").split(" ").filter(Boolean)];
    const end = await runCommand(args, { cwd });
    expect(end).toMatchObject({ code: 0, signal: null, stderr: "" });
    return end.stdout;
  }

  async function report(file: string, ...options: readonly string[]): Promise<Report> {
    return JSON.parse(await backtest(file, ...options, "--json")) as Report;
  }

  it.skipIf(!existsSync(SHARED))("gives the published figures on the candles of 2023", async () => {
    const found = await report(SHARED, RULES, GRID, SIZE);

    expect(found).toMatchObject(PUBLISHED);
    expect(sum(found, "initialEquity", "totalPnl")).toBe(found["equity"]);
    for (const name of ["maxDrawdown", "equity", "initialEquity"]) expect(found[name]).toMatch(/^\d+\.\d+$/);
    for (const name of ["seconds", "loadSeconds", "candlesPerSecond"]) expect(found[name]).toBeGreaterThan(0);
  });

  it("prints exactly one JSON object with --json, and the same figures each time", async () => {
    const stdout = await backtest(candles, RULES, GRID, SIZE, "--json");
    const again = await report(candles, RULES, GRID, SIZE);

    const found = JSON.parse(stdout) as Report;
    expect(stdout).toBe(`${JSON.stringify(found, null, 2)}\n`);
    expect(withoutTiming(found)).toEqual(withoutTiming(again));
    expect(found).toMatchObject({ candles: 3_000, identityError: "0", fill: "touch" });
    expect(found["trades"]).toBeGreaterThan(0);
    expect(sum(found, "gridProfit", "inventoryPnl", "unrealizedPnl")).toBe(found["totalPnl"]);
  });

  it("prints a table with the same figures without --json", async () => {
    const found = await report(candles, RULES, GRID, SIZE);

    const table = await backtest(candles, RULES, GRID, SIZE);

    const rows = new Map(table.split("\n").map((line) => [line.slice(0, 17).trim(), line.slice(17).trim()]));
    expect(rows.get("grid")).toBe("BTC/USDT  25000 – 28000  30 cells, arithmetic, fill touch");
    const shown = {
      fills: "fills",
      trades: "trades",
      "inventory sells": "inventorySells",
      position: "position",
    };
    const money = {
      "grid profit": "gridProfit",
      "inventory pnl": "inventoryPnl",
      "unrealized pnl": "unrealizedPnl",
      "total pnl": "totalPnl",
      "fees paid": "fees",
      equity: "equity",
      "max drawdown": "maxDrawdown",
      "identity error": "identityError",
    };
    for (const [row, name] of Object.entries({ ...shown, ...money })) {
      expect(rows.get(row), row).toBe(String(found[name]));
    }
    expect(rows.get("speed")).toMatch(/^\d+ candles\/s/);
  });

  it("asks of the price to go through a limit, unless a touch is enough", async () => {
    const swings = join(cwd, "swings.csv");
    const rows = ["26050,26050,26000,26050", "26050,26100,26050,26050", "26050,26050,26000,26050"];
    const lines = rows.map((prices, minute) => `${60_000 * (minute + 1)},${prices},1`);
    writeFileSync(swings, ["timestamp,open,high,low,close,volume", ...lines].join("\n"));

    const touch = await report(swings, RULES, GRID, SIZE);
    const through = await report(swings, RULES.replace("--fill touch", ""), GRID, SIZE);

    // The initial purchase; then bought at 26000, sold at 26100, bought at 26000 again.
    expect(touch).toMatchObject({
      fill: "touch",
      fills: 4,
      trades: 1,
      inventorySells: 0,
      identityError: "0",
    });
    expect(through).toMatchObject({ fill: "through", fills: 1, trades: 0, identityError: "0" });
  });

  it("takes the grid and the instrument from a config file, and options before both", async () => {
    const lowered = "--lower 25000 --upper 28000";
    const byConfig = await report(candles, `-c ${SHIPPED} ${lowered} --fill touch`);
    const byOptions = await report(
      candles,
      "--symbol BTC/USDT --tick 0.01 --lot 0.00001 --min-notional 5 --maker-fee 0.0002 --taker-fee 0.0004",
      `${lowered} --grids 40 ${SIZE} --fill touch`,
    );

    expect(withoutTiming(byConfig)).toEqual(withoutTiming(byOptions));
    expect(byConfig["trades"]).toBeGreaterThan(0);
  });

  it("spreads an investment over the grid without exceeding it", async () => {
    const found = await report(candles, RULES, GRID.replace("arithmetic", "geometric"), "--investment 5000");

    const used = Number(found["initialEquity"]);
    expect(used).toBeLessThanOrEqual(5_000);
    // One more lot in each of the 30 slots would cost more than the rest.
    expect(5_000 - used).toBeLessThan(30 * 0.00001 * 28_000 * 1.001);
    expect(found).toMatchObject({ identityError: "0" });
    expect(found["trades"]).toBeGreaterThan(0);
  });
});

function withoutTiming({ seconds: _, loadSeconds: __, candlesPerSecond: ___, ...rest }: Report): Report {
  return rest;
}

/** The exact sum of decimal texts of at most 18 places. */
function sum(report: Report, ...names: readonly string[]): string {
  return formatMoney(names.map((name) => parseMoney(String(report[name]))).reduce(addMoney));
}
