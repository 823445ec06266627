/** Reads the exchange's list of fills and finds those of this bot that are not stored yet. */
import type { Execution } from "../domain/fill.ts";
import type { Bot } from "../domain/grid.ts";
import type { OrderRef } from "../domain/order.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { Storage } from "../storage/storage.ts";
import type { GridState } from "../strategy/state.ts";
import { workingOrders } from "../strategy/working-orders.ts";

export interface NewFills {
  readonly fills: readonly { readonly order: OrderRef; readonly execution: Execution }[];
  /** To be stored once these fills are; undefined where the list must be read from the same place again. */
  readonly cursor: string | undefined;
}

/**
 * `known` maps exchange order ids to orders seen in this round; working and stored orders are known anyway. Fills of
 * orders that nobody knows belong to somebody else, or to an order whose answer is still to come: until it has, the
 * cursor stays before them.
 */
export async function readFills(
  ports: { readonly exchange: Exchange; readonly storage: Storage },
  bot: Bot,
  state: () => GridState,
  cursor: string | undefined,
  known: ReadonlyMap<string, OrderRef>,
): Promise<NewFills> {
  const page = await ports.exchange.fillsSince(bot.market.symbol, cursor);
  const unstored = await ports.storage.unstoredFills(bot, page.fills);
  const orders = new Map(known);
  // Whatever the page shows was sent before: the state of now knows it.
  let mayBeOurs = false;
  for (const order of workingOrders(state())) {
    if ("exchangeOrderId" in order) orders.set(order.exchangeOrderId, order.terms);
    else mayBeOurs = true;
  }
  let hasUnclaimed = false;
  const fills: { order: OrderRef; execution: Execution }[] = [];
  for (const execution of unstored) {
    const { exchangeOrderId } = execution;
    let order = orders.get(exchangeOrderId);
    if (!order) {
      order = await ports.storage.findOrderByExchangeId(bot, exchangeOrderId);
      if (order) orders.set(exchangeOrderId, order);
    }
    if (order) fills.push({ order, execution });
    else hasUnclaimed = true;
  }
  return { fills, cursor: mayBeOurs && hasUnclaimed ? undefined : page.cursor };
}
