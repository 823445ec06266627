/** The part of the storage contract about exactness: whatever goes in comes out, to the last digit. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { money, priceTicks, quantityLots } from "../../src/domain/amounts.ts";
import type { Bot, SlotHolding, Parcel } from "../../src/domain/grid.ts";
import { botCode, generation, instant, slotNumber } from "../../src/domain/ids.ts";
import { createInstrument } from "../../src/domain/instrument.ts";
import type { Progress } from "../../src/domain/order.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { encodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import { noHoldings } from "./storage-samples.ts";

const MAX_UNITS = 10n ** 36n - 1n;
const RUNS = 40;

/** 1e-9 × 9e15 needs 16 digits, 100 × 9e15 the 18 that databases keep before the point. */
const SIZES = ["0.000000001", "0.01", "0.0005", "1", "100"] as const;
const ticks = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map(priceTicks);
const lots = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }).map(quantityLots);
const amount = fc.bigInt({ min: -MAX_UNITS, max: MAX_UNITS }).map(money);
const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const at = fc.nat({ max: 8_640_000_000_000_000 }).map(instant);
const text = fc.string({ unit: "grapheme", maxLength: 30 });
const name = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 30 });

const botParts = fc.record({
  tickSize: fc.constantFrom(...SIZES),
  lotSize: fc.constantFrom(...SIZES),
  makerFee: fc.constantFrom("0", "0.00075", "0.123456789012345678"),
  minNotional: fc.constantFrom("0", "5", "0.000000000000000001"),
  minQuantity: fc.nat({ max: 1_000_000 }),
  settings: text,
  initial: fc.constantFrom("buy", "none"),
  startPrice: ticks,
  createdAt: at,
  slots: fc.uniqueArray(fc.record({ buyPrice: ticks, sellPrice: ticks, quantity: lots }), {
    minLength: 1,
    maxLength: 20,
    selector: (slot) => slot.buyPrice,
  }),
});

const parcels = fc.array(
  fc.record<Parcel>({
    origin: fc.constantFrom("grid", "initial"),
    quantity: lots,
    quote: amount,
    fee: amount,
  }),
  { maxLength: 2 },
);

const recordParts = fc.record({
  side: fc.constantFrom("buy", "sell"),
  generation: fc.integer({ min: 1, max: 36 ** 7 - 1 }).map(generation),
  type: fc.constantFrom("limit", "limit_maker", "market"),
  price: ticks,
  quantity: lots,
  createdAt: at,
  validUntil: at,
  exchangeOrderId: name,
  baseFee: amount,
  dust: amount,
  wants: fc.constantFrom("buy" as const, "sell" as const),
  tradeIds: fc.uniqueArray(name, { maxLength: 4 }),
  executed: lots,
  quote: amount,
  fee: amount,
  feeAsset: name,
  liquidity: fc.constantFrom("maker", "taker"),
  inventory: parcels,
  totals: fc.record({
    fills: count,
    trades: count,
    gridProfit: amount,
    inventorySells: count,
    inventoryPnl: amount,
    fees: amount,
    cashFlow: amount,
    position: fc.maxSafeInteger().map(quantityLots),
    baseFees: amount,
  }),
  trade: fc.record({
    part: fc.integer({ min: 1, max: 9 }),
    origin: fc.constantFrom("grid", "initial"),
    quantity: lots,
    buyQuote: amount,
    buyFee: amount,
    sellQuote: amount,
    sellFee: amount,
    profit: amount,
    at,
  }),
  reason: text,
  fillCursor: name,
});

export function describeStorageRoundTrip(opened: () => Storage): void {
  it("gives back exactly what was stored, whatever the prices, quantities and amounts", async () => {
    const storage = opened();
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(botParts, recordParts, async (parts, values) => {
        runs += 1;
        const bot = botFrom(runs, parts);
        const claim = await storage.claim(bot.market, "instance-1");
        expect(await storage.createBot(claim, bot)).toBe("stored");
        const slot = slotNumber(bot.slots[0]?.slot ?? 0);
        const { side, generation: number, type, price, quantity, createdAt, exchangeOrderId } = values;
        const id = encodeClientOrderId(bot.code, slot, side, number);
        const terms = { id, slot, side, generation: number, type, price, quantity, createdAt };
        const { executed, quote, fee, feeAsset, liquidity, tradeIds } = values;
        const progress: Progress = { executed, quote, fee, baseFee: values.baseFee, tradeIds };
        const fills = tradeIds.map((tradeId, index) => ({
          ...{ id, tradeId, exchangeOrderId, side, price, quantity, fee, feeAsset, liquidity },
          at: instant(createdAt === 0 ? index : createdAt - (index % 2)),
        }));
        const trade = { slot, generation: number, ...values.trade };
        const intent = { terms, validUntil: values.validUntil };

        expect(await storage.insertIntent(claim, bot, intent)).toBe("stored");
        const outcome = await storage.commit(claim, bot, [
          { kind: "order", id, status: "canceling", exchangeOrderId, progress, at: createdAt },
          ...fills.map((fill) => ({ kind: "fill", fill }) as const),
          {
            kind: "slot",
            slot,
            holding: { wants: values.wants, inventory: values.inventory, dust: values.dust },
          },
          { kind: "totals", totals: values.totals },
          { kind: "trade", trade },
          { kind: "mode", mode: "halted", reason: values.reason },
        ]);
        expect(outcome).toBe("stored");
        await storage.saveFillCursor(claim, bot, values.fillCursor);

        expect(await storage.findBot(bot.market)).toEqual(bot);
        expect(await storage.loadLedger(bot)).toEqual({
          mode: "halted",
          modeReason: values.reason,
          initialDone: false,
          holdings: new Map<number, SlotHolding>([
            ...noHoldings(bot),
            [slot, { wants: values.wants, inventory: values.inventory, dust: values.dust }],
          ]),
          working: [
            {
              order: { kind: "canceling", terms, progress, exchangeOrderId },
              validUntil: values.validUntil,
            },
          ],
          lastOrders: [{ slot, side, generation: number, status: "working" }],
          totals: values.totals,
          fillCursor: values.fillCursor,
          lastIntentAt: createdAt,
        });
        expect(await storage.fillsOf(bot)).toEqual(fills);
        expect(await storage.tradesOf(bot)).toEqual([trade]);
        expect(await storage.findOrderByExchangeId(bot, exchangeOrderId)).toEqual(terms);
      }),
      { numRuns: RUNS },
    );
    expect(runs).toBeGreaterThanOrEqual(RUNS);
  });
}

type BotParts = typeof botParts extends fc.Arbitrary<infer Parts> ? Parts : never;

function botFrom(run: number, parts: BotParts): Bot {
  const symbol = `C${run}/USDT`;
  const instrument = createInstrument({
    exchange: "binance",
    symbol,
    tickSize: parts.tickSize,
    lotSize: parts.lotSize,
    minNotional: parts.minNotional,
    makerFee: parts.makerFee,
    takerFee: "0.001",
  });
  return {
    code: botCode(`r${String(run).padStart(9, "0")}`),
    market: { exchange: "binance", account: "main", symbol },
    instrument: { ...instrument, minQuantity: quantityLots(parts.minQuantity) },
    settings: parts.settings,
    lattice: { kind: "range" },
    initial: parts.initial,
    startPrice: parts.startPrice,
    createdAt: parts.createdAt,
    slots: parts.slots
      .map((terms, index) => ({ slot: slotNumber(index * 7), ...terms }))
      .sort((a, b) => a.buyPrice - b.buyPrice),
  };
}
