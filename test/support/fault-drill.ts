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
import type { BotStatus } from "../../src/runner/bot-runner.ts";
import type { Drill } from "./draw-drill.ts";
import { SYMBOL, snakeCase } from "./draw-drill.ts";
import type { KeptLine } from "./kept-log.ts";
import { logInto } from "./kept-log.ts";
import type { RarePaths } from "./rare-paths.ts";
import { NO_RARE_PATHS, countRarePaths } from "./rare-paths.ts";
import { seededRandom } from "./scale.ts";

const MOST_STARTS = 100;

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

/** Lives its faulty lives on one journal and database, then a quiet one to the end of the data. */
export async function runDrill({ config, lifeMs, seed }: Drill): Promise<DrillEnd> {
  const log: KeptLine[] = [];
  const rare = { ...NO_RARE_PATHS };
  const faults: Record<string, number> = {};
  // One database in memory for all lives: thousands of runs need not wait for the disk.
  const database = await createStorage({ type: "sqlite", file: ":memory:" });
  const storage = countRarePaths(database, rare);
  const code = seededCode(seed);
  const wrappers: PortWrappers = { storage: () => storage, drawBotCode: () => code };
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
  const { running, exchange } = await start(withoutFaults(config), wrappers, log, rare);
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
      if (!hasCode(error, "EXCHANGE_UNAVAILABLE") || starts === MOST_STARTS) throw error;
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
