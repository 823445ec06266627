/** One market of a venue: its book, its price, and the orders of each account in it. */
import type { FeeRate, Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { addLots, feeOn, money, subtractLots } from "../../domain/amounts.ts";
import { divideUp } from "../../domain/decimal.ts";
import type { Instant, Side } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import { BookOrder, OrderBook } from "./book.ts";
import type { FeeAsset, FillRule } from "./commands.ts";
import type { Filters } from "./filters.ts";
import type { VenueOrder } from "./order-history.ts";
import { OrderHistory } from "./order-history.ts";

export interface Market {
  readonly instrument: Instrument;
  readonly filters: Filters;
  readonly book: OrderBook<VenueOrder>;
  readonly histories: Map<string, OrderHistory>;
  /** See VenueOptions. */
  readonly forgotten: ReadonlySet<string>;
  /** Where the market stands; undefined until it was moved. */
  price: { readonly price: PriceTicks; readonly at: Instant } | undefined;
  lastTradeId: number;
}

export function createMarket(
  instrument: Instrument,
  filters: Filters,
  forgotten: ReadonlySet<string>,
): Market {
  return {
    instrument,
    filters,
    book: new OrderBook(),
    histories: new Map(),
    forgotten,
    price: undefined,
    lastTradeId: 0,
  };
}

export function historyOf(market: Market, account: string): OrderHistory {
  let history = market.histories.get(account);
  if (!history) {
    history = new OrderHistory(!market.forgotten.has(account));
    market.histories.set(account, history);
  }
  return history;
}

/** Puts what is left of `order` into the book. */
export function rest(market: Market, order: VenueOrder): void {
  const left = subtractLots(order.quantity, order.executed);
  order.resting = new BookOrder(order, order.side === "buy", order.price, left);
  market.book.add(order.resting);
}

/** The resting orders of one side that a market at `price` fills, best first, then oldest. */
export function crossedOrders(
  { book }: Market,
  isBuy: boolean,
  price: PriceTicks,
  fill: FillRule,
): readonly VenueOrder[] {
  const best = book.best(isBuy);
  if (!best || !isCrossed(best.price, isBuy, price, fill)) return NONE;
  const crossed: VenueOrder[] = [];
  for (const order of book.inPriority(isBuy)) {
    if (!isCrossed(order.price, isBuy, price, fill)) break;
    crossed.push(order.owner);
  }
  return crossed;
}

function isCrossed(limit: number, isBuy: boolean, price: number, fill: FillRule): boolean {
  const beyond = isBuy ? limit - price : price - limit;
  return fill === "touch" ? beyond >= 0 : beyond > 0;
}

const NONE: readonly VenueOrder[] = [];

/** All that rests at one price. */
export interface PriceLevel {
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
}

/** The best `limit` levels of one side, best first. */
export function levelsOf({ book }: Market, isBuy: boolean, limit: number): readonly PriceLevel[] {
  const levels: { price: PriceTicks; quantity: QuantityLots }[] = [];
  for (const { owner, remaining } of book.inPriority(isBuy)) {
    const last = levels[levels.length - 1];
    if (last?.price === owner.price) last.quantity = addLots(last.quantity, remaining as QuantityLots);
    else if (levels.length === limit) break;
    else levels.push({ price: owner.price, quantity: remaining as QuantityLots });
  }
  return levels;
}

/** The asset that an order of this side pays with. */
export function assetSpent(instrument: Instrument, side: Side): string {
  return side === "buy" ? instrument.quote : instrument.base;
}

/** What fees are taken from, and what they are multiples of. */
export interface FeeRule {
  readonly asset: FeeAsset;
  readonly step: Money;
}

/** The fee on `amount`, rounded up to the next step. */
export function feeIn({ step }: FeeRule, amount: Money, rate: FeeRate): Money {
  const fee = feeOn(amount, rate);
  return step === 1n ? fee : money(divideUp(fee, step) * step);
}

export function times(amount: Money, count: number): Money {
  return money(amount * BigInt(count));
}
