/** One whole instance on a lying exchange, in this process: its settings from a seed, its lives, and what is left. */
import crypto from "node:crypto";
import { writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import type { RunningInstance } from "../../src/cli/run-instance.ts";
import { startInstance } from "../../src/cli/run-instance.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import type { Config } from "../../src/config/schema.ts";
import { invariant } from "../../src/domain/assert.ts";
import { hasCode } from "../../src/domain/errors.ts";
import type { Execution, Fill } from "../../src/domain/fill.ts";
import type { StoreRecord } from "../../src/domain/records.ts";
import type { Balance, Exchange, ExchangeOrder } from "../../src/exchange/exchange.ts";
import type { FaultCounts } from "../../src/exchange/sim/fault-dice.ts";
import type { FaultName } from "../../src/exchange/sim/faults.ts";
import { FAULT_NAMES } from "../../src/exchange/sim/faults.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import type { BotStatus } from "../../src/runner/bot-runner.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { KeptLine } from "./kept-log.ts";
import { logInto } from "./kept-log.ts";
import { override } from "./override.ts";
import { writeCandles } from "./replay-lab.ts";
import { seededRandom } from "./scale.ts";

export const SYMBOL = "BTC/USDT";
export const QUOTE_AT_START = "1000000";
const CANDLES = 56;
const QUIET_CANDLES = 16;
const MOST_STARTS = 100;
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

/** How often the bot walked its rare paths. */
export interface RarePaths {
  unknownThenOpen: number;
  unknownThenAbsent: number;
  duplicateFillRefused: number;
  partlyFilledThenCanceled: number;
  lateFill: number;
  unresolvedAtStart: number;
  startRefused: number;
}

export interface DrillEnd {
  readonly status: BotStatus;
  readonly storedFills: readonly Fill[];
  readonly unresolved: readonly string[];
  readonly exchangeFills: readonly Execution[];
  readonly exchangeOrders: readonly ExchangeOrder[];
  readonly balances: readonly Balance[];
  readonly faults: FaultCounts;
  readonly rare: RarePaths;
  readonly log: readonly KeptLine[];
}

export const NO_RARE_PATHS: RarePaths = {
  unknownThenOpen: 0,
  unknownThenAbsent: 0,
  duplicateFillRefused: 0,
  partlyFilledThenCanceled: 0,
  lateFill: 0,
  unresolvedAtStart: 0,
  startRefused: 0,
};

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

/** Lives its faulty lives on one journal and database, then a quiet one to the end of the data. */
export async function runDrill({ config, lifeMs, seed }: Drill): Promise<DrillEnd> {
  const { randomInt } = crypto;
  replaceRandomInt(seededInt(seed));
  try {
    return await live(config, lifeMs);
  } finally {
    replaceRandomInt(randomInt);
  }
}

async function live(config: Config, lifeMs: readonly number[]): Promise<DrillEnd> {
  const log: KeptLine[] = [];
  const rare = { ...NO_RARE_PATHS };
  const faults: Record<string, number> = {};
  // One database in memory for all lives: thousands of runs need not wait for the disk.
  const database = await createStorage({ type: "sqlite", file: ":memory:" });
  const storage = observed(database, rare);
  for (const ms of lifeMs) {
    const { running } = await start(config, storage, log, rare);
    const aborting = new AbortController();
    running.market.clock.after(ms, () => aborting.abort());
    try {
      await running.run(aborting.signal);
    } finally {
      await running.close("end of a life");
    }
    for (const [name, count] of Object.entries(running.market.faults())) {
      faults[name] = (faults[name] ?? 0) + count;
    }
  }
  const { running, exchange } = await start(withoutFaults(config), storage, log, rare);
  try {
    await running.run(new AbortController().signal);
    const [status] = running.instance.statuses();
    invariant(status !== undefined, "the drill has one bot");
    const { bot } = status;
    const { working } = await storage.loadLedger(bot);
    return {
      status,
      storedFills: await storage.fillsOf(bot),
      unresolved: working.filter(({ order }) => order.kind !== "open").map(({ order }) => order.terms.id),
      exchangeFills: (await exchange.fillsSince(SYMBOL, undefined)).fills,
      exchangeOrders: await exchange.ordersSince(SYMBOL, bot.createdAt),
      balances: await exchange.balances(),
      faults: faults as FaultCounts,
      rare,
      log,
    };
  } finally {
    await running.close("end of data");
    await database.close();
  }
}

interface Life {
  readonly running: RunningInstance;
  readonly exchange: Exchange;
}

/** Starts as often as the exchange does not answer the start's own questions, as an operator would. */
async function start(config: Config, storage: Storage, log: KeptLine[], rare: RarePaths): Promise<Life> {
  for (let starts = 1; ; starts += 1) {
    let exchange: Exchange | undefined;
    try {
      const running = await startInstance(config, logInto(log), {
        exchange: (real) => {
          exchange = real;
          return real;
        },
        storage: () => storage,
      });
      invariant(exchange !== undefined, "an instance has an exchange");
      return { running, exchange };
    } catch (error) {
      if (!hasCode(error, "EXCHANGE_UNAVAILABLE") || starts === MOST_STARTS) throw error;
      rare.startRefused += 1;
    }
  }
}

/** Counts the rare paths by what is stored. */
function observed(real: Storage, rare: RarePaths): Storage {
  const unknown = new Set<string>();
  return override(real, {
    loadLedger: async (bot) => {
      const ledger = await real.loadLedger(bot);
      for (const { order } of ledger.working) {
        if (order.kind !== "pending" && order.kind !== "unknown") continue;
        rare.unresolvedAtStart += 1;
        unknown.add(order.terms.id);
      }
      return ledger;
    },
    commit: async (claim, bot, records) => {
      const outcome = await real.commit(claim, bot, records);
      if (outcome === "duplicate") rare.duplicateFillRefused += 1;
      if (outcome === "stored") for (const record of records) note(record, unknown, rare);
      return outcome;
    },
  });
}

function note(record: StoreRecord, unknown: Set<string>, rare: RarePaths): void {
  if (record.kind === "event" && record.type === "late_fill") rare.lateFill += 1;
  if (record.kind !== "order") return;
  const { id, status, progress } = record;
  if (status === "canceled" && progress.executed > 0) rare.partlyFilledThenCanceled += 1;
  if (status === "unknown") {
    unknown.add(id);
  } else if (unknown.delete(id)) {
    if (status === "absent") rare.unknownThenAbsent += 1;
    else if (status !== "rejected") rare.unknownThenOpen += 1;
  }
}

/** Of all faults only the clock stays: it is the market's own. */
function withoutFaults(config: Config): Config {
  const { sim } = config.exchanges;
  invariant(sim.faults !== undefined, "a drill has faults");
  const honest = Object.fromEntries(FAULT_NAMES.map((name) => [snakeCase(name), 0]));
  const faults = { ...sim.faults, ...honest, stale_beyond_settle_ms: 0 };
  return { ...config, exchanges: { ...config.exchanges, sim: { ...sim, faults } } };
}

/** The bot's code is drawn from it, and faults depend on ids: only so does a seed repeat its run. */
function replaceRandomInt(randomInt: typeof crypto.randomInt): void {
  crypto.randomInt = randomInt;
  syncBuiltinESMExports();
}

function seededInt(seed: number): typeof crypto.randomInt {
  const random = seededRandom(seed);
  return (end: number) => Math.floor(random() * end);
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
