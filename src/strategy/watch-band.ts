/** The prices between which nothing can happen: what makes thousands of bots and millions of candles cheap. */
import type { PriceTicks } from "../domain/amounts.ts";
import { awaitsInitialPurchase, isSellable, partialCancelPrice } from "./plan.ts";
import type { GridState, SlotState } from "./state.ts";
import { windowBand } from "./window.ts";

export interface WatchBand {
  readonly below: PriceTicks;
  readonly above: PriceTicks;
}

const LOWEST = 0;
const HIGHEST = Number.MAX_SAFE_INTEGER;

/**
 * Ticks strictly between `below` and `above` change nothing: they reach no resting order, move no level to the other
 * side of the price, and pull no trigger. Both ends are in ticks; O(slots).
 */
export function watchBand(state: GridState): WatchBand {
  const { rules, price, mode } = state;
  // A market order is decided at the price of now.
  if (state.initial.kind === "wanted" || state.closing.kind === "wanted")
    return { below: price, above: price };
  let below = LOWEST;
  let above = HIGHEST;
  if (rules.window) ({ below, above } = windowBand(rules.window, price));
  const isTrading = mode === "running" || mode === "paused";
  if (isTrading && rules.stopLoss !== undefined) below = Math.max(below, rules.stopLoss);
  if (isTrading && rules.takeProfit !== undefined) above = Math.min(above, rules.takeProfit);
  if (mode === "waiting" && rules.triggerPrice !== undefined) {
    if (rules.triggerPrice <= price) below = Math.max(below, rules.triggerPrice);
    else above = Math.min(above, rules.triggerPrice);
  }
  for (const slot of state.slots) {
    const { phase, terms } = slot;
    switch (phase.kind) {
      case "buying":
        below = Math.max(below, phase.order.terms.price);
        if (slot.inventory.length > 0 || phase.order.progress.executed > 0) {
          above = Math.min(above, nextTurn(state, slot));
          below = Math.max(below, lastTurn(state, slot));
        }
        break;
      case "selling":
        above = Math.min(above, phase.order.terms.price);
        if (phase.order.progress.executed > 0)
          below = Math.max(below, partialCancelPrice(state, slot) ?? LOWEST);
        break;
      case "holding":
        break;
      case "idle":
        if (awaitsInitialPurchase(state, slot)) break;
        if (slot.inventory.length > 0) {
          above = Math.min(above, nextTurn(state, slot));
          below = Math.max(below, lastTurn(state, slot));
        }
        // The levels of a window are in its own band.
        if (rules.window) break;
        if (terms.buyPrice < price) below = Math.max(below, terms.buyPrice);
        else above = Math.min(above, terms.buyPrice + 1);
        break;
    }
  }
  return { below: below as PriceTicks, above: above as PriceTicks };
}

/** True if a tick at `price` changes nothing. */
export function isInside(band: WatchBand, price: PriceTicks): boolean {
  return price > band.below && price < band.above;
}

/** From which price above now a slot that buys, or waits to, rather cancels or sells what it holds. */
function nextTurn(state: GridState, slot: SlotState): number {
  return turns(state, slot).reduce(
    (next, turn) => (turn > state.price ? Math.min(next, turn) : next),
    HIGHEST,
  );
}

/** Down to which price below now it no longer rather would. */
function lastTurn(state: GridState, slot: SlotState): number {
  return turns(state, slot).reduce(
    (last, turn) => (turn <= state.price ? Math.max(last, turn - 1) : last),
    LOWEST,
  );
}

/** The prices at and above which a slot that buys, or waits to, wants something else than below. */
function turns(state: GridState, slot: SlotState): readonly number[] {
  const exit = isSellable(state, slot) ? [slot.terms.sellPrice] : [];
  const cancel = partialCancelPrice(state, slot);
  return cancel === undefined ? exit : [...exit, cancel];
}
