/** What becomes of orders and inventory when an instance stops, and how the next one goes on. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startInstance } from "../../src/cli/run-instance.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { createLog } from "../../src/observe/log.ts";
import { writeCandles } from "../support/replay-lab.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quantmesh-exit-"));
  writeCandles(folder, 400, 7);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const quiet = createLog({ level: "error", stream: { write: () => undefined } });

async function writeConfig(system: string, grid = ""): Promise<string> {
  const file = join(folder, "config.yaml");
  writeFileSync(
    file,
    `exchanges:
  sim:
    fee_rate: 0.001
    balances: { USDT: 10000 }
    journal: ${folder}/venue.journal
    symbols:
      BTC/USDT:
        tick_size: 0.01
        lot_size: 0.00001
        market: { type: replay, file: ${folder}/candles.csv, fill: touch }
trading:
  symbols:
    - { symbol: BTC/USDT, lower: 26000, upper: 28000, grids: 20, order_quantity: 100${grid} }
database: { dsn: ${folder}/quantmesh.db }
system: { ${system} }
web: { enabled: false }
`,
  );
  return file;
}

/** Starts, stops at once (the market has not moved) or at the end of the data, and tells how things stand. */
async function runOnce(config: string, toTheEnd: boolean) {
  const running = await startInstance(await loadConfig(config), quiet);
  const { exchange } = running.market;
  if (toTheEnd) await running.run(new AbortController().signal);
  else await running.instance.whenIdle();
  const [during] = running.instance.statuses();
  await running.close("test");
  const [after] = running.instance.statuses();
  if (!during || !after) throw new Error("the bot has no status");
  return { during, after, exchange };
}

it("leaves resting orders where they are by default", async () => {
  const { during, after } = await runOnce(await writeConfig("log_level: error"), false);
  expect(after.working.map(({ terms }) => terms.id)).toEqual(during.working.map(({ terms }) => terms.id));
  expect(after.working.length).toBe(20);
});

it("cancels what rests with cancel_on_exit, keeps the inventory, and places it again at the next start", async () => {
  const config = await writeConfig("cancel_on_exit: true");
  const first = await runOnce(config, false);
  expect(first.after.working).toEqual([]);
  expect(first.after.totals.position).toBe(first.during.totals.position);
  expect(first.after.totals.position).toBeGreaterThan(0);
  const second = await runOnce(config, false);
  const places = (orders: typeof first.during.working): string[] =>
    orders.map(({ terms }) => `${terms.slot} ${terms.side} ${terms.quantity}`);
  expect(places(second.during.working)).toEqual(places(first.during.working));
  expect(second.during.working.every(({ terms }) => terms.generation === 2)).toBe(true);
});

it("sells everything with close_positions_on_exit, and begins anew at the next start", async () => {
  const config = await writeConfig("close_positions_on_exit: true");
  const first = await runOnce(config, false);
  expect(first.after.working).toEqual([]);
  expect(first.after.totals.position).toBe(0);
  expect(first.after.mode).toBe("closed");
  const second = await runOnce(config, false);
  expect(second.during.mode).toBe("running");
  expect(second.during.working.length).toBeGreaterThan(0);
});

it("stays closed after a stop-loss, whatever the price does, and at the next start too", async () => {
  const config = await writeConfig("log_level: error", ", stop_loss: 25999");
  // A fall below the stop at the end of the series.
  const rows = Array.from(
    { length: 3 },
    (_, i) => `${1_800_000_000_000 + i * 60_000},25000,27000,25000,27000,1`,
  );
  writeFileSync(
    join(folder, "candles.csv"),
    `timestamp,open,high,low,close,volume\n1799999940000,27000,27000,27000,27000,1\n${rows.join("\n")}\n`,
  );
  const first = await runOnce(config, true);
  expect(first.during.mode).toBe("closed");
  expect(first.during.state.modeReason).toBe("stop_loss");
  expect(first.after.totals.position).toBe(0);
  expect(first.after.working).toEqual([]);
  const second = await runOnce(config, true);
  expect(second.during.mode).toBe("closed");
  expect(second.during.working).toEqual([]);
});
