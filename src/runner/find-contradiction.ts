/** Compares what the exchange shows of orders that do not work any more with what the books say of them. */
import type { OrderRef, OrderSignal } from "../domain/order.ts";
import { ORDER_TRANSITIONS } from "../domain/order.ts";
import { workingOrders } from "../strategy/working-orders.ts";
import type { BotContext } from "./bot-context.ts";

/**
 * Why the bot must halt: one of `orders`, which the exchange has (`accepted`) or which have executed (`partFill`),
 * is in the books as refused or proven absent. The core remembers the end of each slot's newest orders only.
 */
export async function findContradiction(
  context: BotContext,
  orders: readonly OrderRef[],
  signal: Extract<OrderSignal, "accepted" | "partFill">,
): Promise<string | undefined> {
  const working = new Set(workingOrders(context.state()).map(({ terms }) => terms.id));
  for (const { id } of orders) {
    if (working.has(id)) continue;
    const status = await context.books.orderStatus(id);
    // A restored backup: nothing contradicts it, it is counted, and somebody should know.
    if (status === undefined && signal === "partFill" && !context.books.isAway)
      context.ports.log.warn({ symbol: context.bot.market.symbol, id }, "fill.order_forgotten");
    if (status && ORDER_TRANSITIONS[status][signal] === "halt")
      return `order ${id}: ${signal} while ${status}`;
  }
  return undefined;
}
