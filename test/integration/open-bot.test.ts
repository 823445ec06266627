/** Many bots that open at once, on a real database and a simulated market. */
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { soloClaims } from "../../src/coordination/claims.ts";
import { Turns } from "../../src/coordination/turns.ts";
import { botCode } from "../../src/domain/ids.ts";
import type { SimMarket } from "../../src/exchange/sim/sim-exchange.ts";
import { openBot, readStored } from "../../src/runner/open-bot.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { GridSettings } from "../../src/strategy/settings.ts";
import { DEFAULT_RULES } from "../../src/strategy/settings.ts";
import { logInto } from "../support/kept-log.ts";
import { openSharedAccount } from "../support/lock-fleet.ts";
import { override } from "../support/override.ts";

const SYMBOL = "BTC/USDT";
const ACCOUNTS = Array.from({ length: 10 }, (_, index) => `account ${index}`);
const GRID: GridSettings = {
  lattice: "window",
  priceInterval: "1000",
  orderQuantity: "100",
  minOrderValue: "5",
  anchorPrice: undefined,
};

describe("bots that are opened at once", () => {
  let storage: Storage;
  let market: SimMarket;

  beforeEach(async () => {
    storage = await createStorage({ type: "sqlite", file: ":memory:" });
    market = await openSharedAccount();
  });
  afterEach(async () => {
    await market.close();
    await storage.close();
  });

  const openAll = async (
    through: Storage,
    opened: (account: string) => void,
    replaySpool: () => Promise<void> = async () => undefined,
  ): Promise<void> => {
    const turns = new Turns(2);
    const { exchange } = market;
    const open = async (account: string, index: number): Promise<void> => {
      const ports = {
        storage: through,
        replaySpool,
        exchange,
        claims: soloClaims(through, "test"),
        balances: undefined,
        log: logInto([]),
        drawBotCode: () => botCode(`testbot${String(index).padStart(3, "0")}`),
      };
      const key = { exchange: exchange.name, account, symbol: SYMBOL };
      const setup = { market: key, settings: GRID, rules: DEFAULT_RULES };
      await openBot(ports, setup, turns, new AbortController().signal);
      opened(account);
    };
    await Promise.all(ACCOUNTS.map(open));
  };

  it("load what is stored of them a few at a time, so that the first need not wait for all", async () => {
    await openAll(storage, () => undefined);
    const opened: string[] = [];
    /** How many were open when each began to load. */
    const before: number[] = [];
    const watched = override(storage, {
      loadLedger: (bot) => {
        before.push(opened.length);
        return storage.loadLedger(bot);
      },
    });

    await openAll(watched, (account) => opened.push(account));

    expect([...opened].sort()).toEqual(ACCOUNTS);
    expect(before.map((open, index) => index - open)).toSatisfy(
      (loading: number[]) => Math.max(...loading) < 4,
    );
  });

  it("claim their markets before what the spool has is handed over, and load after it", async () => {
    const steps: string[] = [];
    const watched = override(storage, {
      claim: (key, holder) => {
        steps.push("claim");
        return storage.claim(key, holder);
      },
      findBot: (key) => {
        steps.push("load");
        return storage.findBot(key);
      },
    });

    await openAll(
      watched,
      () => undefined,
      async () => {
        while (steps.filter((step) => step === "claim").length < ACCOUNTS.length) await pause(1);
        steps.push("replayed");
      },
    );

    expect(steps.lastIndexOf("claim")).toBeLessThan(steps.indexOf("replayed"));
    expect(steps.indexOf("replayed")).toBeLessThan(steps.indexOf("load"));
  });

  it("can be read before, which claims nothing", async () => {
    await openAll(storage, () => undefined);
    const claims = await storage.listClaims();
    const read: string[] = [];
    const watched = override(storage, {
      loadLedger: (bot) => {
        read.push(bot.market.account);
        return storage.loadLedger(bot);
      },
    });

    for (const account of ["account 3", "nobody's"]) {
      const key = { exchange: market.exchange.name, account, symbol: SYMBOL };
      await readStored({ storage: watched }, { market: key, settings: GRID, rules: DEFAULT_RULES });
    }

    expect(read).toEqual(["account 3"]);
    expect(await storage.listClaims()).toEqual(claims);
  });
});
