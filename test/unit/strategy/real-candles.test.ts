/** Both lattices over every shared candle file: exact books, a window that lets go, and exits that never starve. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { runBacktest } from "../../../src/backtest/run-backtest.ts";
import type { PriceTicks } from "../../../src/domain/amounts.ts";
import type { Instant } from "../../../src/domain/ids.ts";
import { botCode } from "../../../src/domain/ids.ts";
import { createInstrument } from "../../../src/domain/instrument.ts";
import { createBot } from "../../../src/strategy/create-bot.ts";
import { resolveRules } from "../../../src/strategy/rules.ts";
import type { GridSettings } from "../../../src/strategy/settings.ts";
import { DEFAULT_RULES } from "../../../src/strategy/settings.ts";
import type { GridState } from "../../../src/strategy/state.ts";
import { valueGrid } from "../../../src/strategy/valuation.ts";
import { workingOrders } from "../../../src/strategy/working-orders.ts";
import { loadCandles } from "../../../src/venue/market/candles.ts";

const DATA = resolve("../shared/data");
const FILES: readonly [file: string, lower: string, upper: string, interval: string][] = [
  ["binance-btcusdt-1m-2021", "50000", "62000", "200"],
  ["binance-btcusdt-1m-2023", "25000", "28000", "60"],
  ["binance-btcusdt-1m-2025", "92000", "106000", "300"],
  ["binance-ethusdt-1m-2021", "3000", "3900", "15"],
  ["binance-ethusdt-1m-2023", "1550", "2100", "6"],
];
/** The state is looked at where so many parts of the data end. */
const PARTS = 6;
const INSTRUMENT = createInstrument({
  exchange: "sim",
  symbol: "BTC/USDT",
  tickSize: "0.01",
  lotSize: "0.00001",
  makerFee: "0.001",
  takerFee: "0.001",
});

describe.each(FILES)("over the candles of %s", (file, lower, upper, interval) => {
  const path = `${DATA}/${file}.csv.gz`;
  const isMissing = !existsSync(path);
  const range: GridSettings = {
    lattice: "range",
    lower,
    upper,
    grids: 30,
    spacing: "arithmetic",
    amount: { kind: "order_quantity", value: "100" },
    initial: "buy",
  };
  const window: GridSettings = {
    lattice: "window",
    priceInterval: interval,
    orderQuantity: "100",
    minOrderValue: "5",
    anchorPrice: undefined,
  };

  it.skipIf(isMissing)("a range grid has exact books, and sells whatever it holds", async () => {
    const states = await statesOf(path, range);

    for (const state of states) {
      expect(valueGrid(state, state.price).identityError).toBe(0n);
      expect(state.slots.filter(({ phase }) => phase.kind === "holding")).toEqual([]);
    }
    expect(states.at(-1)?.totals.trades).toBeGreaterThan(50);
    expect(states.some((state) => heldBy(state) > 0)).toBe(true);
  });

  it.skipIf(isMissing)(
    "a window grid has exact books, lets go of what leaves it, and sells what is near",
    async () => {
      const states = await statesOf(path, window);
      const level = Number(interval) * 100;

      for (const state of states) {
        expect(valueGrid(state, state.price).identityError).toBe(0n);
        for (const { terms } of workingOrders(state)) {
          // Levels and hysteresis, half a level of rounding, and one level from a buy to its sell.
          const { buyLevels, hysteresis } = DEFAULT_RULES.window;
          expect(Math.abs(terms.price - state.price)).toBeLessThanOrEqual(
            (buyLevels + hysteresis + 1.5) * level,
          );
        }
        const starving = state.slots.filter(
          ({ terms, phase }) =>
            phase.kind === "holding" &&
            terms.sellPrice - state.price < (DEFAULT_RULES.window.sellLevels - 1) * level,
        );
        expect(starving).toEqual([]);
      }
      expect(states.at(-1)?.totals.trades).toBeGreaterThan(50);
      expect(states.reduce((sum, state) => sum + canceledIn(state), 0)).toBeGreaterThan(50);
    },
  );
});

/** What a back-test ends with after each part of the file, from the start. */
async function statesOf(path: string, settings: GridSettings): Promise<readonly GridState[]> {
  const candles = await loadCandles(path, INSTRUMENT.tickSize);
  const bot = createBot({
    code: botCode("0123456789"),
    market: { exchange: "sim", account: "test", symbol: "BTC/USDT" },
    instrument: INSTRUMENT,
    settings,
    rules: DEFAULT_RULES,
    price: candles.open[0] as PriceTicks,
    createdAt: candles.timestamp[0] as Instant,
  });
  const rules = resolveRules(bot, DEFAULT_RULES);
  return Array.from({ length: PARTS }, (_, part) => {
    const length = Math.floor((candles.length * (part + 1)) / PARTS);
    const { state, lastPrice } = runBacktest({ bot, rules, candles: { ...candles, length }, fill: "touch" });
    // Prices inside of the watch band are no event: the state's own may be older.
    return { ...state, price: lastPrice };
  });
}

function heldBy({ slots }: GridState): number {
  return slots.filter(({ phase }) => phase.kind === "selling").length;
}

/** Orders that ended otherwise than by executing, which a touched order does in full. */
function canceledIn({ slots, totals, ...state }: GridState): number {
  const sent = slots.reduce((sum, { buys, sells }) => sum + buys.generation + sells.generation, 0);
  return sent - totals.fills - workingOrders({ slots, ...state }).length;
}
