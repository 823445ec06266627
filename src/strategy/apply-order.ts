/** What the exchange's answers about an order do to its place, by the table of order states. */
import type { Instant } from "../domain/ids.ts";
import { isOrderable } from "../domain/instrument.ts";
import type { OrderRef, OrderSignal, TerminalStatus, WorkingOrder } from "../domain/order.ts";
import { ORDER_TRANSITIONS, isTerminal } from "../domain/order.ts";
import { bookBuy, bookClose, bookSell, finishInitial, restOf } from "./book.ts";
import type { Draft } from "./draft.ts";
import { halt } from "./halt.ts";
import type { OrderPlace } from "./order-place.ts";
import { backOffOf, noteEnd, placeOf, setWorking, slotOf, statusOf, workingOrder } from "./order-place.ts";
import { hasWorkingOrder } from "./plan.ts";
import type { BackOff } from "./state.ts";
import { HOLDING, NO_BACK_OFF, allHeldLots, missingInitialLots } from "./state.ts";
import { workingOrders } from "./working-orders.ts";

/** Why an order was not sent: the money of the account is set aside for others. */
export const WAITING_FOR_BALANCE = "waiting_for_balance";

const FIRST_BACK_OFF_MS = 1_000;
const LONGEST_BACK_OFF_MS = 60_000;

export function applyAccepted(draft: Draft, ref: OrderRef, exchangeOrderId: string): void {
  const found = follow(draft, ref, "accepted");
  if (!found || "exchangeOrderId" in found.order) return;
  setOpen(draft, found.place, found.order, exchangeOrderId);
  setBackOff(draft, found.place, NO_BACK_OFF);
  touch(draft, found.place);
}

export function applyRejected(draft: Draft, ref: OrderRef, reason: string): void {
  const found = follow(draft, ref, "rejected");
  if (!found) return;
  draft.event("order_rejected", { id: ref.id, slot: ref.slot, side: ref.side, reason });
  if (reason === "insufficient_funds" && ref.side === "buy") lockFunds(draft, "margin_insufficient");
  recordOrder(draft, found.order, "rejected");
  end(draft, found.place, found.order, "rejected", draft.at, reason);
}

/** The order never left: its place is free again, after a pause. Of money that is short it is told once for all orders. */
export function applyNotSent(draft: Draft, ref: OrderRef, reason: string): void {
  const found = follow(draft, ref, "rejected");
  if (!found) return;
  if (reason !== WAITING_FOR_BALANCE) {
    draft.event("order_not_sent", { id: ref.id, slot: ref.slot, side: ref.side, reason });
  } else if (draft.fundsLockedUntil <= draft.at) {
    lockFunds(draft, WAITING_FOR_BALANCE);
  }
  end(draft, found.place, found.order, "rejected", draft.at, reason);
}

export function applyUnknown(draft: Draft, ref: OrderRef): void {
  const found = follow(draft, ref, "outcomeUnknown");
  if (!found || "exchangeOrderId" in found.order) return;
  const { terms, progress } = found.order;
  const unknown: WorkingOrder = { kind: "unknown", terms, progress };
  setWorking(draft, found.place, unknown);
  recordOrder(draft, unknown);
  draft.commands.push({ kind: "queryOrder", order: terms });
}

export function applyNotFound(draft: Draft, ref: OrderRef): void {
  const found = follow(draft, ref, "provenAbsent");
  if (!found) return;
  draft.event("order_absent", { id: ref.id, slot: ref.slot, side: ref.side });
  close(draft, found.place, found.order, "absent");
}

/** Closed by the exchange with `executed` lots in all: terminal only when as many are stored. */
export function applyClosed(draft: Draft, ref: OrderRef, exchangeOrderId: string, executed: number): void {
  const found = follow(draft, ref, "closed");
  if (!found) return;
  const { order, place } = found;
  if (executed > order.progress.executed) {
    if (!("exchangeOrderId" in order)) setOpen(draft, place, order, exchangeOrderId);
    draft.commands.push({ kind: "queryOrder", order: order.terms });
    return;
  }
  if (executed < order.progress.executed) {
    return halt(
      draft,
      ref,
      `the exchange reports ${executed} lots executed, the fills say ${order.progress.executed}`,
    );
  }
  const closed = "exchangeOrderId" in order ? order : acknowledged(order, exchangeOrderId);
  close(draft, place, closed, "canceled");
}

/**
 * Ends a working order: what it executed goes to the inventory or becomes trades, and its place may want another.
 * `at` dates the trades.
 */
export function close(
  draft: Draft,
  place: OrderPlace,
  order: WorkingOrder,
  ended: TerminalStatus,
  at: Instant = draft.at,
): void {
  recordOrder(draft, order, ended);
  end(draft, place, order, ended, at);
}

export function recordOrder(draft: Draft, order: WorkingOrder, ended?: TerminalStatus): void {
  draft.records.push({
    kind: "order",
    id: order.terms.id,
    status: ended ?? order.kind,
    exchangeOrderId: "exchangeOrderId" in order ? order.exchangeOrderId : undefined,
    progress: order.progress,
    at: draft.at,
  });
}

function end(
  draft: Draft,
  place: OrderPlace,
  order: WorkingOrder,
  ended: TerminalStatus,
  at: Instant,
  reason = "",
): void {
  const { terms, progress } = order;
  noteEnd(draft, place, terms, ended);
  if (place.kind === "slot") {
    const slot = slotOf(draft, place.index);
    const backOff = isRefusal(order, ended) ? longerBackOff(slot.backOff, draft.at, reason) : NO_BACK_OFF;
    // A late fill may have brought meanwhile what the order was to buy.
    const phase = terms.side === "buy" ? restOf(draft, slot) : HOLDING;
    draft.setSlot(place.index, { ...slot, phase, backOff });
    if (progress.executed > 0) {
      if (terms.side === "buy") bookBuy(draft, place.index, progress);
      else bookSell(draft, place.index, terms, progress, 0, at);
    }
    draft.touch(terms.slot);
    if (frees(draft)) draft.touchAll();
    if (draft.mode === "closing") finishClosing(draft);
    return;
  }
  const before = backOffOf(draft[place.kind]);
  const backOff = isRefusal(order, ended) ? longerBackOff(before, draft.at, reason) : NO_BACK_OFF;
  draft[place.kind] = { kind: "wanted", backOff };
  if (place.kind === "initial") {
    const isAllThere = !isOrderable(draft.bot.instrument, draft.price, missingInitialLots(draft));
    if (ended === "filled" || isAllThere) finishInitial(draft);
  } else if (progress.executed > 0) {
    bookClose(draft, terms, progress, 0, at);
  }
  if (draft.mode === "closing") finishClosing(draft);
  draft.touchAll();
}

/** The budget was full: the room goes to whoever wants it most, not to the slot that left it. */
function frees({ rules, slots, initial, closing }: Draft): boolean {
  if (slots.length + 2 <= rules.maxOrders) return false;
  return workingOrders({ slots, initial, closing }).length + 1 >= rules.maxOrders;
}

/** Refused, or closed by the exchange with nothing executed: trying again at once would be a loop. */
function isRefusal({ kind, progress }: WorkingOrder, ended: TerminalStatus): boolean {
  return ended === "rejected" || (ended === "canceled" && kind !== "canceling" && progress.executed === 0);
}

/** Nothing works and what is left is too small to sell: the bot has ended. */
export function finishClosing(draft: Draft): void {
  draft.touchAll();
  if (hasWorkingOrder(draft) || draft.closing.kind === "working") return;
  if (isOrderable(draft.bot.instrument, draft.price, allHeldLots(draft))) return;
  draft.closing = { kind: "done" };
  draft.setMode("closed", draft.modeReason);
}

/** The working order that a signal concerns; undefined where it is not working (any more) or the table says halt. */
function follow(
  draft: Draft,
  ref: OrderRef,
  signal: OrderSignal,
): { readonly place: OrderPlace; readonly order: WorkingOrder } | undefined {
  const place = placeOf(draft, ref.slot);
  if (!place) {
    halt(draft, ref, `slot ${ref.slot} is not one of this bot's`);
    return undefined;
  }
  const status = statusOf(draft, place, ref);
  if (ORDER_TRANSITIONS[status][signal] === "halt") {
    halt(draft, ref, `${signal} while ${status}`);
    return undefined;
  }
  const order = workingOrder(draft, place);
  return order?.terms.id === ref.id && !isTerminal(status) ? { place, order } : undefined;
}

/** The exchange's id is kept although the order has ended: late fills name nothing else. */
function acknowledged({ terms, progress }: WorkingOrder, exchangeOrderId: string): WorkingOrder {
  return { kind: "open", terms, progress, exchangeOrderId };
}

function setOpen(draft: Draft, place: OrderPlace, order: WorkingOrder, exchangeOrderId: string): void {
  const open = acknowledged(order, exchangeOrderId);
  setWorking(draft, place, open);
  recordOrder(draft, open);
}

/** The account cannot pay: nothing is bought for a while, exits go on. */
function lockFunds(draft: Draft, event: string): void {
  const until = draft.at + draft.rules.marginLockMs;
  if (until <= draft.fundsLockedUntil) return;
  draft.fundsLockedUntil = until as Instant;
  draft.event(event, { lockedMs: draft.rules.marginLockMs });
}

function setBackOff(draft: Draft, place: OrderPlace, backOff: BackOff): void {
  if (place.kind === "slot") {
    const slot = slotOf(draft, place.index);
    if (slot.backOff !== backOff) draft.setSlot(place.index, { ...slot, backOff });
    return;
  }
  const order = draft[place.kind];
  if (order.kind !== "done") draft[place.kind] = { ...order, backOff };
}

function touch(draft: Draft, place: OrderPlace): void {
  if (place.kind === "slot") draft.touch(slotOf(draft, place.index).terms.slot);
  else draft.touchAll();
}

function longerBackOff({ refusals, crossings }: BackOff, at: Instant, reason: string): BackOff {
  // Nobody refused it: the bot as a whole waits for money.
  if (reason === WAITING_FOR_BALANCE) {
    return { refusals, crossings, until: (at + FIRST_BACK_OFF_MS) as Instant };
  }
  // A post-only order that would cross is tried again soon: the price will have moved on.
  const isCrossing = reason === "would_cross";
  const doublings = isCrossing ? 0 : refusals;
  const delay = Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** doublings);
  return {
    refusals: refusals + 1,
    crossings: isCrossing ? crossings + 1 : 0,
    until: (at + delay) as Instant,
  };
}
