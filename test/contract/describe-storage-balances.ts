/** The part of the storage contract about money: what open buys of all bots tie up of one account. */
import { setTimeout as pause } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import type { Money } from "../../src/domain/amounts.ts";
import { ZERO_MONEY, addMoney, parseMoney, quantityLots, subtractMoney } from "../../src/domain/amounts.ts";
import type { Claim } from "../../src/domain/claim.ts";
import type { Bot } from "../../src/domain/grid.ts";
import { notional } from "../../src/domain/instrument.ts";
import type { OrderTerms } from "../../src/domain/order.ts";
import type { StoreRecord } from "../../src/domain/records.ts";
import type { BalanceUse, IntentOutcome, Storage } from "../../src/storage/storage.ts";
import { freshSeed, scaled, seededRandom } from "../support/scale.ts";
import {
  NO_TOTALS,
  orderRecord,
  partFillRecords,
  sampleBot,
  sampleFill,
  sampleIntent,
  sampleTerms,
} from "./storage-samples.ts";

interface Opened {
  readonly storage: Storage;
  readonly bot: Bot;
  readonly claim: Claim;
  readonly open: () => Promise<Storage>;
}

const ACCOUNT = { exchange: "binance", account: "main" };
const BOTS = 40;

export function describeStorageBalances(opened: () => Opened): void {
  describe("money that is set aside", () => {
    let storage: Storage;
    let bot: Bot;
    let claim: Claim;
    beforeEach(() => {
      ({ storage, bot, claim } = opened());
    });

    const deposit = async (asset: string, amount: string): Promise<void> => {
      const version = (await storage.openBalances(ACCOUNT, [asset])).get(asset) ?? -1;
      await storage.saveBalances(ACCOUNT, [{ asset, usable: parseMoney(amount), version }]);
    };
    const buy = async (slot: number, number = 1): Promise<IntentOutcome> => {
      const intent = sampleIntent(bot, slot, "buy", number);
      return storage.insertIntent(claim, bot, { ...intent, reserve: needOf(bot, intent.terms) });
    };
    const use = async (asset = "USDT"): Promise<BalanceUse | undefined> =>
      (await storage.balancesInUse(ACCOUNT)).find((one) => one.asset === asset);
    const needs = (...slots: number[]): Money =>
      slots.reduce((sum, slot) => addMoney(sum, needOf(bot, sampleTerms(bot, slot))), ZERO_MONEY);

    it("lets an order be stored only while the account covers it beside all others", async () => {
      await deposit("USDT", "25");

      expect([await buy(1), await buy(2), await buy(3)]).toEqual(["stored", "stored", "short"]);
      expect(await use()).toMatchObject({ usable: parseMoney("25"), reserved: needs(1, 2) });
      expect((await storage.loadLedger(bot)).working).toHaveLength(2);
    });

    it("is nothing where the account's balance was never read, and never needed for a sell", async () => {
      expect(await buy(1)).toBe("short");

      expect(await storage.insertIntent(claim, bot, sampleIntent(bot, 1, "sell"))).toBe("stored");
    });

    it("is set aside for nobody whose intent is refused for another reason", async () => {
      await deposit("USDT", "1000");
      await buy(1);

      expect(await buy(1)).toBe("taken");
      await storage.claim(bot.market, "somebody newer");
      expect(await buy(2)).toBe("stale");

      expect(await use()).toMatchObject({ reserved: needs(1) });
    });

    it.each(["canceled", "rejected", "absent"] as const)(
      "comes free when its order is %s",
      async (status) => {
        await deposit("USDT", "15");
        await buy(1);
        expect(await buy(2)).toBe("short");

        await storage.commit(claim, bot, [orderRecord(sampleTerms(bot, 1), status)]);

        expect(await use()).toMatchObject({ reserved: ZERO_MONEY });
        expect(await buy(2)).toBe("stored");
      },
    );

    it("is spent by fills, although the exchange has not shown it yet, and proceeds count when it does", async () => {
      await deposit("USDT", "25");
      await buy(1);

      await storage.commit(claim, bot, partFillRecords(sampleTerms(bot, 1), "1"));

      const spent = parseMoney("4.0034000000000001");
      expect(await use()).toMatchObject({
        usable: subtractMoney(parseMoney("25"), spent),
        reserved: subtractMoney(needs(1), parseMoney("4.0004")),
      });
      const sell = sampleTerms(bot, 1, "sell");
      await storage.insertIntent(claim, bot, sampleIntent(bot, 1, "sell"));
      await storage.commit(claim, bot, partFillRecords(sell, "2"));
      expect(await use()).toMatchObject({ usable: subtractMoney(parseMoney("25"), spent) });
    });

    it("is not made more by a reading of the exchange that is older than a fill", async () => {
      await deposit("USDT", "25");
      await buy(1);
      const version = (await storage.openBalances(ACCOUNT, ["USDT"])).get("USDT") ?? -1;

      await storage.commit(claim, bot, partFillRecords(sampleTerms(bot, 1), "1"));
      await storage.saveBalances(ACCOUNT, [{ asset: "USDT", usable: parseMoney("25"), version }]);
      const afterOld = await use();
      await storage.saveBalances(ACCOUNT, [{ asset: "USDT", usable: parseMoney("7"), version }]);

      expect(afterOld?.usable).toBe(parseMoney("20.9965999999999999"));
      expect((await use())?.usable).toBe(parseMoney("7"));
    });

    it("leaves alone what another bot owns of the asset that it buys with", async () => {
      await deposit("BTC", "1");
      await storage.commit(claim, bot, [
        { kind: "totals", totals: { ...NO_TOTALS, position: quantityLots(6_000) } },
      ]);
      const other = sampleBot("bot0000002", "ETH/BTC");
      const theirs = await storage.claim(other.market, "instance-1");
      await storage.createBot(theirs, other);
      const intent = (slot: number) => sampleIntent(other, slot);
      const reserve = parseMoney("0.3");

      const first = await storage.insertIntent(theirs, other, { ...intent(1), reserve });
      const second = await storage.insertIntent(theirs, other, { ...intent(2), reserve });

      expect([first, second]).toEqual(["stored", "short"]);
      expect(await use("BTC")).toMatchObject({ held: parseMoney("0.6"), reserved: reserve });
    });

    it("is what the open buys say after a start, whatever was stored before", async () => {
      await deposit("USDT", "1000");
      await buy(1);
      // Stored without it: by an instance that does not share the account's money.
      await storage.insertIntent(claim, bot, sampleIntent(bot, 2));

      expect(await storage.openReservation(claim, bot)).toBe("stored");

      expect(await use()).toMatchObject({ reserved: needs(1, 2) });
      await storage.claim(bot.market, "somebody newer");
      expect(await storage.openReservation(claim, bot)).toBe("stale");
    });

    it("is given to as many of 40 bots of two instances as the account covers where all ask at once", async () => {
      const second = await opened().open();
      try {
        const race = new Race([storage, second], Math.random);
        await race.prepare();
        await deposit("USDT", "105");
        for (let round = 1; round <= scaled(30); round += 1) {
          const outcomes = await race.askAtOnce(round);

          expect(outcomes.filter((outcome) => outcome === "stored")).toHaveLength(10);
          expect(outcomes.filter((outcome) => outcome === "short")).toHaveLength(BOTS - 10);
          await race.cancelAll(round);
          expect(await use()).toMatchObject({ usable: parseMoney("105"), reserved: ZERO_MONEY });
        }
      } finally {
        await second.close();
      }
    });

    it("is never more than the account has, while 40 bots of two instances race for it", {
      timeout: 120_000,
    }, async () => {
      const seed = freshSeed();
      console.log("seed", seed);
      const random = seededRandom(seed);
      const second = await opened().open();
      try {
        const race = new Race([storage, second], random);
        await race.prepare();
        await race.run(scaled(80));
        expect(race.oversold).toEqual([]);
        expect(await use()).toMatchObject({ reserved: race.locked });
        expect(race.outcomes.get("stored")).toBeGreaterThan(20);
        expect(race.outcomes.get("short")).toBeGreaterThan(20);
        expect(race.fills).toBeGreaterThan(5);
      } finally {
        await second.close();
      }
    });
  });
}

function needOf(bot: Bot, { price, quantity }: OrderTerms): Money {
  return notional(bot.instrument, price, quantity);
}

/** Forty bots, and an exchange that knows what the account has: it fills orders before anybody stores that. */
class Race {
  readonly #storages: readonly Storage[];
  readonly #random: () => number;
  readonly #bots: { readonly bot: Bot; readonly claim: Claim; readonly storage: Storage }[] = [];
  #owned = parseMoney("250");
  locked = ZERO_MONEY;
  fills = 0;
  readonly oversold: string[] = [];
  readonly outcomes = new Map<IntentOutcome, number>();

  constructor(storages: readonly Storage[], random: () => number) {
    this.#storages = storages;
    this.#random = random;
  }

  async prepare(): Promise<void> {
    for (let i = 0; i < BOTS; i += 1) {
      const storage = this.#storages[i % this.#storages.length];
      if (!storage) continue;
      const bot = sampleBot(`race${String(i).padStart(6, "0")}`, `C${i}/USDT`);
      const claim = await storage.claim(bot.market, `instance-${i % 2}`);
      await storage.createBot(claim, bot);
      await storage.openReservation(claim, bot);
      this.#bots.push({ bot, claim, storage });
    }
  }

  /** Every bot sends one order at the same moment. */
  async askAtOnce(number: number): Promise<readonly IntentOutcome[]> {
    return Promise.all(
      this.#bots.map(async ({ bot, claim, storage }) => {
        const intent = sampleIntent(bot, 1, "buy", number);
        return storage.insertIntent(claim, bot, { ...intent, reserve: needOf(bot, intent.terms) });
      }),
    );
  }

  async cancelAll(number: number): Promise<void> {
    for (const { bot, claim, storage } of this.#bots) {
      if ((await storage.loadLedger(bot)).working.length === 0) continue;
      await storage.commit(claim, bot, [orderRecord(sampleTerms(bot, 1, "buy", number), "canceled")]);
    }
  }

  /** Each bot sends so many orders, one after the other, while balances are read all the time. */
  async run(orders: number): Promise<void> {
    let isOver = false;
    const refreshing = (async () => {
      while (!isOver) await this.#refresh();
    })();
    await Promise.all(this.#bots.map(async (one) => this.#trade(one, orders)));
    isOver = true;
    await refreshing;
  }

  async #refresh(): Promise<void> {
    const [storage] = this.#storages;
    if (!storage) return;
    const versions = await storage.openBalances(ACCOUNT, ["USDT"]);
    await this.#pause();
    const usable = this.#owned;
    await this.#pause();
    await storage.saveBalances(ACCOUNT, [{ asset: "USDT", usable, version: versions.get("USDT") ?? -1 }]);
  }

  async #trade(
    { bot, claim, storage }: { readonly bot: Bot; readonly claim: Claim; readonly storage: Storage },
    orders: number,
  ): Promise<void> {
    for (let number = 1; number <= orders; number += 1) {
      await this.#pause();
      const intent = sampleIntent(bot, 1, "buy", number);
      const reserve = needOf(bot, intent.terms);
      const outcome = await storage.insertIntent(claim, bot, { ...intent, reserve });
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
      if (outcome !== "stored") continue;
      // The exchange locks it, and would refuse what it cannot.
      this.locked = addMoney(this.locked, reserve);
      if (this.locked > this.#owned) this.oversold.push(`${this.locked} of ${this.#owned}`);
      await this.#pause();
      this.locked = subtractMoney(this.locked, reserve);
      const isFilled = this.#random() < 0.5;
      // It pays at once; the books learn of it later.
      if (isFilled) this.#owned = subtractMoney(this.#owned, reserve);
      await this.#pause();
      await storage.commit(
        claim,
        bot,
        isFilled ? filled(bot, intent.terms) : [orderRecord(intent.terms, "canceled")],
      );
      if (!isFilled) continue;
      this.fills += 1;
      await this.#pause();
      // What was bought is sold again somewhere.
      this.#owned = addMoney(this.#owned, reserve);
    }
  }

  async #pause(): Promise<void> {
    await pause(Math.floor(this.#random() * 8));
  }
}

function filled(bot: Bot, terms: OrderTerms): readonly StoreRecord[] {
  const fill = { ...sampleFill(terms, `t-${terms.id}`), quantity: terms.quantity, fee: ZERO_MONEY };
  const progress = {
    executed: terms.quantity,
    quote: needOf(bot, terms),
    fee: ZERO_MONEY,
    baseFee: ZERO_MONEY,
    tradeIds: [fill.tradeId],
  };
  return [orderRecord(terms, "filled", progress), { kind: "fill", fill }];
}
