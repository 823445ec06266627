/** A laboratory for crashes: replays one candle file in child processes, and reads what is left afterwards. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Fill } from "../../src/domain/fill.ts";
import type { Bot, Totals, Trade } from "../../src/domain/grid.ts";
import { readAudit } from "../../src/exchange/sim/read-audit.ts";
import type { AuditEntry } from "../../src/exchange/sim/read-audit.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import { decodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import { seededRandom } from "./scale.ts";

export const SYMBOL = "BTC/USDT";
const CHILD = resolve("test/support/crash-child.mjs");

/** A folder with a config that replays `candles`. */
export interface Lab {
  readonly folder: string;
  readonly config: string;
  readonly database: string;
  readonly journal: string;
  dispose(): void;
}

export interface LabOptions {
  readonly candleFile: string;
  /** The grid's own keys, as YAML: `lower: 26000, upper: 28000, grids: 20`. */
  readonly grid: string;
  /** The section `faults`; an honest exchange unless given. */
  readonly faults?: Readonly<Record<string, number>>;
}

export function createLab({ candleFile, grid, faults }: LabOptions): Lab {
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-lab-"));
  const config = join(folder, "config.yaml");
  const database = join(folder, "quantmesh.db");
  const journal = join(folder, "venue.journal");
  writeFileSync(
    config,
    `exchanges:
  sim:
    fee_rate: 0.001
    balances: { USDT: 10000 }
    journal: ${journal}${faults ? `\n    faults: ${JSON.stringify(faults)}` : ""}
    symbols:
      ${SYMBOL}:
        tick_size: 0.01
        lot_size: 0.00001
        market: { type: replay, file: ${candleFile}, fill: touch }
trading:
  symbols:
    - { symbol: ${SYMBOL}, ${grid}, order_quantity: 100 }
database: { dsn: ${database} }
web: { enabled: false }
`,
  );
  return {
    folder,
    config,
    database,
    journal,
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Writes a seeded wandering candle file, around 27,000 with some percent of range, and returns its path. */
export function writeCandles(folder: string, count: number, seed: number, intervalMs = 60_000): string {
  const random = seededRandom(seed);
  const lines = ["timestamp,open,high,low,close,volume"];
  let price = 2_700_000;
  for (let i = 0; i < count; i++) {
    const open = price;
    const moved = Math.round((random() - 0.5) * 12_000 - (price - 2_700_000) / 60);
    const close = open + moved;
    const high = Math.max(open, close) + Math.round(random() * 2_000);
    const low = Math.min(open, close) - Math.round(random() * 2_000);
    const text = [open, high, low, close].map((ticks) => (ticks / 100).toFixed(2)).join(",");
    lines.push(`${1_700_000_000_000 + i * intervalMs},${text},1`);
    price = close;
  }
  const file = join(folder, "candles.csv");
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

export interface ChildEnd {
  readonly signal: NodeJS.Signals | null;
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** Runs the lab's instance until it ends, dies at `crashAt`, or is killed `killAfterMs` after its start. */
export async function runChild(
  lab: Lab,
  { crashAt, killAfterMs }: { readonly crashAt?: string; readonly killAfterMs?: number } = {},
): Promise<ChildEnd> {
  const started = performance.now();
  const child = spawn(process.execPath, [CHILD, lab.config], {
    env: { ...process.env, ...(crashAt === undefined ? {} : { CRASH_AT: crashAt }) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((done) => {
    child.once("close", (...end) => done(end));
  });
  clearTimeout(timer);
  return { code, signal, stdout, stderr, ms: performance.now() - started };
}

/**
 * A fill without its generation: after a crash an order proven absent is replaced by one of the next. That of an initial
 * purchase is filled when it is placed, so later than it would have been: a taker's fill has no time.
 */
export interface ComparableFill extends Omit<Fill, "id" | "exchangeOrderId" | "at"> {
  readonly slot: number;
  readonly at: Fill["at"] | undefined;
}

export interface EndState {
  readonly bot: Bot;
  readonly fills: readonly ComparableFill[];
  /** Ids with generations, for comparison with a run that never crashed. */
  readonly fillIds: readonly string[];
  readonly trades: readonly Omit<Trade, "generation">[];
  readonly totals: Totals;
  readonly resting: readonly string[];
  readonly unresolved: number;
  readonly audit: readonly AuditEntry[];
}

/** What is stored, and what the exchange's own audit says. */
export async function readEndState(lab: Lab): Promise<EndState> {
  const storage = await createStorage({ type: "sqlite", file: lab.database });
  try {
    const [summary] = await storage.listBots();
    if (!summary) throw new Error("no bot is stored");
    const { bot, totals } = summary;
    const fills = [...(await storage.fillsOf(bot))].sort((a, b) => Number(a.tradeId) - Number(b.tradeId));
    const trades = await storage.tradesOf(bot);
    const { working } = await storage.loadLedger(bot);
    return {
      bot,
      fills: fills.map(({ id, exchangeOrderId: _, ...fill }) => ({
        ...fill,
        slot: decodeClientOrderId(id)?.slot ?? -1,
        at: fill.liquidity === "taker" ? undefined : fill.at,
      })),
      fillIds: fills.map(({ id }) => id.slice(12)),
      trades: trades.map(({ generation: _, ...trade }) => trade),
      totals,
      resting: working
        .filter(({ order }) => order.kind === "open")
        .map(
          ({ order }) =>
            `${order.terms.slot} ${order.terms.side} ${order.terms.price} ${order.terms.quantity}`,
        )
        .sort(),
      unresolved: working.filter(({ order }) => order.kind !== "open").length,
      audit: readAudit(lab.journal),
    };
  } finally {
    await storage.close();
  }
}
