/** The keeper of an account's money: who waits for the exchange, how often it is asked, and what of it may be spent. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseMoney } from "../../../src/domain/amounts.ts";
import { parseDecimal } from "../../../src/domain/decimal.ts";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import type { Instant } from "../../../src/domain/ids.ts";
import type { Exchange } from "../../../src/exchange/exchange.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import { BalanceKeeper } from "../../../src/runner/balance-keeper.ts";
import { createStorage } from "../../../src/storage/create-storage.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { sampleBot, sampleTerms } from "../../contract/storage-samples.ts";
import type { KeptLine } from "../../support/kept-log.ts";
import { logInto } from "../../support/kept-log.ts";

const bot = sampleBot();
const account = { exchange: bot.market.exchange, account: bot.market.account };
const REFRESH_MS = 60_000;

describe("the keeper of an account's money", () => {
  let storage: Storage;
  let clock: VirtualClock;
  let asked: number;
  let fails: boolean;
  let lines: KeptLine[];
  let gauges: Map<string, number>;
  beforeEach(async () => {
    storage = await createStorage({ type: "sqlite", file: ":memory:" });
    clock = new VirtualClock(1_000_000 as Instant);
    [asked, fails, lines, gauges] = [0, false, [], new Map()];
  });
  afterEach(() => storage.close());

  const keeper = (): BalanceKeeper =>
    new BalanceKeeper({
      exchange: {
        name: account.exchange,
        account: account.account,
        balances: async () => {
          asked += 1;
          if (fails) throw new QuantmeshError("EXCHANGE_UNAVAILABLE", "nobody answers");
          return Promise.resolve([{ asset: "USDT", free: parseMoney("600"), locked: parseMoney("400") }]);
        },
      } as unknown as Exchange,
      storage,
      clock,
      log: logInto(lines),
      metrics: {
        count: () => undefined,
        observe: () => undefined,
        gauge: (name, _labels, value) => void gauges.set(name, value),
      },
      margin: parseDecimal("0.01"),
      refreshMs: REFRESH_MS,
    });

  it("lets the first bot wait until what may be spent is known, and all others of that asset with it", async () => {
    const one = keeper();

    await Promise.all([one.watch(bot), one.watch(bot), one.watch(sampleBot("bot0000002", "ETH/USDT"))]);

    expect(asked).toBe(1);
    expect(await storage.balancesInUse(account)).toMatchObject([
      { asset: "USDT", usable: parseMoney("990") },
    ]);
    expect(gauges.get("quantmesh_balance_usable")).toBe(990);
    one.close();
  });

  it("lets nobody trade on a balance that could not be read, and reads it for the next who asks", async () => {
    const one = keeper();
    fails = true;
    await expect(one.watch(bot)).rejects.toThrow("nobody answers");

    fails = false;
    await one.watch(bot);

    expect(await storage.balancesInUse(account)).toMatchObject([{ usable: parseMoney("990") }]);
    one.close();
  });

  it("keeps nobody waiting for the exchange where another instance has read the balance", async () => {
    const first = keeper();
    await first.watch(bot);
    fails = true;
    const second = keeper();

    await second.watch(bot);
    await until(() => lines.length > 0);

    expect(lines.map(({ event }) => event)).toEqual(["balances.unread"]);
    first.close();
    second.close();
  });

  it("reads again by the clock, and where money is short, but then at most every five seconds", async () => {
    const one = keeper();
    await one.watch(bot);
    clock.advanceTo(clock.nextTimerAt() ?? clock.now());
    clock.runDueTimer();
    await until(() => asked === 2);

    one.noteShort(bot, parseMoney("10"));
    one.noteShort(bot, parseMoney("10"));
    expect(asked).toBe(2);
    clock.advanceTo((clock.now() + 5_000) as Instant);
    one.noteShort(bot, parseMoney("10"));

    await until(() => asked === 3);
    one.close();
  });

  it("remembers for a second what was refused, so that a whole grid does not ask for the same", () => {
    const one = keeper();
    one.noteShort(bot, parseMoney("10"));

    expect(["10", "11", "9"].map((amount) => one.isShort(bot, parseMoney(amount)))).toEqual([
      true,
      true,
      false,
    ]);
    expect(one.isShort(sampleBot("bot0000003", "ETH/BTC"), parseMoney("10"))).toBe(false);
    clock.advanceTo((clock.now() + 1_000) as Instant);
    expect(one.isShort(bot, parseMoney("10"))).toBe(false);
  });

  it("asks for the value of a buy, and for nothing where the bot sells what it holds", () => {
    const one = keeper();

    expect(one.needOf(bot, sampleTerms(bot, 1))).toBe(parseMoney("10.011001"));
    expect(one.needOf(bot, sampleTerms(bot, 1, "sell"))).toBeUndefined();
  });
});

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error("not so after 5 s");
    await new Promise((resolve) => setImmediate(resolve));
  }
}
