/** The part of the storage contract about days: what each bot did on each of them, exactly. */
import { beforeEach, describe, expect, it } from "vitest";
import { parseMoney, quantityLots } from "../../src/domain/amounts.ts";
import type { Claim } from "../../src/domain/claim.ts";
import type { Bot, Totals } from "../../src/domain/grid.ts";
import { instant } from "../../src/domain/ids.ts";
import type { DayRow, PageQuery, Storage } from "../../src/storage/storage.ts";
import { NO_TOTALS, sampleBot, sampleFill, sampleIntent, sampleTerms } from "./storage-samples.ts";

interface Opened {
  readonly storage: Storage;
  readonly claim: Claim;
  readonly bot: Bot;
}

const FIRST_DAY = Date.UTC(2026, 0, 31);
const DAY_MS = 86_400_000;

export function describeStorageDays(opened: () => Opened): void {
  describe("days", () => {
    let storage: Storage;
    let claim: Claim;
    let bot: Bot;
    beforeEach(async () => {
      ({ storage, claim, bot } = opened());
      await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
    });

    /** Stores a fill at `at` after which the totals are `totals`. */
    const fill = async (tradeId: string, at: number, totals: Partial<Totals>, of = { claim, bot }) =>
      storage.commit(of.claim, of.bot, [
        { kind: "fill", fill: { ...sampleFill(sampleTerms(of.bot, 1), tradeId), at: instant(at) } },
        { kind: "totals", totals: { ...NO_TOTALS, ...totals } },
      ]);
    const days = async (query: PageQuery = { limit: 100 }) => storage.listDays(query);

    it("are none for a bot that never traded", async () => {
      expect(await days()).toEqual([]);
    });

    it("tell the difference of the totals between the ends of two days, to the last digit", async () => {
      await fill("t1", FIRST_DAY + 1, { fills: 1, fees: parseMoney("0.1") });
      await fill("t2", FIRST_DAY + DAY_MS - 1, {
        fills: 2,
        fees: parseMoney("0.2"),
        gridProfit: parseMoney("1.000000000000000001"),
        trades: 1,
        position: quantityLots(400),
        cashFlow: parseMoney("-4"),
      });
      await fill("t3", FIRST_DAY + 3 * DAY_MS, {
        fills: 4,
        fees: parseMoney("0.3"),
        gridProfit: parseMoney("0.5"),
        trades: 3,
        inventorySells: 2,
        inventoryPnl: parseMoney("-123456789012345678.000000000000000001"),
        position: quantityLots(-100),
        cashFlow: parseMoney("7"),
      });

      const [newest, first] = (await days()).map(({ cursor: _, ...day }) => day);

      expect(newest).toEqual({
        day: "2026-02-03",
        bot: bot.code,
        symbol: "BTC/USDT",
        fills: 2,
        trades: 2,
        gridProfit: "-0.500000000000000001",
        inventorySells: 2,
        inventoryPnl: "-123456789012345678.000000000000000001",
        fees: "0.1",
        cashFlow: "11",
        position: "-0.01",
      });
      expect(first).toMatchObject({
        day: "2026-01-31",
        fills: 2,
        trades: 1,
        gridProfit: "1.000000000000000001",
        fees: "0.2",
        cashFlow: "-4",
        position: "0.04",
      });
    });

    it("stay as they are once a later day has begun: a late fill counts when it was stored", async () => {
      await fill("t1", FIRST_DAY, { fills: 1 });
      await fill("t2", FIRST_DAY + DAY_MS, { fills: 2 });
      await fill("late", FIRST_DAY + 5, { fills: 3 });

      expect((await days()).map(({ day, fills }) => [day, fills])).toEqual([
        ["2026-02-01", 2],
        ["2026-01-31", 1],
      ]);
    });

    it("count no step that was void", async () => {
      await fill("t1", FIRST_DAY, { fills: 1 });

      expect(await fill("t1", FIRST_DAY, { fills: 2 })).toBe("duplicate");

      expect((await days()).map(({ fills }) => fills)).toEqual([1]);
    });

    it("come page by page, of all bots or of one", async () => {
      const other = sampleBot("bot0000002", "ETH/USDT");
      const of = { claim: await storage.claim(other.market, "me"), bot: other };
      await storage.createBot(of.claim, other);
      await storage.insertIntent(of.claim, other, sampleIntent(other, 1));
      for (const day of [0, 1, 2]) {
        await fill(`t${day}`, FIRST_DAY + day * DAY_MS, { fills: day + 1 });
        await fill(`t${day}`, FIRST_DAY + day * DAY_MS, { fills: 2 * day + 1 }, of);
      }

      const whole = await days();
      const paged: DayRow[] = [];
      for (let page = await days({ limit: 2 }); page.length > 0; ) {
        paged.push(...page);
        const { cursor } = page.at(-1) ?? { cursor: "" };
        page = await days({ limit: 2, before: cursor });
      }

      expect(whole.map(({ bot: code, fills }) => [code, fills])).toEqual([
        [other.code, 2],
        [bot.code, 1],
        [other.code, 2],
        [bot.code, 1],
        [other.code, 1],
        [bot.code, 1],
      ]);
      expect(paged).toEqual(whole);
      expect((await days({ limit: 9, code: bot.code })).map(({ bot: code }) => code)).toEqual(
        Array.from({ length: 3 }, () => bot.code),
      );
    });
  });
}
