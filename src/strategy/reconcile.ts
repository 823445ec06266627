/** Brings the ledger and the exchange's lists together: adopt, cancel, count, close or look up. */
import type { Money } from "../domain/amounts.ts";
import { formatMoney, money } from "../domain/amounts.ts";
import type { ExchangeOrder } from "../domain/exchange-order.ts";
import type { Instant } from "../domain/ids.ts";
import type { OrderRef, OrderTerms, WorkingOrder } from "../domain/order.ts";
import type { AdoptedOrderRecord } from "../domain/records.ts";
import { NO_PROGRESS } from "./accounting.ts";
import { applyAccepted, applyClosed, finishClosing } from "./apply-order.ts";
import { applyFill } from "./apply-fill.ts";
import type { Draft } from "./draft.ts";
import type { SnapshotEvent } from "./events.ts";
import type { OrderPlace } from "./order-place.ts";
import {
  historyOf,
  liftGeneration,
  noteEnd,
  placeOf,
  setWorking,
  slotOf,
  workingOrder,
} from "./order-place.ts";
import { refOf } from "./order-ref.ts";
import { movePrice } from "./move-price.ts";
import type { GridState, SideHistory } from "./state.ts";
import { heldLots } from "./state.ts";
import { openForgottenSlot } from "./window.ts";
import { workingOrders } from "./working-orders.ts";

/** A balance is read a little before or after the fills: one shortfall means nothing. */
const SHORT_SNAPSHOTS_TO_HALT = 3;
const ORPHAN_PAUSE_MS = 5_000;

/**
 * | ledger | exchange shows | what is done |
 * |---|---|---|
 * | working | open | accepted |
 * | working | closed, its fills stored | closed |
 * | working | closed, fills missing | looked up again |
 * | working, not pending here | nothing | looked up |
 * | being cancelled | open | the cancel is asked for again |
 * | an older generation | closed, ours | its id is stored, never to be used again |
 * | no working order there | open, ours, newer, fits the slot | adopted |
 * | ended while the lists were read | open, ours | nothing; the next lists tell |
 * | anything else | open, ours | cancelled; its slot pauses, its id is stored |
 * | – | fills not stored | counted |
 * | position | the account owns less, three times in a row | halted |
 * | – | orders of other bots and people | left alone |
 */
export function reconcile(draft: Draft, snapshot: SnapshotEvent): void {
  // Before the fills: some may be older than this price, and old prices pull no triggers.
  movePrice(draft, snapshot.price, snapshot.at);
  const shown = new Map<string, ExchangeOrder>();
  const strangers = new Map<string, { readonly ref: OrderRef; readonly order: ExchangeOrder }>();
  for (const order of snapshot.orders) {
    const ref = refOf(draft.bot, order.id);
    if (!ref) continue;
    shown.set(ref.id, order);
    openForgottenSlot(draft, ref.slot);
    if (order.status !== "open") rememberForgotten(draft, ref, order);
    if (order.status === "open" && !meetWorking(draft, ref, order)) strangers.set(ref.id, { ref, order });
  }
  // What working orders executed comes first: it may empty the very place of an order that is to be adopted.
  for (const { order, execution } of snapshot.fills) {
    if (!strangers.has(order.id)) applyFill(draft, order, execution);
  }
  for (const { ref, order } of strangers.values()) meetStranger(draft, ref, order, snapshot.before);
  for (const { order, execution } of snapshot.fills) {
    if (strangers.has(order.id)) applyFill(draft, order, execution);
  }
  for (const ref of snapshot.seen) {
    const place = placeOf(draft, ref.slot);
    if (place) liftGeneration(draft, place, ref);
  }
  meetMissing(draft, { kind: "initial" }, shown);
  meetMissing(draft, { kind: "closing" }, shown);
  draft.slots.forEach((_slot, index) => meetMissing(draft, { kind: "slot", index }, shown));
  compareBalance(draft, snapshot.baseOwned);
  draft.ready = true;
  draft.touchAll();
  if (draft.mode === "closing") finishClosing(draft);
}

/** The exchange owns less than the books say, seen several times in a row: somebody else sells what is ours. */
function compareBalance(draft: Draft, owned: Money | undefined): void {
  // What an order of unknown fate has sold is not in the books yet.
  if (owned === undefined || workingOrders(draft).some(({ kind }) => kind !== "open")) return;
  const { lotSize } = draft.bot.instrument;
  const books = BigInt(draft.totals.position) * lotSize - draft.totals.baseFees;
  if (owned >= books) {
    draft.shortSnapshots = 0;
    return;
  }
  draft.shortSnapshots += 1;
  if (draft.shortSnapshots < SHORT_SNAPSHOTS_TO_HALT) return;
  const detail = { owned: formatMoney(owned), books: formatMoney(money(books)) };
  draft.event("balance_short", detail);
  if (draft.mode === "running" || draft.mode === "paused") {
    draft.setMode(
      "halted",
      `the account owns ${detail.owned} ${draft.bot.instrument.base}, the books say ${detail.books}`,
    );
  }
}

/** True if the open order is one that works here. A cancel that may have been lost is asked for again. */
function meetWorking(draft: Draft, ref: OrderRef, { exchangeOrderId }: ExchangeOrder): boolean {
  const place = placeOf(draft, ref.slot);
  const working = place && workingOrder(draft, place);
  if (working?.terms.id !== ref.id) return false;
  applyAccepted(draft, ref, exchangeOrderId);
  if (working.kind === "canceling") draft.commands.push({ kind: "cancelOrder", order: ref, exchangeOrderId });
  return true;
}

/** An open order of ours that does not work here: adopted where its place would want it, else cancelled. */
function meetStranger(draft: Draft, ref: OrderRef, order: ExchangeOrder, before: GridState): void {
  const place = placeOf(draft, ref.slot);
  const { exchangeOrderId } = order;
  const history = place && historyOf(draft, place, ref.side);
  const isNewer = history !== undefined && ref.generation > history.generation;
  if (place && isNewer && !workingOrder(draft, place) && canAdopt(draft, place, order)) {
    const record = forgottenOrder(ref, order, "open");
    setWorking(draft, place, { kind: "open", terms: record.terms, progress: NO_PROGRESS, exchangeOrderId });
    draft.records.push(record);
    draft.event("order_adopted", { id: ref.id, slot: ref.slot, side: ref.side });
    return;
  }
  // Halts where an order that was refused, or proven absent, rests after all.
  applyAccepted(draft, ref, exchangeOrderId);
  if (place && hasEndedSince(draft, place, ref, before)) return;
  if (place && isNewer) {
    draft.records.push(forgottenOrder(ref, order, "canceled"));
    liftGeneration(draft, place, ref);
  }
  draft.commands.push({ kind: "cancelOrder", order: ref, exchangeOrderId });
  draft.event("order_orphaned", { id: ref.id, slot: ref.slot, side: ref.side });
  if (place?.kind === "slot") pauseSlot(draft, place.index);
}

/** True where the list may be older than the end of the order; if it rests after all, the next list says so. */
function hasEndedSince(draft: Draft, place: OrderPlace, ref: OrderRef, before: GridState): boolean {
  if (!hasEnded(historyOf(draft, place, ref.side), ref)) return false;
  const placeThen = placeOf(before, ref.slot);
  return !placeThen || !hasEnded(historyOf(before, placeThen, ref.side), ref);
}

function hasEnded({ generation, ended }: SideHistory, ref: OrderRef): boolean {
  return ref.generation < generation || (ref.generation === generation && ended !== "never");
}

/** A restored backup does not know an order that has ended since: its fills need it, and its id is used for ever. */
function rememberForgotten(draft: Draft, ref: OrderRef, order: ExchangeOrder): void {
  const place = placeOf(draft, ref.slot);
  if (!place || ref.generation <= historyOf(draft, place, ref.side).generation) return;
  const status = order.status === "filled" || order.status === "rejected" ? order.status : "canceled";
  draft.records.push(forgottenOrder(ref, order, status));
  draft.event("order_remembered", { id: ref.id, slot: ref.slot, side: ref.side });
  noteEnd(draft, place, ref, status);
}

/** The record of an order that the database does not know. */
function forgottenOrder(
  ref: OrderRef,
  { type, price, quantity, createdAt, exchangeOrderId }: ExchangeOrder,
  status: AdoptedOrderRecord["status"],
): AdoptedOrderRecord {
  const terms: OrderTerms = { ...ref, type, price, quantity, createdAt };
  return { kind: "adoptedOrder", terms, status, exchangeOrderId };
}

/** Nothing new is placed where an orphan still rests. */
function pauseSlot(draft: Draft, index: number): void {
  const slot = slotOf(draft, index);
  const until = Math.max(slot.backOff.until, draft.at + ORPHAN_PAUSE_MS) as Instant;
  draft.setSlot(index, { ...slot, backOff: { ...slot.backOff, until } });
}

/** True where the order is what its slot would place itself. */
function canAdopt(draft: Draft, place: OrderPlace, order: ExchangeOrder): boolean {
  if (place.kind !== "slot") return draft[place.kind].kind === "wanted";
  const { terms, inventory } = slotOf(draft, place.index);
  return order.side === "buy"
    ? order.price === terms.buyPrice && order.quantity <= terms.quantity
    : order.price === terms.sellPrice && order.quantity <= heldLots(inventory);
}

/** A working order that is not among the open ones: closed, or to be looked up until its fate is known. */
function meetMissing(draft: Draft, place: OrderPlace, shown: ReadonlyMap<string, ExchangeOrder>): void {
  const order = workingOrder(draft, place);
  if (!order) return;
  const found = shown.get(order.terms.id);
  if (found?.status === "open") return;
  if (found) return applyClosed(draft, order.terms, found.exchangeOrderId, found.executed);
  if (isInFlight(draft, order)) return;
  draft.commands.push({ kind: "queryOrder", order: order.terms });
}

/** Sent by this very process and not answered yet: its answer is still to come. */
function isInFlight(draft: Draft, order: WorkingOrder): boolean {
  return order.kind === "pending" && draft.ready;
}
