/** A bot on a venue through ccxt: what is held too long dies, limits hold, and keys are in no line that it writes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PortWrappers, RunningInstance } from "../../src/cli/run-instance.ts";
import { startInstance } from "../../src/cli/run-instance.ts";
import { parseConfig } from "../../src/config/load-config.ts";
import type { Exchange, PlaceOutcome } from "../../src/exchange/exchange.ts";
import type { KeptLine } from "../support/kept-log.ts";
import { logInto } from "../support/kept-log.ts";
import { override } from "../support/override.ts";
import { readCheckedAudit } from "../support/venue-audit.ts";
import { drillConfig, pause } from "../support/venue-drill.ts";
import type { DrillMarket } from "../support/venue-markets.ts";
import { drillMarket, startVenueOfMarkets } from "../support/venue-markets.ts";
import type { VenueProcess } from "../support/venue-process.ts";

const LIMIT_MS = 30_000;
const HELD_MS = 3_000;

let venue: VenueProcess;
let next = 0;
let market: DrillMarket;
let folder: string;
let lines: KeptLine[];
let running: RunningInstance[] = [];

beforeAll(async () => {
  venue = await startVenueOfMarkets(10);
});
afterAll(async () => venue.server.stop());
beforeEach(() => {
  market = drillMarket(next);
  next += 1;
  folder = mkdtempSync(join(tmpdir(), "quantmesh-ccxt-bot-"));
  lines = [];
});
afterEach(async () => {
  for (const instance of running) await instance.close("test");
  running = [];
  rmSync(folder, { recursive: true, force: true });
});

async function start(
  changes: object = {},
  wrappers: PortWrappers = {},
  rules: object = {},
): Promise<RunningInstance> {
  const text = JSON.parse(drillConfig(venue, market, join(folder, "bot.db"), () => 0)) as {
    readonly exchanges: { readonly binance: object };
    readonly trading: { readonly symbols: readonly object[] };
  };
  const exchanges = { binance: { ...text.exchanges.binance, ...changes } };
  const symbols = text.trading.symbols.map((symbol) => ({ ...symbol, ...rules }));
  const trading = { ...text.trading, symbols };
  const { config } = parseConfig(JSON.stringify({ ...text, exchanges, trading }), "test");
  const instance = await startInstance(config, logInto(lines), wrappers);
  running.push(instance);
  return instance;
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not so after ${LIMIT_MS} ms`);
    await pause(10);
  }
}

describe("a bot on a venue through ccxt", () => {
  it("has a request refused as expired that was held between its permit and the socket", async () => {
    const outcomes: PlaceOutcome[] = [];
    let ofTheHeld: PlaceOutcome | undefined;
    let held = 0;
    const hold = (inner: Exchange): Exchange =>
      override(inner, {
        async placeOrder(request) {
          held += 1;
          const isHeld = held === 1;
          if (isHeld) await pause(HELD_MS);
          const outcome = await inner.placeOrder(request);
          outcomes.push(outcome);
          if (isHeld) ofTheHeld = outcome;
          return outcome;
        },
      });

    await start({}, { exchange: hold });
    await until(() => ofTheHeld !== undefined);

    expect(ofTheHeld).toMatchObject({ kind: "rejected", reason: "expired" });
    // On a busy machine others may be late as well.
    for (const outcome of outcomes) if (outcome.kind === "rejected") expect(outcome.reason).toBe("expired");
    expect((await venue.admin.status()).refusals["-1021"]).toBeGreaterThan(0);
    // The audit's reader fails where anything was accepted after its time.
    await until(() => readCheckedAudit(venue.journal, market.account).orders.length > 0);
  });

  it("sends nothing beyond its limits, whatever its grid wants", async () => {
    const instance = await start({ limits: { max_open_orders: "3" } });
    await until(() => lines.some(({ event }) => event === "instance.started"));
    await until(() => readCheckedAudit(venue.journal, market.account).orders.length >= 3);
    await pause(500);

    const { orders } = readCheckedAudit(venue.journal, market.account);
    const [status] = instance.instance.statuses();
    expect(orders.filter(({ status: of }) => of === "open").length).toBeLessThanOrEqual(3);
    expect(status?.mode).toBe("running");
  });

  it("whose stop_loss was passed while it was down closes at the start; a new one is refused", async () => {
    const range = { lower: undefined, upper: undefined, grids: undefined };
    const window = { lattice: "window", price_interval: "2", buy_window_size: "3", min_order_value: "20" };
    const rules = { ...range, ...window, stop_loss: "85" };
    const first = await start({}, {}, rules);
    await until(() => lines.some(({ event }) => event === "bot.trading"));
    await first.close("test");
    running = [];
    await venue.admin.move(market.symbol, "80.00");

    const second = await start({}, {}, rules);
    await until(() => second.instance.statuses()[0]?.mode === "closed");

    await second.close("test");
    running = [];
    rmSync(join(folder, "bot.db"));
    await expect(start({}, {}, rules)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("stop_loss 85"),
    });
  });

  it("is refused where it wants more orders than the exchange lets rest; one that is stored goes on with so many", async () => {
    const many = { lattice: "range", lower: "50", upper: "150", grids: "250", initial: "none" };
    const window = { price_interval: undefined, buy_window_size: undefined, min_order_value: undefined };
    await expect(start({}, {}, { ...window, ...many })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message:
        `trading.symbols[0] (${market.symbol}): up to 250 orders rest, and the exchange takes 200 of an account: ` +
        `set order_cleanup_threshold to 200 or less for ${market.symbol} (trading.symbols), or use fewer levels`,
    });

    const first = await start({}, {}, { ...window, ...many, order_cleanup_threshold: "5" });
    await first.close("test");
    running = [];
    const second = await start({}, {}, { ...window, ...many });

    expect(second.instance.statuses()[0]?.state.rules.maxOrders).toBe(200);
    expect(lines.filter(({ event }) => event === "grid.orders_limited")).toHaveLength(1);
  });

  it("writes its keys into no line", async () => {
    await venue.admin.faults([{ kind: "error_before", route: "* /api/v3/order", status: 502, times: 5 }]);
    await start();
    await until(() => lines.some(({ event }) => event === "order.unknown"));
    await venue.admin.faults([]);

    const text = JSON.stringify(lines, (_key, value: unknown) =>
      value instanceof Error
        ? `${value.message} ${value.stack ?? ""}`
        : typeof value === "bigint"
          ? String(value)
          : value,
    );
    expect(text).not.toContain(market.apiKey);
    expect(text).not.toContain(market.secret);
    expect(text).not.toContain("signature");
  });

  it("decides and sends nothing in a dry run, and leaves no database", async () => {
    const before = readCheckedAudit(venue.journal, market.account).orders.length;
    const instance = await start({ mode: "dry_run" });
    await until(() => lines.filter(({ event }) => event === "order.not_sent").length > 0);
    await venue.admin.move(market.symbol, "97.00");
    await pause(300);

    const [order] = lines.filter(({ event }) => event === "order.not_sent");
    expect(order?.fields).toMatchObject({ symbol: market.symbol, side: "buy" });
    expect(instance.market.exchange.account).toBe("main.dry_run");
    expect(readCheckedAudit(venue.journal, market.account).orders).toHaveLength(before);
    await expect(async () =>
      import("node:fs/promises").then(async (fs) => fs.access(join(folder, "bot.db"))),
    ).rejects.toThrow();
  });

  it("runs dry without keys", async () => {
    await start({ mode: "dry_run", api_key: undefined, secret_key: undefined });

    await until(() => lines.some(({ event }) => event === "order.not_sent"));
  });

  it("trades on paper: prices of the exchange, fills of its own, and an account that lasts", async () => {
    const paper = { balances: { USDT: "10000" }, journal: join(folder, "paper") };
    const changes = { mode: "paper", paper, api_key: undefined, secret_key: undefined };
    const first = await start(changes);
    const filled = (): number => lines.filter(({ event }) => event === "order.filled").length;
    await until(() => filled() > 0 && first.instance.statuses()[0]?.working.length === 10);

    await venue.admin.move(market.symbol, "96.50");
    const before = filled();
    await until(() => filled() > before);

    expect(first.market.exchange).toMatchObject({ name: "binance", account: "main.paper" });
    expect(readCheckedAudit(venue.journal, market.account).orders).toEqual([]);
    const base = market.symbol.replace("/USDT", "");
    await first.close("test");
    running = [];
    const again = await start(changes);
    const owned = await again.market.exchange.balances();
    expect(owned.find(({ asset }) => asset === base)?.free ?? 0n).toBeGreaterThan(0n);
    expect(again.instance.statuses()[0]?.mode).toBe("running");
    expect(lines.filter(({ event }) => event === "bot.created")).toHaveLength(1);
  });

  it("is not started live without keys", async () => {
    await expect(start({ api_key: undefined, secret_key: undefined })).rejects.toThrow(
      "exchanges.binance: mode live needs api_key and secret_key",
    );
  });
});
