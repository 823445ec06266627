/** The part of the storage contract about lists: newest first, page by page. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Claim } from "../../src/domain/claim.ts";
import type { Bot } from "../../src/domain/grid.ts";
import { instant } from "../../src/domain/ids.ts";
import type { FillRow, OrderRow, PageQuery, Storage, TradeRow } from "../../src/storage/storage.ts";
import {
  NO_TOTALS,
  orderRecord,
  sampleBot,
  sampleFill,
  sampleIntent,
  sampleTrade,
} from "./storage-samples.ts";

interface Opened {
  readonly storage: Storage;
  readonly claim: Claim;
  readonly bot: Bot;
}

export function describeStorageLists(opened: () => Opened): void {
  describe("lists", () => {
    let storage: Storage;
    let bots: readonly Bot[];

    /** Two bots; each slot of each has a finished order, a fill and a trade, all at the same instants in both. */
    beforeEach(async () => {
      const { claim, bot } = opened();
      storage = opened().storage;
      const other = sampleBot("bot0000002", "ETH/USDT");
      const otherClaim = await storage.claim(other.market, "instance-1");
      await storage.createBot(otherClaim, other);
      bots = [bot, other];
      for (const [each, its] of [
        [bot, claim],
        [other, otherClaim],
      ] as const) {
        for (const slot of [1, 2, 3]) {
          const intent = sampleIntent(each, slot);
          await storage.insertIntent(its, each, intent);
          const fill = { ...sampleFill(intent.terms, `t${slot}`), at: instant(9_000 + Math.floor(slot / 2)) };
          await storage.commit(its, each, [
            orderRecord(intent.terms, "filled"),
            { kind: "fill", fill },
            { kind: "trade", trade: { ...sampleTrade(slot), at: fill.at } },
          ]);
        }
        await storage.insertIntent(its, each, sampleIntent(each, 1, "buy", 2));
      }
    });

    it("lists orders with what they are, newest first", async () => {
      const [newest] = await storage.listOrders({ limit: 1 });

      expect(newest).toMatchObject({
        id: "qmbot000000200001b0000002",
        bot: "bot0000002",
        symbol: "ETH/USDT",
        slot: 1,
        side: "buy",
        generation: 2,
        type: "limit_maker",
        status: "pending",
        price: "100.01",
        quantity: "0.1001",
        executed: "0",
        exchangeOrderId: undefined,
      });
    });

    it("lists fills with the slot and generation of their order", async () => {
      const [newest] = await storage.listFills({ limit: 1 });

      expect(newest).toMatchObject({
        tradeId: "t3",
        orderId: "qmbot000000200003b0000001",
        bot: "bot0000002",
        symbol: "ETH/USDT",
        slot: 3,
        generation: 1,
        side: "buy",
        price: "100.03",
        quantity: "0.04",
        fee: "0.0030000000000001",
        feeAsset: "USDT",
        liquidity: "maker",
        at: 9_001,
      });
    });

    it("lists trades with exact decimal amounts", async () => {
      const [newest] = await storage.listTrades({ limit: 1 });

      expect(newest).toMatchObject({
        bot: "bot0000002",
        symbol: "ETH/USDT",
        slot: 3,
        generation: 1,
        origin: "grid",
        quantity: "0.04",
        buyQuote: "4",
        buyFee: "0.003",
        sellQuote: "4.4",
        sellFee: "0.0033",
        profit: "0.3937",
        at: 9_001,
      });
    });

    it("shows working orders only, or finished ones only", async () => {
      const working = await storage.listOrders({ limit: 100, working: true });
      const finished = await storage.listOrders({ limit: 100, working: false });
      const all = await storage.listOrders({ limit: 100 });

      expect(working.map(({ status }) => status)).toEqual(["pending", "pending"]);
      expect(finished.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => "filled"));
      expect(all).toHaveLength(8);
    });

    it.each(["listOrders", "listFills", "listTrades"] as const)(
      "%s gives each row once, in one order, whatever the page size",
      async (list) => {
        for (const code of [undefined, ...bots.map((bot) => bot.code)]) {
          const scope = code === undefined ? {} : { code };
          const whole = await storage[list]({ ...scope, limit: 100 });
          const times = whole.map((row) => ("createdAt" in row ? row.createdAt : row.at));
          expect(times).toEqual([...times].sort((a, b) => b - a));
          expect(whole.length).toBeGreaterThanOrEqual(code === undefined ? 6 : 3);
          expect(whole.every((row) => code === undefined || row.bot === code)).toBe(true);
          for (const limit of [1, 2, 5]) {
            expect(await allPages((query) => storage[list](query), { ...scope, limit })).toEqual(whole);
          }
        }
      },
    );

    it("refuses a cursor that it did not give", async () => {
      for (const before of ["", "rubbish", Buffer.from("[1]").toString("base64url")]) {
        const page = storage.listFills({ limit: 1, before });
        await expect(page).rejects.toMatchObject({ code: "DATA_INVALID" });
      }
    });

    it("sums up every bot with its mode, totals and number of working orders", async () => {
      const summaries = await storage.listBots();

      expect(summaries).toEqual(
        bots.map((bot) => ({ bot, mode: "running", modeReason: "", totals: NO_TOTALS, workingOrders: 1 })),
      );
    });
  });
}

type Row = OrderRow | FillRow | TradeRow;

async function allPages(
  list: (query: PageQuery) => Promise<readonly Row[]>,
  query: PageQuery,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let pages = 0; pages < 20; pages += 1) {
    const last = rows.at(-1);
    const page = await list(last ? { ...query, before: last.cursor } : query);
    expect(page.length).toBeLessThanOrEqual(query.limit);
    rows.push(...page);
    if (page.length < query.limit) return rows;
  }
  throw new Error("the list does not end");
}
