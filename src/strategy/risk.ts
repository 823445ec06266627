/** The order budget: approves what the plan wants placed, exits first, then entries, the nearest to the price first. */
import type { AcknowledgedOrder } from "../domain/order.ts";
import type { WantedOrder } from "./plan.ts";
import type { GridState } from "./state.ts";
import { workingOrders } from "./working-orders.ts";

export interface Verdict {
  /** In the order of sending. */
  readonly approved: readonly WantedOrder[];
  /** Resting entries, the farthest first, that give way to exits. */
  readonly evicted: readonly AcknowledgedOrder[];
}

/**
 * No exit is refused for an entry: where the budget is full, the farthest resting entries are cancelled, and the exit is
 * placed once one of them is gone. Entries that find no room wait.
 */
export function assessRisk(state: GridState, wanted: readonly WantedOrder[]): Verdict {
  const { maxOrders } = state.rules;
  if (wanted.length === 1 && state.slots.length + 2 <= maxOrders) return { approved: wanted, evicted: [] };
  const working = workingOrders(state);
  const room = Math.max(0, maxOrders - working.length);
  const exits = wanted.filter(({ side }) => side === "sell").sort(byDistance(state));
  const entries = wanted.filter(({ side }) => side === "buy").sort(byDistance(state));
  const approved = [...exits, ...entries].slice(0, room);
  const missing = exits.length - room - working.filter(({ kind }) => kind === "canceling").length;
  if (missing <= 0) return { approved, evicted: [] };
  const evicted = working
    .filter((order): order is AcknowledgedOrder => order.kind === "open" && order.terms.side === "buy")
    .sort((a, b) => byDistance(state)(b.terms, a.terms))
    .slice(0, missing);
  return { approved, evicted };
}

type Placed = Pick<WantedOrder, "price" | "slot">;

function byDistance({ price }: GridState): (a: Placed, b: Placed) => number {
  return (a, b) => Math.abs(a.price - price) - Math.abs(b.price - price) || a.slot - b.slot;
}
