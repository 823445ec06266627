/** One market of a venue: its book, its price, and those who trade in it. */
import type { FeeRate, Money, PriceTicks } from "../../domain/amounts.ts";
import { feeOn, money, subtractLots } from "../../domain/amounts.ts";
import { divideUp } from "../../domain/decimal.ts";
import type { Instant, Side } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import { NO_SLOT, OrderBook } from "./book.ts";
import type { FeeAsset, FillRule } from "./commands.ts";
import type { Filters } from "./filters.ts";
import type { Ledger, Wallet } from "./ledger.ts";
import type { VenueOrder } from "./order-history.ts";
import { OrderHistory } from "./order-history.ts";

export interface Market {
  readonly instrument: Instrument;
  readonly filters: Filters;
  readonly book: OrderBook<VenueOrder>;
  readonly traders: Map<string, Trader>;
  /** Where the market stands; undefined until it was moved. */
  price: { readonly price: PriceTicks; readonly at: Instant } | undefined;
  lastTradeId: number;
}

/** One account in one market; there is one object for each. */
export interface Trader {
  readonly account: string;
  readonly wallet: Wallet;
  readonly history: OrderHistory;
}

export function createMarket(instrument: Instrument, filters: Filters): Market {
  return {
    instrument,
    filters,
    book: new OrderBook(),
    traders: new Map(),
    price: undefined,
    lastTradeId: 0,
  };
}

/** The account's trader, new where it has none yet; whether it keeps the past is asked then only. */
export function traderOf(
  market: Market,
  account: string,
  ledger: Ledger,
  forgotten: ReadonlySet<string>,
): Trader {
  let trader = market.traders.get(account);
  if (!trader) {
    const history = new OrderHistory(!forgotten.has(account));
    trader = { account, wallet: ledger.wallet(account), history };
    market.traders.set(account, trader);
  }
  return trader;
}

/** Puts what is left of `order` into the book. */
export function rest({ book }: Market, order: VenueOrder): void {
  const left = subtractLots(order.quantity, order.executed);
  order.slot = book.side(order.side === "buy").add(order, order.price, left);
}

/** The resting orders of one side that a market at `price` fills, best first, then oldest. */
export function crossedOrders(
  { book }: Market,
  isBuy: boolean,
  price: PriceTicks,
  fill: FillRule,
): readonly VenueOrder[] {
  const side = book.side(isBuy);
  const crossed: VenueOrder[] = [];
  for (let slot = side.first(); slot !== NO_SLOT; slot = side.after(slot)) {
    const beyond = isBuy ? side.price(slot) - price : price - side.price(slot);
    if (fill === "touch" ? beyond < 0 : beyond <= 0) break;
    crossed.push(side.owner(slot));
  }
  return crossed;
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
