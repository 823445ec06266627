/** Two instances with forty bots on one account that want four times its money: what the exchange hears of that. */
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { RunningInstance } from "../../src/cli/run-instance.ts";
import { startInstance } from "../../src/cli/run-instance.ts";
import { parseConfig } from "../../src/config/load-config.ts";
import { addMoney, parseMoney } from "../../src/domain/amounts.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import { parseDsn } from "../../src/storage/dsn.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { KeptLine } from "../support/kept-log.ts";
import { logInto } from "../support/kept-log.ts";
import { IS_FULL, freshSeed, seededRandom } from "../support/scale.ts";
import type { DatabaseServer } from "../support/servers/database-server.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import { readCheckedAudit } from "../support/venue-audit.ts";
import { pause } from "../support/venue-drill.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { VENUE_KEY, startVenueProcess } from "../support/venue-process.ts";

const BOTS = 40;
/** Each bot wants ten orders of 10, the account has this. */
const OWNED = "1000";
const PRESS_MS = IS_FULL ? 120_000 : 12_000;
/** A loaded machine starts forty bots slowly. */
const START_LIMIT_MS = 180_000;
/** Most of what is owned. */
const MUCH = parseMoney("700");
const SYMBOLS = Array.from({ length: BOTS }, (_, index) => `C${index}/USDT`);
const INSUFFICIENT = "-2010";

let server: DatabaseServer;
let venue: VenueProcess;
let running: RunningInstance[] = [];
let stores: Storage[] = [];

describeWithServers(["postgres"], "forty bots on one account", () => {
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => server.stop());
  afterEach(async () => {
    await Promise.all(running.map(async (instance) => instance.close("test")));
    for (const store of stores) await store.close();
    [running, stores] = [[], []];
    await venue.server.stop();
  });

  it("never spend money that another one counts on: the exchange refuses none of their orders for it", {
    timeout: PRESS_MS + START_LIMIT_MS + 120_000,
  }, async () => {
    const seed = freshSeed();
    console.log("seed", seed);
    venue = await startVenue();
    const { lines, storage } = await startFleet(true);
    await trade(seededRandom(seed), storage, true);

    const refused = lines.filter(({ event, fields }) => event === "order.rejected" && isForMoney(fields));
    const { orders, fills } = readCheckedAudit(venue.journal, "main");
    console.log(`${orders.length} orders, ${fills.length} fills`);
    expect(refused).toEqual([]);
    expect((await venue.admin.status()).refusals[INSUFFICIENT] ?? 0).toBe(0);
    expect(fills.length).toBeGreaterThan(0);
    // They did want more.
    expect(lines.some(({ event }) => event === "event.waiting_for_balance")).toBe(true);
  });

  it("are refused by the exchange where each counts for itself", {
    timeout: 2 * START_LIMIT_MS,
  }, async () => {
    venue = await startVenue();
    await startFleet(false);

    await until(async () => ((await venue.admin.status()).refusals[INSUFFICIENT] ?? 0) > 0);
  });
});

/** Moves the markets, so that orders fill, and looks each time that no more is set aside than is owned. */
async function trade(random: () => number, storage: Storage, isShared: boolean): Promise<void> {
  const account = { exchange: "binance", account: "main" };
  const begun = performance.now();
  const passed = () => performance.now() - begun;
  let most = 0n;
  while (passed() < PRESS_MS || (most < MUCH && passed() < PRESS_MS + START_LIMIT_MS)) {
    const symbol = SYMBOLS[Math.floor(random() * BOTS)] ?? "C0/USDT";
    await venue.admin.move(symbol, (86 + random() * 18).toFixed(2));
    const [use] = await storage.balancesInUse(account);
    if (!use) continue;
    if (use.reserved > most) most = use.reserved;
    // What is set aside may still hold what was spent a moment ago, but never more than there ever was.
    if (isShared) expect(use.reserved).toBeLessThanOrEqual(addMoney(parseMoney(OWNED), parseMoney("100")));
    await pause(20 + random() * 60);
  }
  expect(most).toBeGreaterThan(MUCH);
}

async function startVenue(): Promise<VenueProcess> {
  return startVenueProcess({
    accounts: { main: { USDT: OWNED } },
    symbols: Object.fromEntries(
      SYMBOLS.map((symbol) => [
        symbol,
        {
          tick_size: "0.01",
          lot_size: "0.001",
          min_notional: "5",
          market: { type: "manual", start_price: "100" },
        },
      ]),
    ),
    keys_list: [
      {
        api_key: VENUE_KEY.apiKey,
        secret_key: VENUE_KEY.secret,
        account: "main",
        permissions: ["read", "trade"],
      },
    ],
  });
}

async function startFleet(
  sharesBalance: boolean,
): Promise<{ readonly lines: readonly KeptLine[]; readonly storage: Storage }> {
  const dsn = await server.createDatabase();
  const lines: KeptLine[] = [];
  for (const index of [0, 1]) {
    const text = {
      app: { current_exchange: "binance" },
      exchanges: {
        binance: {
          mode: "live",
          api_key: VENUE_KEY.apiKey,
          secret_key: VENUE_KEY.secret,
          urls: { rest: venue.url, ws: venue.wsUrl },
          settle_ms: 300,
          limits: { share_balance: sharesBalance },
        },
      },
      trading: {
        reconcile_interval: 5,
        symbols: SYMBOLS.map((symbol) => ({
          symbol,
          lattice: "range",
          lower: "89",
          upper: "99",
          grids: 10,
          order_quantity: "10",
          margin_lock_duration_seconds: 1,
        })),
      },
      database: { type: "postgres", dsn },
      distributed_lock: { type: "database" },
      coordination: { mode: "static" },
      instance: { id: `instance-${index}`, index, total: 2 },
      web: { enabled: false },
    };
    const { config } = parseConfig(JSON.stringify(text), "test");
    running.push(await startInstance(config, logInto(lines)));
  }
  const storage = await createStorage(parseDsn(dsn));
  stores.push(storage);
  return { lines, storage };
}

function isForMoney(fields: unknown): boolean {
  return JSON.stringify(fields).includes("insufficient");
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + START_LIMIT_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error("not so in time");
    await pause(50);
  }
}
