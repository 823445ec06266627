/** A venue's whole state as plain data, from which another one goes on as if it were the first. */
import type { Money, PriceTicks } from "../../domain/amounts.ts";
import type { Execution } from "../../domain/fill.ts";
import type { Instant } from "../../domain/ids.ts";
import { NO_SLOT } from "./book.ts";
import type { Market, Trader } from "./market.ts";
import { rest } from "./market.ts";
import type { OrderView, VenueOrder } from "./order-history.ts";
import { viewOf } from "./order-history.ts";

export interface VenueState {
  readonly now: Instant;
  readonly lastOrderId: number;
  readonly trades: number;
  readonly balances: readonly BalanceState[];
  readonly markets: readonly MarketState[];
}

export interface BalanceState {
  readonly account: string;
  readonly asset: string;
  readonly free: Money;
  readonly locked: Money;
}

export interface OrderState extends OrderView {
  readonly account: string;
  readonly lockPerLot: Money;
}

export interface FillState {
  readonly account: string;
  readonly execution: Execution;
}

export interface MarketState {
  readonly symbol: string;
  readonly price: { readonly price: PriceTicks; readonly at: Instant } | undefined;
  readonly lastTradeId: number;
  /** Every order that is kept, by the number of its exchange id: at one price that is the order of time. */
  readonly orders: readonly OrderState[];
  /** By trade id; of two fills of one trade the maker's comes first. */
  readonly fills: readonly FillState[];
}

export function stateOfMarket(market: Market): MarketState {
  const orders: OrderState[] = [];
  const fills: FillState[] = [];
  for (const [account, { history }] of market.traders) {
    const kept = history.entries();
    for (const order of kept.orders) {
      orders.push({ ...viewOf(order), account, lockPerLot: order.lockPerLot });
    }
    for (const execution of kept.fills) fills.push({ account, execution });
  }
  return {
    symbol: market.instrument.symbol,
    price: market.price,
    lastTradeId: market.lastTradeId,
    orders: orders.sort((a, b) => Number(a.exchangeOrderId) - Number(b.exchangeOrderId)),
    fills: fills.sort(byTrade),
  };
}

/** Fills an empty market; what its orders lock is in the balances already. */
export function restoreMarket(
  market: Market,
  state: MarketState,
  traderOf: (account: string) => Trader,
): void {
  market.price = state.price;
  market.lastTradeId = state.lastTradeId;
  for (const { account, ...view } of state.orders) {
    const trader = traderOf(account);
    const { history } = trader;
    const order: VenueOrder = { ...view, trader, slot: NO_SLOT };
    history.add(order);
    if (order.status === "open") rest(market, order);
    else history.close(order);
  }
  for (const { account, execution } of state.fills) {
    traderOf(account).history.addFill(execution);
  }
}

function byTrade(a: FillState, b: FillState): number {
  const distance = Number(a.execution.tradeId) - Number(b.execution.tradeId);
  if (distance !== 0) return distance;
  return a.execution.liquidity === b.execution.liquidity ? 0 : a.execution.liquidity === "maker" ? -1 : 1;
}
