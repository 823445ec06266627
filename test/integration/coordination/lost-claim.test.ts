/** A bot whose market was taken over stops within one turn of the event loop and touches nothing on the exchange. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startInstance } from "../../../src/cli/run-instance.ts";
import { loadConfig } from "../../../src/config/load-config.ts";
import type { Instance } from "../../../src/runner/instance.ts";
import { logInto } from "../../support/kept-log.ts";
import type { KeptLine } from "../../support/kept-log.ts";
import { override } from "../../support/override.ts";
import { writeCandles } from "../../support/replay-lab.ts";

const SYMBOL = "BTC/USDT";
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quantmesh-lost-"));
  writeCandles(folder, 400, 7);
  writeFileSync(
    join(folder, "config.yaml"),
    `exchanges:
  sim:
    fee_rate: 0.001
    balances: { USDT: 10000 }
    journal: ${folder}/venue.journal
    symbols:
      ${SYMBOL}:
        tick_size: 0.01
        lot_size: 0.00001
        market: { type: replay, file: ${folder}/candles.csv, fill: touch }
trading:
  symbols:
    - { symbol: ${SYMBOL}, lower: 26000, upper: 28000, grids: 20, order_quantity: 100 }
database: { dsn: ${folder}/quantmesh.db }
web: { enabled: false }
`,
  );
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the replay; at the `nth` stored intent the market is lost, before the intent's order is sent. */
async function runUntilLost(nth: number) {
  const requests: string[] = [];
  const lines: KeptLine[] = [];
  let intents = 0;
  let lostWith: string | undefined;
  const held: { instance?: Instance } = {};
  const running = await startInstance(await loadConfig(join(folder, "config.yaml")), logInto(lines), {
    storage: (real) =>
      override(real, {
        insertIntent: async (claim, bot, intent) => {
          const outcome = await real.insertIntent(claim, bot, intent);
          intents += 1;
          if (intents === nth) {
            lostWith = intent.terms.id;
            held.instance?.drop(SYMBOL, "test");
          }
          return outcome;
        },
      }),
    exchange: (real) =>
      override(real, {
        placeOrder: async (request) => {
          if (lostWith !== undefined) requests.push(`place ${request.terms.id}`);
          return real.placeOrder(request);
        },
        cancelOrder: async (request) => {
          if (lostWith !== undefined) requests.push(`cancel ${request.id}`);
          return real.cancelOrder(request);
        },
      }),
  });
  const { instance } = running;
  held.instance = instance;
  const ended = new AbortController();
  const driving = running.run(ended.signal);
  const { exchange } = running.market;
  while (lostWith === undefined) await new Promise((resolve) => setImmediate(resolve));
  const resting = (await exchange.openOrders(SYMBOL)).length;
  await instance.whenIdle();
  ended.abort();
  await driving;
  const left = (await exchange.openOrders(SYMBOL)).length;
  await running.close("test");
  return { requests, lostWith, resting, left, runners: instance.runners.length, lines };
}

it("sends nothing more, not even the order whose intent is stored, and cancels nothing", async () => {
  const { requests, runners, resting, left } = await runUntilLost(30);

  expect(requests).toEqual([]);
  expect(runners).toBe(0);
  expect(resting).toBeGreaterThan(5);
  // The market may fill what rests; nobody here takes it away.
  expect(left).toBeLessThanOrEqual(resting);
});

it("is not said to trade where its market was lost while it started", async () => {
  const lines: KeptLine[] = [];
  let takeAway = async (): Promise<void> => undefined;
  const running = await startInstance(await loadConfig(join(folder, "config.yaml")), logInto(lines), {
    storage: (real) => {
      takeAway = async () => {
        takeAway = async () => undefined;
        await real.claim({ exchange: "sim", account: "main", symbol: SYMBOL }, "another");
      };
      return real;
    },
    exchange: (real) =>
      override(real, {
        openOrders: async (symbol) => {
          await takeAway();
          return real.openOrders(symbol);
        },
      }),
  });
  const ended = new AbortController();
  const driving = running.run(ended.signal);
  const said = (event: string) => lines.filter((line) => line.event === event);
  while (said("bot.trading").length === 0) await new Promise((resolve) => setImmediate(resolve));
  ended.abort();
  await driving;
  await running.close("test");

  expect(said("bot.claimed").map(({ fields }) => fields["epoch"])).toEqual([1, 3]);
  expect(said("bot.trading").map(({ fields }) => fields["epoch"])).toEqual([3]);
});

it("leaves an intent that the next owner resolves before it trades that slot again", async () => {
  const { lostWith } = await runUntilLost(30);

  const lines: KeptLine[] = [];
  const running = await startInstance(await loadConfig(join(folder, "config.yaml")), logInto(lines));
  await running.run(new AbortController().signal);
  const [bot] = running.instance.statuses();
  await running.close("test");

  expect(bot?.mode).toBe("running");
  const resolved = lines.filter(({ fields }) => fields["id"] === lostWith).map(({ event }) => event);
  expect(resolved.join()).toMatch(/order_absent|order\.absent|absent/);
});
