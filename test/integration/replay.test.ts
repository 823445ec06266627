/** The same candles through a whole instance and through a back-test: the same fills, to the last digit. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Config } from "../../src/config/schema.ts";
import { writeCandles } from "../support/replay-lab.ts";
import type { ReplayGrid } from "../support/replay-run.ts";
import { backtest, replay, replayConfig } from "../support/replay-run.ts";
import { IS_FULL, freshSeed } from "../support/scale.ts";

const SHARED = resolve("../shared/data/binance-btcusdt-1m-2023.csv.gz");
const CANDLES = 800;

describe("a replay", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-replay-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A grid over fresh candles that begin in its middle. */
  function gridOf(symbol: string, seed: number, more: Partial<ReplayGrid> = {}): ReplayGrid {
    const candleFile = writeCandles(mkdtempSync(join(folder, "candles-")), CANDLES, seed);
    return { symbol, candleFile, lower: 26_000, upper: 28_000, grids: 20, ...more };
  }

  const seed = freshSeed();
  it.each([
    { name: "arithmetic, bought at the start", seed, more: {} },
    { name: "arithmetic, started empty", seed: seed + 1, more: { initial: "none" } as const },
    { name: "geometric, bought at the start", seed: seed + 2, more: { spacing: "geometric" } as const },
    {
      name: "geometric, started empty and dense",
      seed: seed + 3,
      more: { spacing: "geometric", initial: "none", grids: 30 } as const,
    },
    {
      name: "wholly above the start price",
      seed: seed + 4,
      more: { lower: 27_050, upper: 28_050, grids: 10 },
    },
  ])("gives the fills of the back-test: $name (seed $seed)", async ({ seed, more }) => {
    await expectSameAsBacktest(await replayConfig(folder, [gridOf("BTC/USDT", seed, more)]));
  });

  it(`gives the fills of both back-tests where one instance trades two symbols (seed ${seed})`, async () => {
    const config = await replayConfig(folder, [
      gridOf("BTC/USDT", seed + 5),
      gridOf("ETH/USDT", seed + 6, { spacing: "geometric", initial: "none", grids: 25 }),
    ]);

    await expectSameAsBacktest(config);
  });

  it.skipIf(!IS_FULL || !existsSync(SHARED))(
    "gives the fills of the back-test on the candles of 2023 (QUANTMESH_TEST_SCALE=full)",
    { timeout: 600_000 },
    async () => {
      const grid = { symbol: "BTC/USDT", candleFile: SHARED, lower: 25_000, upper: 28_000, grids: 30 };

      const [bot] = await expectSameAsBacktest(await replayConfig(folder, [grid]));

      expect(bot?.totals).toMatchObject({ fills: 671, trades: 320, inventorySells: 19 });
    },
  );
});

async function expectSameAsBacktest(config: Config) {
  const tested = await backtest(config);

  const { bots } = await replay(config);

  expect(bots.map(({ symbol }) => symbol)).toEqual(tested.map(({ symbol }) => symbol));
  for (const [index, bot] of bots.entries()) {
    const expected = tested[index];
    expect(bot.fills).toEqual(expected?.fills);
    expect(bot.totals).toEqual(expected?.totals);
    expect(bot.exchangeFills).toEqual(bot.fills);
    expect(bot.unresolved).toBe(0);
    // Else nothing would be compared.
    expect(bot.totals.trades).toBeGreaterThan(0);
  }
  return bots;
}
