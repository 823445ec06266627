/** What every storage must do, whatever database stands behind it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ZERO_MONEY, parseMoney, quantityLots } from "../../src/domain/amounts.ts";
import type { Claim } from "../../src/domain/claim.ts";
import type { Bot } from "../../src/domain/grid.ts";
import { instant, slotNumber } from "../../src/domain/ids.ts";
import type { StoreRecord } from "../../src/domain/records.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { describeStorageBalances } from "./describe-storage-balances.ts";
import { describeStorageDays } from "./describe-storage-days.ts";
import { describeStorageLeases } from "./describe-storage-leases.ts";
import { describeStorageLists } from "./describe-storage-lists.ts";
import { describeStorageRoundTrip } from "./describe-storage-round-trip.ts";
import {
  EMPTY_HOLDING,
  NO_PROGRESS,
  NO_TOTALS,
  noHoldings,
  orderRecord,
  partFillRecords,
  sampleBot,
  sampleFill,
  sampleIntent,
  sampleMarket,
  sampleTerms,
  sampleTrade,
} from "./storage-samples.ts";

/** One empty database that can be opened more than once, also at the same time. */
export interface TestDatabase {
  open(): Promise<Storage>;
  /** Ends the database with everything in it; what was opened is closed before. */
  end(): Promise<void>;
}

const UNFINISHED = ["pending", "unknown", "open", "canceling"] as const;
const TERMINAL = ["filled", "canceled", "rejected", "absent"] as const;

export function describeStorage(name: string, start: () => Promise<TestDatabase>): void {
  describe(`the ${name} storage`, () => {
    let database: TestDatabase;
    let storage: Storage;
    let claim: Claim;
    let bot: Bot;

    beforeEach(async () => {
      database = await start();
      storage = await database.open();
      bot = sampleBot();
      claim = await storage.claim(bot.market, "instance-1");
      expect(await storage.createBot(claim, bot)).toBe("stored");
    });
    afterEach(async () => {
      await storage.close();
      await database.end();
    });

    const working = async () => (await storage.loadLedger(bot)).working.map(({ order }) => order.terms.id);

    describe("claims", () => {
      it("gives each claim of a market the next epoch and a token of its own", async () => {
        const claims = [
          await storage.claim(sampleMarket("ETH/USDT"), "instance-1"),
          await storage.claim(sampleMarket("ETH/USDT"), "instance-2"),
          await storage.claim(sampleMarket("ETH/USDT"), "instance-2"),
        ];

        expect(claims.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
        expect(claims.map(({ holder }) => holder)).toEqual(["instance-1", "instance-2", "instance-2"]);
        expect(new Set(claims.map(({ token }) => token)).size).toBe(3);
      });

      it("hands out no epoch twice where many claim a new market at once", async () => {
        const market = sampleMarket("ETH/USDT");
        const asked = Array.from({ length: 20 }, (_, index) => storage.claim(market, `instance-${index}`));

        const epochs = (await Promise.all(asked)).map(({ epoch }) => epoch);

        expect(epochs.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
      });

      it("refuses every write under a claim that a newer one replaced", async () => {
        const terms = sampleTerms(bot, 1);
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        const other = await database.open();
        const newer = await other.claim(bot.market, "instance-2");

        expect(await storage.insertIntent(claim, bot, sampleIntent(bot, 2))).toBe("stale");
        expect(await storage.insertIntent(claim, bot, sampleIntent(bot, 1))).toBe("stale");
        expect(await storage.commit(claim, bot, [orderRecord(terms, "open")])).toBe("stale");
        expect(await storage.saveFillCursor(claim, bot, "17")).toBe("stale");
        expect(await storage.createBot(claim, sampleBot("bot0000002"))).toBe("stale");

        const ledger = await other.loadLedger(bot);
        expect(ledger.working.map(({ order }) => order.kind)).toEqual(["pending"]);
        expect(ledger.fillCursor).toBeUndefined();
        expect(await other.insertIntent(newer, bot, sampleIntent(bot, 2))).toBe("stored");
        await other.close();
      });

      it("compares the token too: an epoch handed out twice does not pass", async () => {
        const forged = { ...claim, token: "00000000-0000-4000-8000-000000000000" };

        expect(await storage.insertIntent(forged, bot, sampleIntent(bot, 1))).toBe("stale");
        expect(await storage.commit(forged, bot, [{ kind: "initialDone" }])).toBe("stale");
      });

      it("lets the claim of one market write nothing for another", async () => {
        const other = sampleBot("bot0000002", "ETH/USDT");
        const otherClaim = await storage.claim(other.market, "instance-1");
        await storage.createBot(otherClaim, other);

        expect(await storage.insertIntent(claim, other, sampleIntent(other, 1))).toBe("stale");
        expect(await storage.commit(claim, other, [{ kind: "initialDone" }])).toBe("stale");
      });
    });

    describe("intents", () => {
      it.each(UNFINISHED)("refuses a second order of a (slot, side) whose first is %s", async (status) => {
        const terms = sampleTerms(bot, 1);
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        await storage.commit(claim, bot, [orderRecord(terms, status)]);

        expect(await storage.insertIntent(claim, bot, sampleIntent(bot, 1, "buy", 2))).toBe("taken");
        expect(await storage.insertIntent(claim, bot, sampleIntent(bot, 1, "sell"))).toBe("stored");
        expect(await storage.insertIntent(claim, bot, sampleIntent(bot, 2))).toBe("stored");
        expect(await working()).toHaveLength(3);
      });

      it.each(TERMINAL)("takes the next order of a (slot, side) once its first is %s", async (status) => {
        const terms = sampleTerms(bot, 1);
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        await storage.commit(claim, bot, [orderRecord(terms, status)]);

        expect(await working()).toEqual([]);
        expect(await storage.insertIntent(claim, bot, sampleIntent(bot, 1, "buy", 2))).toBe("stored");
        expect(await working()).toEqual([sampleTerms(bot, 1, "buy", 2).id]);
      });

      it("never stores one generation twice, even after it ended", async () => {
        const terms = sampleTerms(bot, 1);
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        await storage.commit(claim, bot, [orderRecord(terms, "absent")]);

        expect(await storage.insertIntent(claim, bot, sampleIntent(bot, 1))).toBe("taken");
        expect(await working()).toEqual([]);
      });

      it("stores exactly one of 50 intents that come at once, over two connections", async () => {
        const second = await database.open();
        const asked = Array.from({ length: 50 }, (_, index) =>
          (index % 2 ? storage : second).insertIntent(claim, bot, sampleIntent(bot, 1, "buy", index + 1)),
        );

        const outcomes = await Promise.all(asked);

        expect(outcomes.filter((outcome) => outcome === "stored")).toHaveLength(1);
        expect(outcomes.filter((outcome) => outcome === "taken")).toHaveLength(49);
        expect(await working()).toHaveLength(1);
        await second.close();
      });

      it("keeps the instant at which the request dies", async () => {
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));

        expect((await storage.loadLedger(bot)).working).toEqual([
          {
            order: { kind: "pending", terms: sampleTerms(bot, 1), progress: NO_PROGRESS },
            validUntil: sampleIntent(bot, 1).validUntil,
          },
        ]);
      });
    });

    describe("the ledger of a bot that never traded", () => {
      it("is running and empty", async () => {
        expect(await storage.loadLedger(bot)).toEqual({
          mode: "running",
          modeReason: "",
          initialDone: false,
          holdings: noHoldings(bot),
          working: [],
          lastOrders: [],
          totals: NO_TOTALS,
          fillCursor: undefined,
          lastIntentAt: undefined,
        });
      });
    });

    describe("commits", () => {
      it("takes an empty list as stored, whoever owns the market", async () => {
        await storage.claim(bot.market, "instance-2");

        expect(await storage.commit(claim, bot, [])).toBe("stored");
      });

      it("stores every kind of record", async () => {
        const terms = sampleTerms(bot, 1);
        const adopted = sampleTerms(bot, 2, "sell", 7);
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        const records: readonly StoreRecord[] = [
          ...partFillRecords(terms, "t1"),
          { kind: "adoptedOrder", terms: adopted, status: "open", exchangeOrderId: "x-adopted" },
          { kind: "trade", trade: sampleTrade(1) },
          { kind: "mode", mode: "paused", reason: "by hand" },
          { kind: "initialDone" },
          { kind: "event", at: instant(1), type: "paused", detail: { by: "hand", count: 2 } },
        ];

        expect(await storage.commit(claim, bot, records)).toBe("stored");

        const fill = sampleFill(terms, "t1");
        const quote = parseMoney("4.0004");
        const progress = {
          executed: fill.quantity,
          quote,
          fee: fill.fee,
          baseFee: ZERO_MONEY,
          tradeIds: ["t1"],
        };
        expect(await storage.loadLedger(bot)).toEqual({
          mode: "paused",
          modeReason: "by hand",
          initialDone: true,
          holdings: new Map([
            ...noHoldings(bot),
            [
              1,
              {
                wants: "sell",
                inventory: [{ origin: "grid", quantity: fill.quantity, quote, fee: fill.fee }],
                dust: ZERO_MONEY,
              },
            ],
          ]),
          working: [
            {
              order: { kind: "open", terms, progress, exchangeOrderId: `x-${terms.id}` },
              validUntil: sampleIntent(bot, 1).validUntil,
            },
            {
              order: { kind: "open", terms: adopted, progress: NO_PROGRESS, exchangeOrderId: "x-adopted" },
              validUntil: adopted.createdAt,
            },
          ],
          lastOrders: [
            { slot: 1, side: "buy", generation: 1, status: "working" },
            { slot: 2, side: "sell", generation: 7, status: "working" },
          ],
          totals: { ...NO_TOTALS, fills: 1, position: quantityLots(400), fees: fill.fee },
          fillCursor: undefined,
          lastIntentAt: adopted.createdAt,
        });
        expect(await storage.fillsOf(bot)).toEqual([fill]);
        expect(await storage.tradesOf(bot)).toEqual([sampleTrade(1)]);
      });

      it("remembers how the newest order of each (slot, side) ended", async () => {
        for (const [number, status] of [
          [9, "canceled"],
          [10, "rejected"],
        ] as const) {
          const terms = sampleTerms(bot, 1, "buy", number);
          await storage.insertIntent(claim, bot, sampleIntent(bot, 1, "buy", number));
          await storage.commit(claim, bot, [orderRecord(terms, status)]);
        }
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1, "sell", 3));

        expect((await storage.loadLedger(bot)).lastOrders).toEqual([
          { slot: 1, side: "buy", generation: 10, status: "rejected" },
          { slot: 1, side: "sell", generation: 3, status: "working" },
        ]);
      });

      it("voids a whole step of which one fill was stored before", async () => {
        const terms = sampleTerms(bot, 1);
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        await storage.commit(claim, bot, partFillRecords(terms, "t1"));
        const before = await storage.loadLedger(bot);

        const again: readonly StoreRecord[] = [
          { kind: "mode", mode: "halted", reason: "must not be seen" },
          orderRecord(terms, "filled"),
          { kind: "slot", slot: slotNumber(1), holding: EMPTY_HOLDING },
          { kind: "trade", trade: sampleTrade(1) },
          { kind: "fill", fill: sampleFill(terms, "t2") },
          { kind: "fill", fill: sampleFill(terms, "t1") },
        ];

        expect(await storage.commit(claim, bot, again)).toBe("duplicate");
        expect(await storage.loadLedger(bot)).toEqual(before);
        expect((await storage.fillsOf(bot)).map(({ tradeId }) => tradeId)).toEqual(["t1"]);
        expect(await storage.tradesOf(bot)).toEqual([]);
      });

      it("tells fills with one trade id apart by side and by market", async () => {
        const other = sampleBot("bot0000002", "ETH/USDT");
        const otherClaim = await storage.claim(other.market, "instance-1");
        await storage.createBot(otherClaim, other);
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        await storage.insertIntent(claim, bot, sampleIntent(bot, 2, "sell"));
        await storage.insertIntent(otherClaim, other, sampleIntent(other, 1));
        const buy = sampleFill(sampleTerms(bot, 1), "t1");
        const sell = sampleFill(sampleTerms(bot, 2, "sell"), "t1");
        const elsewhere = sampleFill(sampleTerms(other, 1), "t1");

        expect(await storage.commit(claim, bot, [{ kind: "fill", fill: buy }])).toBe("stored");
        expect(await storage.commit(claim, bot, [{ kind: "fill", fill: sell }])).toBe("stored");
        expect(await storage.commit(otherClaim, other, [{ kind: "fill", fill: elsewhere }])).toBe("stored");

        expect(await storage.fillsOf(bot)).toEqual([buy, sell]);
        expect(await storage.fillsOf(other)).toEqual([elsewhere]);
      });

      it("stores 2,000 fills of one step, in their order", async () => {
        const terms = sampleTerms(bot, 1);
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        const fills = Array.from({ length: 2_000 }, (_, index) => sampleFill(terms, `t${2_000 - index}`));

        const records = fills.map((fill) => ({ kind: "fill", fill }) as const);

        expect(await storage.commit(claim, bot, records)).toBe("stored");
        expect(await storage.fillsOf(bot)).toEqual(fills);
      });

      it.each<[string, StoreRecord]>([
        ["an order that is not stored", orderRecord(sampleTerms(sampleBot(), 2), "open")],
        ["a slot that is not stored", { kind: "slot", slot: slotNumber(77), holding: EMPTY_HOLDING }],
        [
          "a fill of an order that is not stored",
          { kind: "fill", fill: sampleFill(sampleTerms(sampleBot(), 2), "t9") },
        ],
        [
          "a second working order in one (slot, side)",
          {
            kind: "adoptedOrder",
            status: "open",
            terms: sampleTerms(sampleBot(), 1, "buy", 2),
            exchangeOrderId: "x-second",
          },
        ],
      ])("refuses %s as our own bug, and stores nothing of the step", async (_, record) => {
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        const before = await storage.loadLedger(bot);

        const commit = storage.commit(claim, bot, [{ kind: "initialDone" }, record]);

        await expect(commit).rejects.toMatchObject({ code: "INVARIANT" });
        expect(await storage.loadLedger(bot)).toEqual(before);
      });

      it("remembers an order that ended unknown to it, beside one that works there", async () => {
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        const forgotten = sampleTerms(bot, 1, "buy", 2);
        const fill = sampleFill(forgotten, "t1");

        expect(
          await storage.commit(claim, bot, [
            { kind: "adoptedOrder", terms: forgotten, status: "filled", exchangeOrderId: "x-forgotten" },
            { kind: "fill", fill },
          ]),
        ).toBe("stored");

        expect(await working()).toEqual([sampleTerms(bot, 1).id]);
        expect((await storage.loadLedger(bot)).lastOrders).toEqual([
          { slot: 1, side: "buy", generation: 2, status: "filled" },
        ]);
        expect(await storage.fillsOf(bot)).toEqual([fill]);
        expect(await storage.insertIntent(claim, bot, sampleIntent(bot, 1, "buy", 2))).toBe("taken");
      });

      it("keeps an exchange order id once it is known", async () => {
        const terms = sampleTerms(bot, 1);
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        await storage.commit(claim, bot, [orderRecord(terms, "open")]);
        await storage.commit(claim, bot, [{ ...orderRecord(terms, "canceled"), exchangeOrderId: undefined }]);

        expect(await storage.findOrderByExchangeId(bot, `x-${terms.id}`)).toEqual(terms);
        expect(await storage.findOrderByExchangeId(bot, "x-unheard-of")).toBeUndefined();
        const stranger = sampleBot("bot0000002", "ETH/USDT");
        expect(await storage.findOrderByExchangeId(stranger, `x-${terms.id}`)).toBeUndefined();
      });

      it("tells how an order stands, and nothing of an order that is not the bot's", async () => {
        const terms = sampleTerms(bot, 1);
        expect(await storage.orderStatus(bot, terms.id)).toBeUndefined();
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        expect(await storage.orderStatus(bot, terms.id)).toBe("pending");
        await storage.commit(claim, bot, [orderRecord(terms, "absent")]);
        expect(await storage.orderStatus(bot, terms.id)).toBe("absent");
        expect(await storage.orderStatus(sampleBot("bot0000002", "ETH/USDT"), terms.id)).toBeUndefined();
      });

      it("keeps the newest fill cursor", async () => {
        expect(await storage.saveFillCursor(claim, bot, "17")).toBe("stored");
        expect(await storage.saveFillCursor(claim, bot, "18")).toBe("stored");

        expect((await storage.loadLedger(bot)).fillCursor).toBe("18");
      });
    });

    describe("fills from a spool", () => {
      const terms = () => sampleTerms(bot, 1);
      const fill = (id: string) => sampleFill(terms(), id);

      it("wait for the owner, once each, also when nobody has a claim", async () => {
        await storage.claim(bot.market, "somebody-newer");
        await storage.deliverFills(bot, [fill("t2"), fill("t1")]);
        await storage.deliverFills(bot, [fill("t1"), fill("t3")]);

        const waiting = await storage.deliveredFills(bot);

        expect([...waiting].sort((a, b) => (a.tradeId < b.tradeId ? -1 : 1))).toEqual([
          fill("t1"),
          fill("t2"),
          fill("t3"),
        ]);
        expect(await storage.deliveredFills(sampleBot("bot0000002", "ETH/USDT"))).toEqual([]);
        expect(await storage.fillsOf(bot)).toEqual([]);
        expect(await storage.unstoredFills(bot, [fill("t1")])).toEqual([fill("t1")]);
      });

      it("wait once each where two spools deliver the same at the same moment", async () => {
        const other = await database.open();
        const fills = Array.from({ length: 50 }, (_, index) => fill(`t${index}`));

        await Promise.all([storage.deliverFills(bot, fills), other.deliverFills(bot, [...fills].reverse())]);

        expect(await storage.deliveredFills(bot)).toHaveLength(50);
        await other.close();
      });

      it("no longer wait once they are counted, whichever came first", async () => {
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        await storage.deliverFills(bot, [fill("t1")]);
        expect(await storage.commit(claim, bot, partFillRecords(terms(), "t1"))).toBe("stored");
        expect(await storage.deliveredFills(bot)).toEqual([]);

        await storage.deliverFills(bot, [fill("t1"), fill("t2")]);

        expect(await storage.deliveredFills(bot)).toEqual([fill("t2")]);
        expect(await storage.fillsOf(bot)).toEqual([fill("t1")]);
      });

      it("are stored with an order that nobody has stored, as closed and never to be used again", async () => {
        const order = sampleTerms(bot, 1, "buy", 7);
        const fills = [sampleFill(order, "t1"), sampleFill(order, "t2")];
        const progress = { ...NO_PROGRESS, executed: quantityLots(400), quote: parseMoney("4.0004") };
        const records = fills.flatMap((one): readonly StoreRecord[] => [
          { kind: "fill", fill: one },
          { kind: "lateProgress", order, ...one, progress },
        ]);
        await storage.deliverFills(bot, fills);

        expect(await storage.commit(claim, bot, records)).toBe("stored");

        expect(await storage.fillsOf(bot)).toEqual(fills);
        expect(await storage.deliveredFills(bot)).toEqual([]);
        expect(await storage.listOrders({ limit: 5 })).toMatchObject([
          { id: order.id, generation: 7, status: "canceled", quantity: "0.08", executed: "0.08" },
        ]);
        expect((await storage.loadLedger(bot)).lastOrders).toMatchObject([{ generation: 7 }]);
        // Its age is not known: what else was forgotten is still looked for as far back as before.
        expect((await storage.loadLedger(bot)).lastIntentAt).toBe(bot.createdAt);
        expect(await storage.insertIntent(claim, bot, sampleIntent(bot, 1, "buy", 7))).toBe("taken");
      });
    });

    describe("durability", () => {
      it("shows everything to the next one that opens the database", async () => {
        const terms = sampleTerms(bot, 1);
        await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
        await storage.commit(claim, bot, partFillRecords(terms, "t1"));
        await storage.saveFillCursor(claim, bot, "17");
        const before = await storage.loadLedger(bot);
        const fleet = await storage.fleetId();

        await storage.close();
        storage = await database.open();

        expect(await storage.findBot(bot.market)).toEqual(bot);
        expect(await storage.loadLedger(bot)).toEqual(before);
        expect(await storage.fillsOf(bot)).toEqual([sampleFill(terms, "t1")]);
        expect(await storage.fleetId()).toBe(fleet);
        expect((await storage.claim(bot.market, "instance-1")).epoch).toBe(2);
      });

      it("draws one fleet id for all who ask", async () => {
        const ids = await Promise.all([storage.fleetId(), storage.fleetId(), storage.fleetId()]);

        expect(new Set(ids).size).toBe(1);
        expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/);
      });

      it("finishes what is under way when it is closed, and is unavailable afterwards", async () => {
        const underWay = storage.commit(claim, bot, [{ kind: "initialDone" }]);
        await storage.close();

        expect(await underWay).toBe("stored");
        await expect(storage.ping()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
        await expect(storage.claim(bot.market, "x")).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
        storage = await database.open();
        await expect(storage.ping()).resolves.toBeUndefined();
        expect((await storage.loadLedger(bot)).initialDone).toBe(true);
      });
    });

    describe("bots", () => {
      it("finds a bot as it was created, its slots ascending by price", async () => {
        const shuffled = sampleBot("bot0000002", "ETH/USDT");
        const otherClaim = await storage.claim(shuffled.market, "instance-1");
        await storage.createBot(otherClaim, { ...shuffled, slots: [...shuffled.slots].reverse() });

        expect(await storage.findBot(shuffled.market)).toEqual(shuffled);
        expect(await storage.findBot(sampleMarket("XRP/USDT"))).toBeUndefined();
      });

      it("keeps a market for its first bot", async () => {
        const second = storage.createBot(claim, sampleBot("bot0000002"));

        await expect(second).rejects.toMatchObject({ code: "INVARIANT" });
        expect(await storage.findBot(bot.market)).toEqual(bot);
      });
    });

    describeStorageBalances(() => ({ storage, bot, claim, open: () => database.open() }));
    describeStorageLeases(() => ({ storage, bot, open: () => database.open() }));
    describeStorageLists(() => ({ storage, claim, bot }));
    describeStorageDays(() => ({ storage, claim, bot }));
    describeStorageRoundTrip(() => storage);
  });
}
