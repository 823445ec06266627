/** Rows ↔ domain values of orders, and of the fills and trades that come of them. Amounts become decimal text and come back. */
import { formatMoney, parseMoney } from "../domain/amounts.ts";
import { invariant } from "../domain/assert.ts";
import type { Fill } from "../domain/fill.ts";
import type { Bot, Trade } from "../domain/grid.ts";
import type { ClientOrderId, Instant } from "../domain/ids.ts";
import { generation, instant, slotNumber } from "../domain/ids.ts";
import type { Instrument } from "../domain/instrument.ts";
import { formatPrice, formatQuantity, parsePrice, parseQuantity } from "../domain/instrument.ts";
import type { OrderStatus, OrderTerms, Progress, WorkingOrder } from "../domain/order.ts";
import { isTerminal } from "../domain/order.ts";
import { wholeMs } from "./column-text.ts";
import type { DeliveredFillsTable, FillsTable, OrdersTable, ProgressColumns, TradesTable } from "./schema.ts";

/** How an order came to be stored: as an intent, or found resting on the exchange. */
export interface OrderOrigin {
  readonly status: OrderStatus;
  readonly exchangeOrderId: string | null;
  readonly validUntil: Instant;
  readonly epoch: number;
}

export function newOrderRow(bot: Bot, terms: OrderTerms, origin: OrderOrigin): OrdersTable {
  return {
    client_order_id: terms.id,
    bot_code: bot.code,
    slot: terms.slot,
    side: terms.side,
    generation: terms.generation,
    type: terms.type,
    price: formatPrice(bot.instrument, terms.price),
    quantity: formatQuantity(bot.instrument, terms.quantity),
    status: origin.status,
    unfinished: isTerminal(origin.status) ? null : 1,
    exchange_order_id: origin.exchangeOrderId,
    executed: "0",
    quote: "0",
    fee: "0",
    base_fee: "0",
    valid_until: wholeMs(origin.validUntil),
    epoch: origin.epoch,
    created_at: wholeMs(terms.createdAt),
    updated_at: wholeMs(terms.createdAt),
  };
}

export function termsOf(instrument: Instrument, row: OrdersTable): OrderTerms {
  return {
    id: row.client_order_id as ClientOrderId,
    slot: slotNumber(row.slot),
    side: row.side,
    generation: generation(row.generation),
    type: row.type,
    price: parsePrice(instrument, row.price),
    quantity: parseQuantity(instrument, row.quantity),
    createdAt: instant(row.created_at),
  };
}

export function progressColumns(instrument: Instrument, progress: Progress): ProgressColumns {
  return {
    executed: formatQuantity(instrument, progress.executed),
    quote: formatMoney(progress.quote),
    fee: formatMoney(progress.fee),
    base_fee: formatMoney(progress.baseFee),
  };
}

export function progressOf(
  instrument: Instrument,
  row: ProgressColumns,
  tradeIds: readonly string[],
): Progress {
  return {
    executed: parseQuantity(instrument, row.executed),
    quote: parseMoney(row.quote),
    fee: parseMoney(row.fee),
    baseFee: parseMoney(row.base_fee),
    tradeIds,
  };
}

export function workingOrderOf(
  instrument: Instrument,
  row: OrdersTable,
  tradeIds: readonly string[],
): WorkingOrder {
  const terms = termsOf(instrument, row);
  const progress = progressOf(instrument, row, tradeIds);
  const { status, exchange_order_id: exchangeOrderId } = row;
  invariant(!isTerminal(status), `order ${terms.id} is both ${status} and unfinished`);
  if (status === "pending" || status === "unknown") return { kind: status, terms, progress };
  invariant(exchangeOrderId !== null, `order ${terms.id} is ${status} without an exchange order id`);
  return { kind: status, terms, progress, exchangeOrderId };
}

export function deliveredFillRow(bot: Bot, fill: Fill): DeliveredFillsTable {
  const { exchange, account, symbol } = bot.market;
  return {
    exchange,
    account,
    symbol,
    trade_id: fill.tradeId,
    side: fill.side,
    client_order_id: fill.id,
    bot_code: bot.code,
    price: formatPrice(bot.instrument, fill.price),
    quantity: formatQuantity(bot.instrument, fill.quantity),
    fee: formatMoney(fill.fee),
    fee_asset: fill.feeAsset,
    liquidity: fill.liquidity,
    exchange_order_id: fill.exchangeOrderId,
    at: wholeMs(fill.at),
  };
}

export function fillRow(bot: Bot, fill: Fill, seq: number): FillsTable {
  return { ...deliveredFillRow(bot, fill), seq };
}

export function fillOf(instrument: Instrument, row: DeliveredFillsTable): Fill {
  return {
    tradeId: row.trade_id,
    exchangeOrderId: row.exchange_order_id,
    side: row.side,
    price: parsePrice(instrument, row.price),
    quantity: parseQuantity(instrument, row.quantity),
    fee: parseMoney(row.fee),
    feeAsset: row.fee_asset,
    liquidity: row.liquidity,
    at: instant(row.at),
    id: row.client_order_id as ClientOrderId,
  };
}

export function tradeRow(bot: Bot, trade: Trade): TradesTable {
  return {
    bot_code: bot.code,
    slot: trade.slot,
    generation: trade.generation,
    part: trade.part,
    origin: trade.origin,
    quantity: formatQuantity(bot.instrument, trade.quantity),
    buy_quote: formatMoney(trade.buyQuote),
    buy_fee: formatMoney(trade.buyFee),
    sell_quote: formatMoney(trade.sellQuote),
    sell_fee: formatMoney(trade.sellFee),
    profit: formatMoney(trade.profit),
    at: wholeMs(trade.at),
  };
}

export function tradeOf(instrument: Instrument, row: TradesTable): Trade {
  return {
    slot: slotNumber(row.slot),
    generation: generation(row.generation),
    part: row.part,
    origin: row.origin,
    quantity: parseQuantity(instrument, row.quantity),
    buyQuote: parseMoney(row.buy_quote),
    buyFee: parseMoney(row.buy_fee),
    sellQuote: parseMoney(row.sell_quote),
    sellFee: parseMoney(row.sell_fee),
    profit: parseMoney(row.profit),
    at: instant(row.at),
  };
}
