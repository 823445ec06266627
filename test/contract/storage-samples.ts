/** Bots, orders and fills for storage tests; each call makes them anew, for a market of the caller's choice. */
import { ZERO_LOTS, ZERO_MONEY, parseMoney, priceTicks, quantityLots } from "../../src/domain/amounts.ts";
import type { MarketKey } from "../../src/domain/claim.ts";
import type { Fill } from "../../src/domain/fill.ts";
import type { Bot, Totals, Trade, SlotHolding } from "../../src/domain/grid.ts";
import type { Side } from "../../src/domain/ids.ts";
import { botCode, generation, instant, slotNumber } from "../../src/domain/ids.ts";
import { createInstrument } from "../../src/domain/instrument.ts";
import type { OrderStatus, OrderTerms, Progress } from "../../src/domain/order.ts";
import type { OrderRecord, StoreRecord } from "../../src/domain/records.ts";
import { encodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import type { Intent } from "../../src/storage/storage.ts";

export const NOW = 1_700_000_000_000;

export const NO_PROGRESS: Progress = {
  executed: ZERO_LOTS,
  quote: ZERO_MONEY,
  fee: ZERO_MONEY,
  baseFee: ZERO_MONEY,
  tradeIds: [],
};

export const NO_TOTALS: Totals = {
  fills: 0,
  trades: 0,
  gridProfit: ZERO_MONEY,
  inventorySells: 0,
  inventoryPnl: ZERO_MONEY,
  fees: ZERO_MONEY,
  cashFlow: ZERO_MONEY,
  position: ZERO_LOTS,
  baseFees: ZERO_MONEY,
};

export const EMPTY_HOLDING: SlotHolding = { wants: "buy", inventory: [], dust: ZERO_MONEY };

/** What a bot's slots hold before it trades. */
export function noHoldings(bot: Bot): Map<number, SlotHolding> {
  return new Map(bot.slots.map(({ slot }) => [slot, EMPTY_HOLDING]));
}

export function sampleMarket(symbol = "BTC/USDT"): MarketKey {
  return { exchange: "binance", account: "main", symbol };
}

/** A grid of three slots, 1 at 100.00, 2 at 110.00, 3 at 120.00. */
export function sampleBot(code = "bot0000001", symbol = "BTC/USDT"): Bot {
  return {
    code: botCode(code),
    market: sampleMarket(symbol),
    instrument: createInstrument({
      exchange: "binance",
      symbol,
      tickSize: "0.01",
      lotSize: "0.0001",
      minQuantity: "0.001",
      minNotional: "5",
      makerFee: "0.00075",
      takerFee: "0.001",
    }),
    settings: '{"levels":4}',
    lattice: { kind: "range" },
    initial: "none",
    startPrice: priceTicks(11_500),
    createdAt: instant(NOW),
    slots: [1, 2, 3].map((slot) => ({
      slot: slotNumber(slot),
      buyPrice: priceTicks(9_000 + slot * 1_000),
      sellPrice: priceTicks(10_000 + slot * 1_000),
      quantity: quantityLots(1_000 + slot),
    })),
  };
}

export function sampleTerms(bot: Bot, slot: number, side: Side = "buy", number = 1): OrderTerms {
  const names = { slot: slotNumber(slot), side, generation: generation(number) };
  return {
    id: encodeClientOrderId(bot.code, names.slot, side, names.generation),
    ...names,
    type: "limit_maker",
    price: priceTicks(10_000 + slot),
    quantity: quantityLots(1_000 + slot),
    createdAt: instant(NOW + number * 1_000 + slot),
  };
}

export function sampleIntent(bot: Bot, slot: number, side: Side = "buy", number = 1): Intent {
  return { terms: sampleTerms(bot, slot, side, number), validUntil: instant(NOW + number * 1_000 + 500) };
}

export function orderRecord(
  terms: OrderTerms,
  status: OrderStatus,
  progress: Progress = NO_PROGRESS,
): OrderRecord {
  const exchangeOrderId = status === "rejected" ? undefined : `x-${terms.id}`;
  return { kind: "order", id: terms.id, status, exchangeOrderId, progress, at: terms.createdAt };
}

export function sampleFill(terms: OrderTerms, tradeId: string): Fill {
  return {
    id: terms.id,
    tradeId,
    exchangeOrderId: `x-${terms.id}`,
    side: terms.side,
    price: terms.price,
    quantity: quantityLots(400),
    fee: parseMoney("0.0030000000000001"),
    feeAsset: "USDT",
    liquidity: "maker",
    at: instant(NOW + 5_000),
  };
}

export function sampleTrade(slot: number, number = 1, part = 1): Trade {
  return {
    slot: slotNumber(slot),
    generation: generation(number),
    part,
    origin: "grid",
    quantity: quantityLots(400),
    buyQuote: parseMoney("4"),
    buyFee: parseMoney("0.003"),
    sellQuote: parseMoney("4.4"),
    sellFee: parseMoney("0.0033"),
    profit: parseMoney("0.3937"),
    at: instant(NOW + number * 1_000 + slot),
  };
}

/** A part fill of an order as a step stores it: the order, the fill, the slot and the totals. */
export function partFillRecords(terms: OrderTerms, tradeId: string): readonly StoreRecord[] {
  const fill = sampleFill(terms, tradeId);
  const quote = parseMoney("4.0004");
  const progress = {
    executed: fill.quantity,
    quote,
    fee: fill.fee,
    baseFee: ZERO_MONEY,
    tradeIds: [tradeId],
  };
  const parcel = { origin: "grid", quantity: fill.quantity, quote, fee: fill.fee } as const;
  return [
    orderRecord(terms, "open", progress),
    { kind: "fill", fill },
    { kind: "slot", slot: terms.slot, holding: { wants: "sell", inventory: [parcel], dust: ZERO_MONEY } },
    { kind: "totals", totals: { ...NO_TOTALS, fills: 1, position: fill.quantity, fees: fill.fee } },
  ];
}
