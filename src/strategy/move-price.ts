/** A new price: pulls the triggers, each once, and has every slot looked at again. */
import type { PriceTicks } from "../domain/amounts.ts";
import type { Instant } from "../domain/ids.ts";
import type { Draft } from "./draft.ts";
import { NO_BACK_OFF } from "./state.ts";
import { workingOrders } from "./working-orders.ts";

/** `waiting` for a price at or above (below) the trigger; kept as the reason of the mode. */
export const TRIGGER_ABOVE = "trigger_above";
export const TRIGGER_BELOW = "trigger_below";

export function movePrice(draft: Draft, price: PriceTicks, at: Instant): void {
  if (at < draft.priceAt) return;
  if (price !== draft.price && somebodyWaits(draft)) draft.touchAll();
  draft.price = price;
  draft.priceAt = at;
  if (!draft.ready) awaitTrigger(draft);
  pullTriggers(draft);
}

/**
 * True where the price alone may change what a slot wants that this step has not touched: it has no order, its order
 * is half filled, or it holds lots while it buys. A whole resting order waits for nothing but its fill.
 */
function somebodyWaits({ slots, rules, touched }: Draft): boolean {
  if (rules.window) return true;
  for (const { phase, inventory, terms } of slots) {
    const isAtRest =
      (phase.kind === "selling" || (phase.kind === "buying" && inventory.length === 0)) &&
      phase.order.progress.executed === 0;
    if (!isAtRest && !touched.includes(terms.slot)) return true;
  }
  return false;
}

/** Cancels everything, then sells all that is held; ends `closed`. */
export function beginClosing(draft: Draft, reason: string): void {
  if (draft.mode === "closing" || draft.mode === "closed" || draft.mode === "killed") return;
  draft.setMode("closing", reason);
  draft.closing = { kind: "wanted", backOff: NO_BACK_OFF };
}

/**
 * A bot that has never traded waits for its trigger, and no stop is pulled meanwhile; from which side is decided by the
 * first price, once, be it of a list or of the stream.
 */
function awaitTrigger(draft: Draft): void {
  const { price } = draft;
  const { triggerPrice } = draft.rules;
  if (triggerPrice === undefined || draft.mode !== "running" || draft.modeReason !== "") return;
  if (price === triggerPrice || draft.totals.fills > 0 || workingOrders(draft).length > 0) return;
  draft.setMode("waiting", price < triggerPrice ? TRIGGER_ABOVE : TRIGGER_BELOW);
}

function pullTriggers(draft: Draft): void {
  const { stopLoss, takeProfit, triggerPrice } = draft.rules;
  const { price, mode } = draft;
  if (mode === "waiting" && triggerPrice !== undefined) {
    const isReached = draft.modeReason === TRIGGER_ABOVE ? price >= triggerPrice : price <= triggerPrice;
    if (isReached) draft.setMode("running", "triggered");
  }
  if (mode !== "running" && mode !== "paused") return;
  if (stopLoss !== undefined && price <= stopLoss) beginClosing(draft, "stop_loss");
  else if (takeProfit !== undefined && price >= takeProfit) beginClosing(draft, "take_profit");
}
