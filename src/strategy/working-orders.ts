/** The orders of a grid that may still execute. */
import type { WorkingOrder } from "../domain/order.ts";
import type { GridState } from "./state.ts";

/** Those of the whole bot first, then the slots' in their order. */
export function workingOrders(
  state: Pick<GridState, "initial" | "closing" | "slots">,
): readonly WorkingOrder[] {
  const orders: WorkingOrder[] = [];
  if (state.initial.kind === "working") orders.push(state.initial.order);
  if (state.closing.kind === "working") orders.push(state.closing.order);
  for (const { phase } of state.slots) {
    if (phase.kind === "buying" || phase.kind === "selling") orders.push(phase.order);
  }
  return orders;
}
