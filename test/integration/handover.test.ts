/** A bot that is given away while it starts, on a real database and a simulated market. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { soloClaims } from "../../src/coordination/claims.ts";
import { SOLO_PERMIT } from "../../src/coordination/permit.ts";
import { botCode } from "../../src/domain/ids.ts";
import { realClock } from "../../src/exchange/sim/real-clock.ts";
import type { SimMarket } from "../../src/exchange/sim/sim-exchange.ts";
import { createLock } from "../../src/lock/create-lock.ts";
import type { LockProvider } from "../../src/lock/lock.ts";
import { Activity } from "../../src/runner/activity.ts";
import { Instance } from "../../src/runner/instance.ts";
import { LockKeeper } from "../../src/runner/lock-keeper.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import { openSpool } from "../../src/storage/spool.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { DEFAULT_RULES } from "../../src/strategy/settings.ts";
import type { KeptLine } from "../support/kept-log.ts";
import { logInto } from "../support/kept-log.ts";
import { openSharedAccount } from "../support/lock-fleet.ts";
import { override } from "../support/override.ts";

const SYMBOL = "BTC/USDT";
const TTL_MS = 30_000;
const nothing = (): void => undefined;

let storage: Storage;
let market: SimMarket;
let lock: LockProvider;
beforeEach(async () => {
  storage = await createStorage({ type: "sqlite", file: ":memory:" });
  market = await openSharedAccount();
  lock = await createLock({ type: "memory" }, realClock);
});
afterEach(async () => {
  await lock.close();
  await market.close();
  await storage.close();
});

it("is not told of as trading by who gives it away before its start is done", async () => {
  const lines: KeptLine[] = [];
  const traded: string[] = [];
  const log = logInto(lines);
  const activity = new Activity();
  let isAsked: () => void = nothing;
  const asked = new Promise<void>((resolve) => (isAsked = resolve));
  let answer: () => void = nothing;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const exchange = override(market.exchange, {
    openOrders: async (symbol) => {
      isAsked();
      await answered;
      return market.exchange.openOrders(symbol);
    },
  });
  const key = { exchange: exchange.name, account: exchange.account, symbol: SYMBOL };
  const instance = new Instance(
    {
      exchange,
      storage,
      lock,
      clock: realClock,
      permit: SOLO_PERMIT,
      log,
      metrics: { count: nothing, gauge: nothing, observe: nothing },
      activity,
      drawBotCode: () => botCode("testbot000"),
      spool: openSpool({ file: ":memory:", capacity: 1_000, now: Date.now }),
      replaySpool: async () => undefined,
      claims: soloClaims(storage, "test"),
      random: Math.random,
      fleet: await storage.fleetId(),
      lockBackend: "memory",
      lockTtlMs: TTL_MS,
      lockGranularity: "level",
      lockKeeper: new LockKeeper({ lock, lockTtlMs: TTL_MS, clock: realClock, activity, log }),
      reconcileIntervalMs: 60_000,
      exit: "leave",
      ownsAsset: () => true,
      onTrading: (symbol) => traded.push(symbol),
    },
    [
      {
        market: key,
        settings: {
          lattice: "window",
          priceInterval: "1000",
          orderQuantity: "100",
          minOrderValue: "5",
          anchorPrice: undefined,
        },
        rules: DEFAULT_RULES,
      },
    ],
  );

  instance.open(SYMBOL);
  await asked;
  const given = instance.handOver(SYMBOL);
  answer();
  await given;
  await instance.whenIdle();

  expect(traded).toEqual([]);
  expect(lines.map(({ event }) => event)).not.toContain("bot.trading");
});
