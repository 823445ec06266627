/** Which orders should rest, given the state: each slot wants at most one. */
import type { PriceTicks, QuantityLots } from "../domain/amounts.ts";
import { quantityLots } from "../domain/amounts.ts";
import { divideUp } from "../domain/decimal.ts";
import type { Instant, Side, SlotNumber } from "../domain/ids.ts";
import { CLOSE_SLOT, INITIAL_PURCHASE_SLOT } from "../domain/ids.ts";
import { isOrderable } from "../domain/instrument.ts";
import type { OrderType, WorkingOrder } from "../domain/order.ts";
import { shareOfWay } from "./rules.ts";
import type { BackOff, GridState, SlotState } from "./state.ts";
import { allHeldLots, heldLots, missingInitialLots, startsHolding } from "./state.ts";
import { entersWindow, exitsWindow, keepsEntry, keepsExit } from "./window.ts";

/** An order that should rest (or, of a market order, be sent). */
export interface WantedOrder {
  readonly slot: SlotNumber;
  readonly side: Side;
  readonly type: OrderType;
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
}

/** Every order that the grid wants at `now`: those of the whole bot first, then in the order of the slots. */
export function plan(state: GridState, now: Instant): readonly WantedOrder[] {
  const slots = state.slots.map((slot) => planSlot(state, slot, now));
  return [planClosing(state, now), planInitial(state, now), ...slots].filter((order) => order !== undefined);
}

/**
 * The order that a slot wants. A working order is wanted as it is until it leaves the window, has executed enough
 * and the price is far, or the bot ends. Without one: a sell of what it holds, else a buy where the lattice says so.
 */
export function planSlot(state: GridState, slot: SlotState, now: Instant): WantedOrder | undefined {
  if (cancelsAll(state)) return undefined;
  switch (slot.phase.kind) {
    case "buying":
      return keepsBuy(state, slot, slot.phase.order) ? slot.phase.order.terms : undefined;
    case "selling":
      return keepsSell(state, slot, slot.phase.order) ? slot.phase.order.terms : undefined;
    case "holding":
      return planExit(state, slot, now);
    case "idle":
      return mustExitFirst(state, slot) ? planExit(state, slot, now) : planEntry(state, slot, now);
  }
}

/** The market order for what the upper slots start with. */
export function planInitial(state: GridState, now: Instant): WantedOrder | undefined {
  const { initial } = state;
  if (initial.kind === "working") return cancelsAll(state) ? undefined : initial.order.terms;
  if (initial.kind === "done" || !mayEnter(state, now) || initial.backOff.until > now) return undefined;
  const quantity = missingInitialLots(state);
  if (!isOrderable(state.bot.instrument, state.price, quantity)) return undefined;
  return { slot: INITIAL_PURCHASE_SLOT, side: "buy", type: "market", price: state.price, quantity };
}

/** The market order for all that a closing bot holds, once nothing else is working. */
export function planClosing(state: GridState, now: Instant): WantedOrder | undefined {
  const { closing } = state;
  if (closing.kind === "working") return state.mode === "killed" ? undefined : closing.order.terms;
  if (closing.kind === "done" || !state.ready || closing.backOff.until > now) return undefined;
  if (state.mode !== "closing" || hasWorkingOrder(state)) return undefined;
  const quantity = allHeldLots(state);
  if (!isOrderable(state.bot.instrument, state.price, quantity)) return undefined;
  return { slot: CLOSE_SLOT, side: "sell", type: "market", price: state.price, quantity };
}

/** True where a slot or the initial purchase has an order that may still execute. */
export function hasWorkingOrder(state: GridState): boolean {
  return (
    state.initial.kind === "working" ||
    state.slots.some(({ phase }) => phase.kind === "buying" || phase.kind === "selling")
  );
}

/** True while the slot's lots are still being bought by the initial purchase. */
export function awaitsInitialPurchase(state: GridState, slot: SlotState): boolean {
  return state.initial.kind !== "done" && startsHolding(state.bot, slot.terms);
}

/** True where what the slot holds is worth an order. */
export function isSellable(state: Pick<GridState, "bot">, slot: SlotState): boolean {
  if (slot.inventory.length === 0) return false;
  return isOrderable(state.bot.instrument, slot.terms.sellPrice, heldLots(slot.inventory));
}

/** A slot that still holds lots and waits to buy back what it sold sells first where the price is there. */
export function mustExitFirst(state: GridState, slot: SlotState): boolean {
  return (
    state.price >= slot.terms.sellPrice && isSellable(state, slot) && !awaitsInitialPurchase(state, slot)
  );
}

/** How far the price must be from a partly filled order for its rest to be cancelled; undefined where it stays. */
export function partialCancelPrice(state: GridState, slot: SlotState): PriceTicks | undefined {
  const { phase, terms } = slot;
  if (phase.kind !== "buying" && phase.kind !== "selling") return undefined;
  const { executed, baseFee } = phase.order.progress;
  if (executed === 0) return undefined;
  const { partialFillCancelRatio } = state.rules;
  const { buyPrice, sellPrice } = terms;
  const isBuy = phase.kind === "buying";
  const { instrument } = state.bot;
  // What was taken as fee in base cannot be sold.
  const lots =
    baseFee === 0n ? executed : quantityLots(executed - Number(divideUp(baseFee, instrument.lotSize)));
  if (!isOrderable(instrument, isBuy ? sellPrice : buyPrice, lots)) return undefined;
  return isBuy
    ? shareOfWay(buyPrice, sellPrice, partialFillCancelRatio)
    : shareOfWay(sellPrice, buyPrice, partialFillCancelRatio);
}

function planExit(state: GridState, slot: SlotState, now: Instant): WantedOrder | undefined {
  if (!mayExit(state) || slot.backOff.until > now) return undefined;
  const { window } = state.rules;
  if (window && !exitsWindow(window, slot.terms, state.price)) return undefined;
  const quantity = heldLots(slot.inventory);
  if (!isOrderable(state.bot.instrument, slot.terms.sellPrice, quantity)) return undefined;
  const type = limitType(state, slot.backOff);
  return { slot: slot.terms.slot, side: "sell", type, price: slot.terms.sellPrice, quantity };
}

function planEntry(state: GridState, slot: SlotState, now: Instant): WantedOrder | undefined {
  if (!mayEnter(state, now) || slot.backOff.until > now || awaitsInitialPurchase(state, slot))
    return undefined;
  const { terms } = slot;
  const { window } = state.rules;
  const isReached = window ? entersWindow(window, terms, state.price) : state.price > terms.buyPrice;
  if (!isReached) return undefined;
  const quantity = lotsToBuy(state, slot);
  if (!isOrderable(state.bot.instrument, terms.buyPrice, quantity)) return undefined;
  return {
    slot: terms.slot,
    side: "buy",
    type: limitType(state, slot.backOff),
    price: terms.buyPrice,
    quantity,
  };
}

function keepsBuy(state: GridState, slot: SlotState, order: WorkingOrder): boolean {
  if (order.kind === "canceling") return false;
  const { window } = state.rules;
  if (window && !keepsEntry(window, slot.terms, state.price)) return false;
  if (mustExitFirst(state, slot)) return false;
  const far = order.progress.executed === 0 ? undefined : partialCancelPrice(state, slot);
  return far === undefined || state.price < far;
}

function keepsSell(state: GridState, slot: SlotState, order: WorkingOrder): boolean {
  if (order.kind === "canceling") return false;
  const { window } = state.rules;
  if (window && !keepsExit(window, slot.terms, state.price)) return false;
  const far = order.progress.executed === 0 ? undefined : partialCancelPrice(state, slot);
  return far === undefined || state.price > far;
}

/** The slot's quantity less what it carries; all of it where the rest would be too small for an order. */
function lotsToBuy(state: GridState, slot: SlotState): QuantityLots {
  const { terms, inventory } = slot;
  if (inventory.length === 0) return terms.quantity;
  const rest = quantityLots(terms.quantity - heldLots(inventory));
  return isOrderable(state.bot.instrument, terms.buyPrice, rest) ? rest : terms.quantity;
}

function limitType(state: GridState, { crossings }: BackOff): OrderType {
  const { orderType, postOnlyFallbackAfter } = state.rules;
  const fallsBack = postOnlyFallbackAfter > 0 && crossings >= postOnlyFallbackAfter;
  return fallsBack ? "limit" : orderType;
}

function cancelsAll(state: GridState): boolean {
  const { mode, stopping } = state;
  return stopping === "cancel" || mode === "killed" || mode === "closing" || mode === "closed";
}

function mayExit(state: GridState): boolean {
  return state.ready && state.stopping === "no" && (state.mode === "running" || state.mode === "paused");
}

function mayEnter(state: GridState, now: Instant): boolean {
  return state.ready && state.stopping === "no" && state.mode === "running" && state.fundsLockedUntil <= now;
}
