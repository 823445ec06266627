/** The core: one event in; the next state, what to store and what to do, out. Pure. */
import { assertNever } from "../domain/assert.ts";
import { applyFill } from "./apply-fill.ts";
import {
  applyAccepted,
  applyClosed,
  applyNotFound,
  applyNotSent,
  applyRejected,
  applyUnknown,
  finishClosing,
} from "./apply-order.ts";
import { Draft } from "./draft.ts";
import type { ControlAction, GridEvent, Step } from "./events.ts";
import { beginClosing, movePrice } from "./move-price.ts";
import { reconcile } from "./reconcile.ts";
import { settle } from "./settle.ts";
import type { GridState } from "./state.ts";
import { isInside, watchBand } from "./watch-band.ts";

/**
 * What `event` makes of `state`. Records are to be stored, in one transaction, before any command is sent; if they
 * cannot be, the whole step is dropped and never happened.
 */
export function step(state: GridState, event: GridEvent): Step {
  if (event.kind === "tick" && (event.at < state.priceAt || isInside(watchBand(state), event.price))) {
    return { state, records: [], commands: [] };
  }
  const draft = new Draft(state, event.at);
  apply(draft, event);
  settle(draft);
  return draft.finish();
}

function apply(draft: Draft, event: GridEvent): void {
  switch (event.kind) {
    case "tick":
      draft.touchAll();
      return movePrice(draft, event.price, event.at);
    case "orderAccepted":
      return applyAccepted(draft, event.order, event.exchangeOrderId);
    case "orderRejected":
      return applyRejected(draft, event.order, event.reason);
    case "orderNotSent":
      return applyNotSent(draft, event.order, event.reason);
    case "outcomeUnknown":
      return applyUnknown(draft, event.order);
    case "orderNotFound":
      return applyNotFound(draft, event.order);
    case "fill":
      return applyFill(draft, event.order, event.execution);
    case "orderCanceled":
      return applyClosed(draft, event.order, event.exchangeOrderId, event.executed);
    case "snapshot":
      return reconcile(draft, event);
    case "timer":
      return draft.touchAll();
    case "control":
      return applyControl(draft, event.action, event.reason);
    default:
      return assertNever(event);
  }
}

function applyControl(draft: Draft, action: ControlAction, reason: string): void {
  switch (action) {
    case "pause":
      if (draft.mode === "running") draft.setMode("paused", reason);
      break;
    case "resume":
      if (draft.mode === "closed") draft.closing = { kind: "done" };
      if (draft.mode !== "killed" && draft.mode !== "closing") draft.setMode("running", reason);
      draft.stopping = "no";
      break;
    case "drain":
    case "stop":
      draft.stopping = "leave";
      break;
    case "cancel":
      draft.stopping = "cancel";
      break;
    case "close":
      // Who waits for its trigger has nothing to sell: the next start waits on.
      if (draft.mode === "waiting") {
        draft.stopping = "cancel";
        break;
      }
      // A halt stays the reason: a close for another one may be taken back by the next start.
      beginClosing(draft, draft.mode === "halted" ? draft.modeReason : reason);
      if (draft.mode === "closing") finishClosing(draft);
      break;
    case "halt":
      if (draft.mode === "running" || draft.mode === "paused") draft.setMode("halted", reason);
      break;
    case "kill":
      draft.setMode("killed", reason);
      break;
    case "hold":
      draft.held = true;
      break;
    default:
      assertNever(action);
  }
  draft.touchAll();
}
