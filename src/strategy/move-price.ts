/** A new price: pulls the triggers, each once, and has every slot looked at again. */
import type { PriceTicks } from "../domain/amounts.ts";
import type { Instant } from "../domain/ids.ts";
import { formatPrice } from "../domain/instrument.ts";
import type { Draft } from "./draft.ts";
import { NO_BACK_OFF } from "./state.ts";
import { workingOrders } from "./working-orders.ts";

/** `waiting` for a price at or above (below) the trigger; with the trigger's price they are the reason of the mode. */
const TRIGGER_ABOVE = "trigger_above";
const TRIGGER_BELOW = "trigger_below";

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
 * first price, be it of a list or of the stream, once for each price that the config names.
 */
function awaitTrigger(draft: Draft): void {
  const { price, mode, modeReason } = draft;
  const { triggerPrice } = draft.rules;
  const above = waitReason(draft, TRIGGER_ABOVE);
  const below = waitReason(draft, TRIGGER_BELOW);
  if (mode === "waiting" && modeReason !== above && modeReason !== below) {
    draft.setMode("running", "trigger_changed");
  } else if (mode !== "running" || modeReason !== "") return;
  if (triggerPrice === undefined || price === triggerPrice) return;
  if (draft.totals.fills > 0 || workingOrders(draft).length > 0) return;
  draft.setMode("waiting", price < triggerPrice ? above : below);
}

function waitReason({ bot, rules: { triggerPrice } }: Draft, side: string): string {
  return triggerPrice === undefined ? side : `${side} ${formatPrice(bot.instrument, triggerPrice)}`;
}

function pullTriggers(draft: Draft): void {
  const { stopLoss, takeProfit, triggerPrice } = draft.rules;
  const { price, mode } = draft;
  if (mode === "waiting" && triggerPrice !== undefined) {
    const isReached = draft.modeReason.startsWith(TRIGGER_ABOVE)
      ? price >= triggerPrice
      : price <= triggerPrice;
    if (isReached) draft.setMode("running", "triggered");
  }
  if (mode !== "running" && mode !== "paused") return;
  if (stopLoss !== undefined && price <= stopLoss) beginClosing(draft, "stop_loss");
  else if (takeProfit !== undefined && price >= takeProfit) beginClosing(draft, "take_profit");
}
