/** A bot in this process on a venue in another, over HTTP and WebSockets, while the venue's fault switches are thrown. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { RunningInstance } from "../../src/cli/run-instance.ts";
import { startInstance } from "../../src/cli/run-instance.ts";
import { parseConfig } from "../../src/config/load-config.ts";
import type { Config } from "../../src/config/schema.ts";
import { addMoney, parseMoney } from "../../src/domain/amounts.ts";
import { policyFor } from "../../src/domain/errors.ts";
import type { BotStatus } from "../../src/runner/bot-runner.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import { baseOwned, valueGrid } from "../../src/strategy/valuation.ts";
import type { KeptLine } from "./kept-log.ts";
import { logInto } from "./kept-log.ts";
import { seededRandom } from "./scale.ts";
import { readCheckedAudit } from "./venue-audit.ts";
import type { DrillMarket } from "./venue-markets.ts";
import { BASE_AT_START, QUOTE_AT_START } from "./venue-markets.ts";
import type { VenueFault, VenueProcess } from "./venue-process.ts";

export interface VenueDrill {
  readonly venue: VenueProcess;
  readonly market: DrillMarket;
  readonly seed: number;
  /** Thrown once the bot trades, and taken back for the end. */
  readonly faults: readonly VenueFault[];
  /** Moves of the market by hand. */
  readonly moves: number;
  /** What else happens to the venue between two moves. */
  readonly disturb?: (random: () => number) => Promise<void>;
}

const START_TRIES = 200;
/** A venue that has refused so many starts in a row is on its way to recover: its switches strike half as often. */
const TRIES_UNTIL_BETTER = 50;
const SETTLE_LIMIT_MS = 60_000;
const LOOK_MS = 50;
const REQUEST_WINDOW_MS = 500;
export const DRILL_SETTLE_MS = 300;

/** The config of a live bot on the venue, as JSON; its lattice by `random`. */
export function drillConfig(
  venue: VenueProcess,
  market: DrillMarket,
  file: string,
  random: () => number,
): string {
  const lattice =
    random() < 0.5
      ? { lattice: "range", lower: "90", upper: "110", grids: "10" }
      : { lattice: "window", price_interval: "2", buy_window_size: "3", min_order_value: "20" };
  const text = {
    app: { current_exchange: "binance" },
    exchanges: {
      binance: {
        mode: "live",
        api_key: market.apiKey,
        secret_key: market.secret,
        urls: { rest: venue.url, ws: venue.wsUrl },
        request_window_ms: String(REQUEST_WINDOW_MS),
        settle_ms: String(DRILL_SETTLE_MS),
      },
    },
    trading: {
      reconcile_interval: "1",
      symbols: [{ symbol: market.symbol, ...lattice, order_quantity: "100" }],
    },
    database: { dsn: file },
    web: { enabled: "false" },
  };
  return JSON.stringify(text);
}

/**
 * Starts the bot, throws the switches, moves the market, restarts the bot once, takes the switches back, and checks
 * I1 to I3 against the venue's own journal once all is quiet. Returns what the bot logged.
 */
export async function runVenueDrill(drill: VenueDrill): Promise<readonly KeptLine[]> {
  const { venue, market, seed, moves } = drill;
  const random = seededRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-drill-"));
  const lines: KeptLine[] = [];
  const { config } = parseConfig(drillConfig(venue, market, join(folder, "bot.db"), random), "drill");
  let life: Life | undefined;
  try {
    life = await startLife(config, lines);
    await venue.admin.faults(drill.faults);
    const restartAt = Math.floor(random() * moves);
    for (let move = 0; move < moves; move += 1) {
      await pause(20 + random() * 120);
      await drill.disturb?.(random);
      if (move === restartAt) {
        // The market stands still while the bot is down.
        await life.end();
        life = await startLife(config, lines, async (times) => {
          await venue.admin.faults(drill.faults.map((fault) => weakened(fault, times)));
        });
        await venue.admin.faults(drill.faults);
      }
      const share = random() < 0.2 ? 0.5 : 1;
      await venue.admin.move(market.symbol, (92 + Math.floor(random() * 1_600) / 100).toFixed(2), share);
    }
    await venue.admin.faults([]);
    await venue.admin.move(market.symbol, "100.10");
    const status = await settled(life.instance, drill);
    await life.end();
    life = undefined;
    await expectSoundBooks(config.database.dsn, venue, market);
    expect(valueGrid(status.state, status.price).identityError).toBe(0n);
    return lines;
  } catch (error) {
    const said = lines.slice(-60).map(({ event, fields }) => `${event} ${describe(fields)}`);
    throw new Error(`drill of seed ${seed} failed:\n${said.join("\n")}`, { cause: error });
  } finally {
    await life?.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Life {
  readonly instance: RunningInstance;
  end(): Promise<void>;
}

function weakened(fault: VenueFault, times: number): VenueFault {
  return { ...fault, probability: (fault.probability ?? 1) * 0.5 ** times };
}

/**
 * A start that an unavailable exchange refuses is tried again, as whoever supervises the process would; `getBetter` is
 * called each time that this has gone on for long.
 */
async function startLife(
  config: Config,
  lines: KeptLine[],
  getBetter?: (times: number) => Promise<void>,
): Promise<Life> {
  for (let tries = 1; ; tries += 1) {
    try {
      const instance = await startInstance(config, logInto(lines));
      const stopping = new AbortController();
      const running = instance.run(stopping.signal);
      running.catch(() => undefined);
      return {
        instance,
        end: async () => {
          stopping.abort();
          await running;
          await instance.close("drill");
        },
      };
    } catch (error) {
      if (policyFor(error) !== "backOff" || tries >= START_TRIES) throw error;
      lines.push({ event: "drill.start_refused", fields: { error } });
      if (tries % TRIES_UNTIL_BETTER === 0) await getBetter?.(tries / TRIES_UNTIL_BETTER);
      await pause(50);
    }
  }
}

/** Waits until the bot knows all that the venue does, and has nothing under way. */
async function settled(instance: RunningInstance, { venue, market }: VenueDrill): Promise<BotStatus> {
  const deadline = performance.now() + SETTLE_LIMIT_MS;
  let difference = "";
  while (performance.now() < deadline) {
    await pause(LOOK_MS);
    const [status] = instance.instance.statuses();
    if (!status) throw new Error("there is no bot");
    if (status.mode !== "running") throw new Error(`the bot is ${status.mode}`);
    const { orders, fills } = readCheckedAudit(venue.journal, market.account);
    const open = orders.filter((order) => order.status === "open").map(({ id }) => String(id));
    const working = status.working.map(({ kind, terms }) =>
      kind === "open" ? terms.id : `${kind} ${terms.id}`,
    );
    difference = differenceOf(open, working, fills.length, status.totals.fills);
    if (difference === "" && instance.instance.isIdle) return status;
  }
  throw new Error(`not settled: ${difference}`);
}

/** What the venue has and the bot has not, or the other way; empty where both agree. */
export function differenceOf(
  open: readonly string[],
  working: readonly string[],
  filled: number,
  stored: number,
): string {
  const [here, there] = [[...open].sort().join(), [...working].sort().join()];
  if (here !== there) return `the venue has ${here}\nthe bot has ${there}`;
  return filled === stored ? "" : `the venue has ${filled} fills, the bot ${stored}`;
}

/** I2 and I3: every fill stored once, and what the account owns is what the books say, to the last digit. */
export async function expectSoundBooks(
  database: string,
  venue: VenueProcess,
  market: DrillMarket,
): Promise<void> {
  const audit = readCheckedAudit(venue.journal, market.account);
  const storage = await createStorage({ type: "sqlite", file: database });
  try {
    const [summary] = await storage.listBots();
    if (!summary) throw new Error("no bot is stored");
    const { bot, totals } = summary;
    const stored = (await storage.fillsOf(bot)).map(({ tradeId, exchangeOrderId, price, quantity }) => ({
      tradeId,
      order: exchangeOrderId,
      price,
      quantity,
    }));
    expect(byTrade(stored)).toEqual(byTrade(audit.fills));
    expect(totals.fills).toBe(audit.fills.length);
    const sideOf = new Map(audit.orders.map(({ order, side }) => [order, side]));
    const position = audit.fills.reduce(
      (sum, { order, quantity }) => sum + (sideOf.get(order) === "buy" ? quantity : -quantity),
      0,
    );
    expect(totals.position).toBe(position);
    const balances = (await venue.admin.call("GET", `/balances?account=${market.account}`)) as readonly {
      readonly asset: string;
      readonly free: string;
      readonly locked: string;
    }[];
    const owned = (asset: string) => {
      const found = balances.find((one) => one.asset === asset);
      return found && addMoney(parseMoney(found.free), parseMoney(found.locked));
    };
    const { base, quote } = bot.instrument;
    expect(owned(base)).toBe(addMoney(parseMoney(BASE_AT_START), baseOwned(bot, totals)));
    expect(owned(quote)).toBe(addMoney(parseMoney(QUOTE_AT_START), totals.cashFlow));
  } finally {
    await storage.close();
  }
}

function byTrade<Fill extends { readonly tradeId: string }>(fills: readonly Fill[]): readonly Fill[] {
  return [...fills].sort((a, b) => Number(a.tradeId) - Number(b.tradeId));
}

function describe(fields: unknown): string {
  return JSON.stringify(fields, (_key, value: unknown) =>
    typeof value === "bigint" ? String(value) : value instanceof Error ? value.message : value,
  );
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
