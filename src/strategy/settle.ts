/** The end of every step: compares what the touched slots want with what they have, and asks for the difference. */
import { generation } from "../domain/ids.ts";
import { isOrderable } from "../domain/instrument.ts";
import type { AcknowledgedOrder, OrderTerms } from "../domain/order.ts";
import { invariant } from "../domain/assert.ts";
import { NO_PROGRESS } from "./accounting.ts";
import { finishInitial } from "./book.ts";
import { encodeClientOrderId } from "./client-order-id.ts";
import { diff } from "./diff.ts";
import type { Draft } from "./draft.ts";
import type { OrderPlace } from "./order-place.ts";
import { historyOf, placeOf, setWorking, slotOf, workingOrder } from "./order-place.ts";
import type { WantedOrder } from "./plan.ts";
import { planClosing, planInitial, planSlot } from "./plan.ts";
import { assessRisk } from "./risk.ts";
import { missingInitialLots } from "./state.ts";
import { openWindowSlots } from "./window.ts";

/** Adds the commands that bring the resting orders to the plan. */
export function settle(draft: Draft): void {
  if (!draft.allTouched && draft.touched.length === 0) return;
  if (draft.allTouched) {
    giveUpSmallPurchase(draft);
    if (draft.ready && draft.mode === "running") openWindowSlots(draft);
  }
  const wanted: WantedOrder[] = [];
  const compare = (place: OrderPlace, plan: WantedOrder | undefined): void => {
    const difference = diff(plan, workingOrder(draft, place));
    if (difference.kind === "place") wanted.push(difference.wanted);
    if (difference.kind === "cancel") cancelOrder(draft, place, difference.order);
  };
  if (draft.allTouched) {
    draft.slots.forEach((slot, index) => compare({ kind: "slot", index }, planSlot(draft, slot, draft.at)));
    compare({ kind: "initial" }, planInitial(draft, draft.at));
    compare({ kind: "closing" }, planClosing(draft, draft.at));
  } else {
    for (const slot of draft.touched) {
      const index = draft.indexOf(slot);
      compare({ kind: "slot", index }, planSlot(draft, slotOf(draft, index), draft.at));
    }
  }
  if (wanted.length === 0 || draft.held) return;
  const { approved, evicted } = assessRisk(draft, wanted);
  for (const order of evicted) {
    const place = placeOf(draft, order.terms.slot);
    if (place) cancelOrder(draft, place, order);
  }
  for (const order of approved) placeOrder(draft, order);
}

/** What the initial purchase still lacks is too small for an order: its slots go on with what they have. */
function giveUpSmallPurchase(draft: Draft): void {
  if (!draft.ready || draft.initial.kind !== "wanted") return;
  const missing = missingInitialLots(draft);
  if (isOrderable(draft.bot.instrument, draft.price, missing)) return;
  if (missing > 0) draft.event("initial_purchase_too_small", { lots: missing });
  finishInitial(draft);
}

function placeOrder(draft: Draft, wanted: WantedOrder): void {
  const { slot, side, type, price, quantity } = wanted;
  const place = placeOf(draft, slot);
  invariant(place !== undefined, `slot ${slot} is not one of this bot's`);
  const next = generation(historyOf(draft, place, side).generation + 1);
  const terms: OrderTerms = {
    id: encodeClientOrderId(draft.bot.code, slot, side, next),
    slot,
    side,
    generation: next,
    type,
    price,
    quantity,
    createdAt: draft.at,
  };
  setWorking(draft, place, { kind: "pending", terms, progress: NO_PROGRESS });
  draft.commands.push({ kind: "placeOrder", terms });
}

function cancelOrder(draft: Draft, place: OrderPlace, order: AcknowledgedOrder): void {
  const { terms, progress, exchangeOrderId } = order;
  setWorking(draft, place, { kind: "canceling", terms, progress, exchangeOrderId });
  const { at } = draft;
  draft.records.push({ kind: "order", id: terms.id, status: "canceling", exchangeOrderId, progress, at });
  draft.commands.push({ kind: "cancelOrder", order: terms, exchangeOrderId });
}
