/** Runs one whole instance on a lying exchange, in this process: its lives, and what is left. */
import type { PortWrappers, RunningInstance } from "../../src/cli/run-instance.ts";
import { startInstance } from "../../src/cli/run-instance.ts";
import type { Config } from "../../src/config/schema.ts";
import { invariant } from "../../src/domain/assert.ts";
import { hasCode } from "../../src/domain/errors.ts";
import type { BotCode } from "../../src/domain/ids.ts";
import { BOT_CODE_LENGTH, botCode } from "../../src/domain/ids.ts";
import type { Execution, Fill } from "../../src/domain/fill.ts";
import type { Balance, Exchange, ExchangeOrder } from "../../src/exchange/exchange.ts";
import type { FaultCounts } from "../../src/exchange/sim/fault-dice.ts";
import { FAULT_NAMES } from "../../src/exchange/sim/faults.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import { openSpool } from "../../src/storage/spool.ts";
import type { BotStatus } from "../../src/runner/bot-runner.ts";
import type { Drill } from "./draw-drill.ts";
import { SYMBOL, snakeCase } from "./draw-drill.ts";
import type { KeptLine } from "./kept-log.ts";
import { withOutages } from "./faulty-storage.ts";
import { logInto } from "./kept-log.ts";
import type { RarePaths } from "./rare-paths.ts";
import { NO_RARE_PATHS, countRarePaths, countSpooled } from "./rare-paths.ts";
import { seededRandom } from "./scale.ts";

const MOST_STARTS = 100;
/** So few that it is full now and then. */
const SPOOL_CAPACITY = 6;

export interface DrillEnd {
  readonly status: BotStatus;
  readonly storedFills: readonly Fill[];
  readonly unresolved: readonly string[];
  readonly exchangeFills: readonly Execution[];
  readonly exchangeOrders: readonly ExchangeOrder[];
  readonly balances: readonly Balance[];
  readonly faults: FaultCounts;
  readonly rare: RarePaths;
  readonly outages: { readonly cut: number; readonly refused: number; readonly leftInSpool: number };
  readonly log: readonly KeptLine[];
}

/**
 * Lives its faulty lives on one journal, database and spool, then a quiet one to the end of the data. `outageRate`: of
 * calls to the database in the faulty lives, with which it goes away.
 */
export async function runDrill({ config, lifeMs, seed }: Drill, outageRate = 0): Promise<DrillEnd> {
  const log: KeptLine[] = [];
  const rare = { ...NO_RARE_PATHS };
  const faults: Record<string, number> = {};
  // One database in memory for all lives: thousands of runs need not wait for the disk.
  const database = await createStorage({ type: "sqlite", file: ":memory:" });
  const random = seededRandom(seed);
  const outages = withOutages(countRarePaths(database, rare), random, outageRate);
  const spool = openSpool({ file: ":memory:", capacity: SPOOL_CAPACITY, now: () => 0 });
  const code = seededCode(seed);
  const wrappers: PortWrappers = {
    storage: () => outages.storage,
    spool: () => countSpooled(spool, rare),
    drawBotCode: () => code,
    random,
  };
  for (const ms of lifeMs) {
    const { running } = await start(config, wrappers, log, rare);
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
  outages.heal();
  const { running, exchange } = await start(withoutFaults(config), wrappers, log, rare);
  try {
    await running.run(new AbortController().signal);
    const [status] = running.instance.statuses();
    invariant(status !== undefined, "the drill has one bot");
    const { bot } = status;
    const { working } = await database.loadLedger(bot);
    return {
      status,
      storedFills: await database.fillsOf(bot),
      unresolved: working.filter(({ order }) => order.kind !== "open").map(({ order }) => order.terms.id),
      exchangeFills: (await exchange.fillsSince(SYMBOL, undefined)).fills,
      exchangeOrders: await exchange.ordersSince(SYMBOL, bot.createdAt),
      balances: await exchange.balances(),
      faults: faults as FaultCounts,
      rare,
      outages: { cut: outages.cut, refused: outages.refused, leftInSpool: spool.depth },
      log,
    };
  } finally {
    await running.close("end of data");
    await database.close();
    spool.close();
  }
}

interface Life {
  readonly running: RunningInstance;
  readonly exchange: Exchange;
}

/** Starts as often as the exchange or the database does not answer the start's own questions, as an operator would. */
async function start(
  config: Config,
  wrappers: PortWrappers,
  log: KeptLine[],
  rare: RarePaths,
): Promise<Life> {
  for (let starts = 1; ; starts += 1) {
    let exchange: Exchange | undefined;
    try {
      const running = await startInstance(config, logInto(log), {
        ...wrappers,
        exchange: (real) => {
          exchange = real;
          return real;
        },
      });
      invariant(exchange !== undefined, "an instance has an exchange");
      return { running, exchange };
    } catch (error) {
      const passes = hasCode(error, "EXCHANGE_UNAVAILABLE") || hasCode(error, "STORAGE_UNAVAILABLE");
      if (!passes || starts === MOST_STARTS) throw error;
      rare.startRefused += 1;
    }
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

/** Faults depend on ids: only so does a seed repeat its run. */
function seededCode(seed: number): BotCode {
  const random = seededRandom(seed);
  return botCode(Array.from({ length: BOT_CODE_LENGTH }, () => Math.floor(random() * 10)).join(""));
}
