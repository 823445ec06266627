/** What happened to the account's orders, as it stands in the journal, and how it is repeated from there. */
import { subtractLots } from "../../domain/amounts.ts";
import type { Portion, VenueEvent } from "../../venue/matching/commands.ts";
import type { OrderChange } from "./journal-format.ts";

/** How the orders that `events` from `start` on tell of look after them, in the order of their first change. */
export function changesIn(events: readonly VenueEvent[], start: number): readonly OrderChange[] {
  const changes = new Map<string, OrderChange>();
  for (const event of events.slice(start)) {
    if (event.kind === "fill") continue;
    const { exchangeOrderId, status, executed } = event.order;
    changes.set(exchangeOrderId, [exchangeOrderId, status, executed]);
  }
  return [...changes.values()];
}

/** Executes of each order what was written down. */
export function portionOf(changes: readonly OrderChange[]): Portion {
  const executed = new Map(changes.map(([exchangeOrderId, , lots]) => [exchangeOrderId, lots]));
  return (order) => subtractLots(executed.get(order.exchangeOrderId) ?? order.quantity, order.executed);
}
