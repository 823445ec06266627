/** Where an order belongs: in one slot, or to the whole bot. Each place has at most one working order. */
import { invariant } from "../domain/assert.ts";
import type { Side, SlotNumber } from "../domain/ids.ts";
import { CLOSE_SLOT, INITIAL_PURCHASE_SLOT } from "../domain/ids.ts";
import type { OrderRef, OrderStatus, TerminalStatus, WorkingOrder } from "../domain/order.ts";
import type { Draft } from "./draft.ts";
import { findSlot } from "./find-slot.ts";
import type { BotOrder, GridState, SideHistory, SlotState } from "./state.ts";
import { NO_BACK_OFF } from "./state.ts";

export type OrderPlace =
  | { readonly kind: "slot"; readonly index: number }
  | { readonly kind: "initial" }
  | { readonly kind: "closing" };

/** The place that a slot number points to; undefined where this bot has no such slot. */
export function placeOf(state: GridState, slot: SlotNumber): OrderPlace | undefined {
  if (slot === INITIAL_PURCHASE_SLOT) return { kind: "initial" };
  if (slot === CLOSE_SLOT) return { kind: "closing" };
  const index = findSlot(state.slots, slot);
  return index < 0 ? undefined : { kind: "slot", index };
}

export function slotOf(state: Pick<GridState, "slots">, index: number): SlotState {
  const slot = state.slots[index];
  invariant(slot !== undefined, `the grid has no slot at ${index}`);
  return slot;
}

/** The working order of a place. */
export function workingOrder(state: GridState, place: OrderPlace): WorkingOrder | undefined {
  if (place.kind !== "slot") {
    const order = state[place.kind];
    return order.kind === "working" ? order.order : undefined;
  }
  const { phase } = slotOf(state, place.index);
  return phase.kind === "buying" || phase.kind === "selling" ? phase.order : undefined;
}

/** Puts `order` to its place as the working one; its generation becomes the newest. */
export function setWorking(draft: Draft, place: OrderPlace, order: WorkingOrder): void {
  const { side, generation } = order.terms;
  if (generation > historyOf(draft, place, side).generation) {
    setHistory(draft, place, side, { generation, ended: "never" });
  }
  if (place.kind !== "slot") {
    draft[place.kind] = { kind: "working", order, backOff: backOffOf(draft[place.kind]) };
    return;
  }
  const slot = slotOf(draft, place.index);
  draft.setSlot(place.index, { ...slot, phase: { kind: side === "buy" ? "buying" : "selling", order } });
}

/** The state of the named order: of the working one, or how it ended as far as is remembered. */
export function statusOf(state: GridState, place: OrderPlace, order: OrderRef): OrderStatus {
  const working = workingOrder(state, place);
  if (working?.terms.id === order.id) return working.kind;
  const history = historyOf(state, place, order.side);
  // Older orders are remembered as closed: whatever they still execute is counted.
  return history.generation === order.generation && history.ended !== "never" ? history.ended : "canceled";
}

/** Never again uses a generation at or below that of `order`. */
export function liftGeneration(draft: Draft, place: OrderPlace, order: OrderRef): void {
  if (order.generation <= historyOf(draft, place, order.side).generation) return;
  setHistory(draft, place, order.side, { generation: order.generation, ended: "never" });
}

/** The newest generation of a place and side, and how it ended. */
export function historyOf(state: GridState, place: OrderPlace, side: Side): SideHistory {
  if (place.kind === "initial") return state.initialHistory;
  if (place.kind === "closing") return state.closingHistory;
  const slot = slotOf(state, place.index);
  return side === "buy" ? slot.buys : slot.sells;
}

export function setHistory(draft: Draft, place: OrderPlace, side: Side, history: SideHistory): void {
  if (place.kind === "initial") {
    draft.initialHistory = history;
  } else if (place.kind === "closing") {
    draft.closingHistory = history;
  } else {
    const slot = slotOf(draft, place.index);
    draft.setSlot(place.index, side === "buy" ? { ...slot, buys: history } : { ...slot, sells: history });
  }
}

/** Remembers how an order ended, unless a newer one of its place and side is known already. */
export function noteEnd(draft: Draft, place: OrderPlace, order: OrderRef, ended: TerminalStatus): void {
  const { side, generation } = order;
  if (generation >= historyOf(draft, place, side).generation)
    setHistory(draft, place, side, { generation, ended });
}

export function backOffOf(order: BotOrder): SlotState["backOff"] {
  return order.kind === "done" ? NO_BACK_OFF : order.backOff;
}
