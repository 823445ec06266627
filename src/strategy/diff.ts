/** Compares the order that a slot wants with the one it has, and says what to do about it. */
import type { AcknowledgedOrder, WorkingOrder } from "../domain/order.ts";
import type { WantedOrder } from "./plan.ts";

export type Difference =
  | { readonly kind: "none" }
  | { readonly kind: "place"; readonly wanted: WantedOrder }
  /** Only an acknowledged order can be cancelled; one in flight is asked about again once it is open. */
  | { readonly kind: "cancel"; readonly order: AcknowledgedOrder };

const NONE: Difference = { kind: "none" };

/** What turns `working` into `wanted`: one thing at a time, the opposite order only after the old one is terminal. */
export function diff(wanted: WantedOrder | undefined, working: WorkingOrder | undefined): Difference {
  if (working === undefined) return wanted === undefined ? NONE : { kind: "place", wanted };
  if (wanted !== undefined && isSame(wanted, working)) return NONE;
  return working.kind === "open" ? { kind: "cancel", order: working } : NONE;
}

function isSame(wanted: WantedOrder, { terms }: WorkingOrder): boolean {
  return wanted === terms || (wanted.side === terms.side && wanted.price === terms.price);
}
