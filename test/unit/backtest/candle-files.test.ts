/** Real candles: the published vector, and every file against the naive back-test. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { money } from "../../../src/domain/amounts.ts";
import type { Candles } from "../../../src/venue/market/candles.ts";
import { loadCandles } from "../../../src/venue/market/candles.ts";
import type { NaiveCandle, NaiveGrid } from "./naive-backtest.ts";
import { naiveBacktest, units } from "./naive-backtest.ts";
import { runProduct } from "./run-product.ts";

/** Candle files that are shared between checkouts; a checkout alone does not have them. */
const DATA = join(import.meta.dirname, "../../../../shared/data");

const VECTOR: NaiveGrid = {
  tick: "0.01",
  lot: "0.00001",
  minNotional: "0",
  maker: "0.001",
  taker: "0.001",
  lower: "25000",
  upper: "28000",
  grids: 30,
  spacing: "arithmetic",
  amount: { kind: "order_quantity", value: "100" },
  initial: "buy",
  fill: "touch",
};
const VECTOR_FILE = "binance-btcusdt-1m-2023";

const FILES: readonly [file: string, lower: string, upper: string][] = [
  ["binance-btcusdt-1m-2021", "50000", "62000"],
  ["binance-btcusdt-1m-2023", "25000", "28000"],
  ["binance-btcusdt-1m-2025", "92000", "106000"],
  ["binance-ethusdt-1m-2021", "3000", "3900"],
  ["binance-ethusdt-1m-2023", "1550", "2100"],
];

describe.each(FILES)("the candles of %s", (file, lower, upper) => {
  const isMissing = !existsSync(pathOf(file));
  const combinations = (["arithmetic", "geometric"] as const).flatMap((spacing) =>
    (["touch", "through"] as const).map((fill) => ({ spacing, fill })),
  );

  it.skipIf(isMissing).each(combinations)(
    "give what the naive back-test gives ($spacing, $fill)",
    async ({ spacing, fill }) => {
      const grid: NaiveGrid = { ...VECTOR, lower, upper, spacing, fill };
      const expected = naiveBacktest(grid, readNaively(file));
      expect(runProduct(grid, await load(file))).toEqual(expected && { ...expected, identityError: "0" });
      expect(expected?.trades).toBeGreaterThan(50);
      expect(expected?.inventorySells).toBeGreaterThan(0);
    },
  );
});

describe("the published vector", () => {
  it.skipIf(!existsSync(pathOf(VECTOR_FILE)))("is met to the last decimal", async () => {
    const result = runProduct(VECTOR, await load(VECTOR_FILE));
    expect(result?.fills).toHaveLength(671);
    expect(result).toMatchObject({
      trades: 320,
      inventorySells: 19,
      gridProfit: "57.162647",
      inventoryPnl: "67.4767136369",
      unrealizedPnl: "-20.998985",
      fees: "68.8849702631",
      totalPnl: "103.6403756369",
      identityError: "0",
    });
  });
});

function pathOf(file: string): string {
  return join(DATA, `${file}.csv.gz`);
}

async function load(file: string): Promise<Candles> {
  return loadCandles(pathOf(file), money(units(VECTOR.tick)));
}

const read = new Map<string, readonly NaiveCandle[]>();

/** The file once more, by splitting text: prices with at most two places as hundredths. */
function readNaively(file: string): readonly NaiveCandle[] {
  const known = read.get(file);
  if (known) return known;
  const [, ...lines] = gunzipSync(readFileSync(pathOf(file)))
    .toString("utf8")
    .trim()
    .split("\n");
  const ticks = (text = ""): number => {
    const [whole = "", part = ""] = text.split(".");
    return Number(whole + part.padEnd(2, "0"));
  };
  const candles = lines.map((line): NaiveCandle => {
    const [, open, high, low, close] = line.split(",");
    return { open: ticks(open), high: ticks(high), low: ticks(low), close: ticks(close) };
  });
  read.set(file, candles);
  return candles;
}
