/** What one execution does: it is counted, its order moves on, and a completed order changes its place. */
import type { Money } from "../domain/amounts.ts";
import { ZERO_MONEY } from "../domain/amounts.ts";
import type { Execution } from "../domain/fill.ts";
import { notional, valueOfBase } from "../domain/instrument.ts";
import type { OrderRef, Progress, WorkingOrder } from "../domain/order.ts";
import { ORDER_TRANSITIONS } from "../domain/order.ts";
import type { ExecutionValue } from "./accounting.ts";
import { NO_PROGRESS, addExecution, countExecution } from "./accounting.ts";
import { close, finishClosing, recordOrder } from "./apply-order.ts";
import { bookBuy, bookClose, bookSell, stock } from "./book.ts";
import type { Draft } from "./draft.ts";
import { halt } from "./halt.ts";
import { movePrice } from "./move-price.ts";
import { NO_BACK_OFF } from "./state.ts";
import type { OrderPlace } from "./order-place.ts";
import { liftGeneration, placeOf, setWorking, slotOf, statusOf, workingOrder } from "./order-place.ts";
import { openForgottenSlot } from "./window.ts";

/** Counts an execution once, whatever it is of; one that was counted already changes nothing. */
export function applyFill(draft: Draft, ref: OrderRef, execution: Execution): void {
  openForgottenSlot(draft, ref.slot);
  const place = placeOf(draft, ref.slot);
  const working = place && workingOrder(draft, place);
  const isWorking = working?.terms.id === ref.id;
  if (isWorking && working.progress.tradeIds.includes(execution.tradeId)) return;

  draft.records.push({ kind: "fill", fill: { ...execution, id: ref.id } });
  const value = valueOf(draft, ref, execution);
  draft.totals = countExecution(draft.totals, execution, value);
  if (!place) applyStray(draft, ref, execution, value);
  else if (isWorking) advance(draft, place, working, execution, value);
  else applyLate(draft, place, ref, execution, value);
  movePrice(draft, execution.price, execution.at);
}

function advance(
  draft: Draft,
  place: OrderPlace,
  order: WorkingOrder,
  execution: Execution,
  value: ExecutionValue,
): void {
  const { terms } = order;
  const progress = addExecution(order.progress, execution, value);
  if (place.kind === "initial") stock(draft, addExecution(NO_PROGRESS, execution, value));
  if (progress.executed > terms.quantity) {
    halt(draft, terms, `executed ${progress.executed} lots of ${terms.quantity}`);
  }
  const kind = order.kind === "canceling" ? "canceling" : "open";
  const { exchangeOrderId } = execution;
  const next: WorkingOrder = { kind, terms, progress, exchangeOrderId };
  if (progress.executed >= terms.quantity) return close(draft, place, next, "filled", execution.at);
  setWorking(draft, place, next);
  recordOrder(draft, next);
  if (place.kind === "slot") draft.touch(terms.slot);
  else draft.touchAll();
}

/** A fill of an order that is closed already: counted, and its lots go to the slot's inventory or out of it. */
function applyLate(
  draft: Draft,
  place: OrderPlace,
  ref: OrderRef,
  execution: Execution,
  value: ExecutionValue,
): void {
  const status = statusOf(draft, place, ref);
  if (ORDER_TRANSITIONS[status].partFill === "halt") halt(draft, ref, `executed although ${status}`);
  draft.event("late_fill", { id: ref.id, slot: ref.slot, side: ref.side, tradeId: execution.tradeId });
  liftGeneration(draft, place, ref);
  const late = recordLate(draft, ref, execution, value);
  if (place.kind === "initial") {
    draft.touchAll();
    return stock(draft, late);
  }
  if (place.kind === "closing") {
    // It has no more trades than the bot, so numbers counted by those are free.
    bookClose(draft, ref, late, draft.totals.trades + draft.totals.inventorySells, execution.at);
  } else if (ref.side === "buy") {
    bookBuy(draft, place.index, late);
  } else {
    // A sell makes at most two trades, so numbers counted by fills are its own.
    bookSell(draft, place.index, ref, late, 2 * draft.totals.fills, execution.at);
  }
  if (place.kind === "slot") {
    // The order did execute: nothing speaks against the next one.
    draft.setSlot(place.index, { ...slotOf(draft, place.index), backOff: NO_BACK_OFF });
    draft.touch(ref.slot);
  }
  if (draft.mode === "closing") finishClosing(draft);
}

/** No slot can hold it: it is in the totals, and what becomes of it a person decides. */
function applyStray(draft: Draft, ref: OrderRef, execution: Execution, value: ExecutionValue): void {
  recordLate(draft, ref, execution, value);
  halt(draft, ref, `slot ${ref.slot} is not one of this bot's`);
}

function recordLate(draft: Draft, order: OrderRef, execution: Execution, value: ExecutionValue): Progress {
  const { exchangeOrderId, price, at } = execution;
  const progress = addExecution(NO_PROGRESS, execution, value);
  draft.records.push({ kind: "lateProgress", order, exchangeOrderId, price, at, progress });
  return progress;
}

/**
 * Gross value and fees. A fee in base is valued at the fill's own price for the totals, and comes out of what was
 * bought. A fee in a third asset cannot be valued here: it is stored, and the bot halts.
 */
function valueOf(draft: Draft, ref: OrderRef, execution: Execution): ExecutionValue {
  const { instrument } = draft.bot;
  const { fee, feeAsset, price, quantity, side } = execution;
  const quote = notional(instrument, price, quantity);
  const value = (quoteFee: Money, baseFee: Money, feeValue: Money): ExecutionValue => ({
    quote,
    fee: quoteFee,
    baseFee,
    feeValue,
  });
  if (fee === 0n || feeAsset === instrument.quote) return value(fee, ZERO_MONEY, fee);
  if (feeAsset === instrument.base && side === "buy") {
    return value(ZERO_MONEY, fee, valueOfBase(instrument, price, fee));
  }
  halt(draft, ref, `a fee in ${feeAsset} is not supported in this version`);
  return value(ZERO_MONEY, ZERO_MONEY, ZERO_MONEY);
}
