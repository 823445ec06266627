/** A drill's settings from a seed: its grid, its exchange's faults, and when its lives end. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load-config.ts";
import type { Config } from "../../src/config/schema.ts";
import type { FaultName } from "../../src/exchange/sim/faults.ts";
import { FAULT_NAMES } from "../../src/exchange/sim/faults.ts";
import { writeCandles } from "./replay-lab.ts";
import { seededRandom } from "./scale.ts";

export const SYMBOL = "BTC/USDT";
export const QUOTE_AT_START = "1000000";
const CANDLES = 56;
const QUIET_CANDLES = 16;
const MAX_RATE = 0.1;
/** A range cancels seldom, so faults around cancels are made frequent. */
const MAX_RARE_RATE = 0.5;
const HARD_TO_MEET: readonly FaultName[] = ["partialFills", "fillInCancel", "lostCancelAnswer"];

export type LatticeName = "range" | "window";
export type OrderTypeName = "limit" | "post_only";

export interface Drill {
  readonly config: Config;
  /** When the faulty lives end, in ms of market time from the start of each. */
  readonly lifeMs: readonly number[];
  readonly seed: number;
}

/** The drill of a seed; its files are in `folder`, `extraFaults` replace keys of the section `faults`. */
export async function drawDrill(
  folder: string,
  lattice: LatticeName,
  orderType: OrderTypeName,
  seed: number,
  extraFaults: Readonly<Record<string, number>> = {},
): Promise<Drill> {
  const random = seededRandom(seed);
  const upTo = (most: number): number => Math.floor(random() * (most + 1));
  const intervalMs = [1_000, 4_000, 60_000][upTo(2)] ?? 60_000;
  const isIntense = lattice === "range" || seed % 4 === 0;
  const rates = FAULT_NAMES.map((name) => {
    const most = isIntense && HARD_TO_MEET.includes(name) ? MAX_RARE_RATE : MAX_RATE;
    return [snakeCase(name), Number((random() * most).toFixed(4))];
  });
  const faults = { ...Object.fromEntries(rates), seed: upTo(2 ** 31), ...extraFaults };
  const candleFile = writeCandles(folder, CANDLES, upTo(2 ** 31), intervalMs);
  const grid =
    lattice === "range"
      ? `lower: 26600, upper: 27400, grids: 20, initial: ${upTo(1) === 0 ? "buy" : "none"}`
      : `price_interval: 40, buy_window_size: ${3 + upTo(5)}, window_hysteresis: ${upTo(1)}, min_order_value: 20`;
  const file = join(folder, "drill.yaml");
  writeFileSync(
    file,
    `exchanges:
  sim:
    maker_fee: 0.0002
    taker_fee: 0.0004
    fee_asset: ${upTo(1) === 0 ? "quote" : "base"}
    balances: { USDT: ${QUOTE_AT_START} }
    journal: ${join(folder, "venue.journal")}
    faults:
      clock_offset_ms: ${upTo(20_000) - 10_000}
${Object.entries(faults)
  .map(([key, value]) => `      ${key}: ${String(value)}\n`)
  .join("")}    symbols:
      ${SYMBOL}: { tick_size: 0.01, lot_size: 0.00001, min_notional: 5, market: { type: replay, file: ${candleFile}, fill: ${upTo(1) === 0 ? "touch" : "through"} } }
trading:
  reconcile_interval: ${5 + upTo(55)}
  symbols:
    - { symbol: ${SYMBOL}, lattice: ${lattice}, order_type: ${orderType}, order_quantity: 100, ${grid} }
database: { dsn: ":memory:" }
web: { enabled: false }
`,
  );
  const faultyMs = (CANDLES - QUIET_CANDLES) * intervalMs;
  const firstMs = Math.floor(random() * faultyMs);
  return {
    config: await loadConfig(file),
    lifeMs: upTo(1) === 0 ? [faultyMs] : [firstMs, faultyMs - firstMs],
    seed,
  };
}

export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
