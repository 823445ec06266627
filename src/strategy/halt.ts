/** Stops one bot because what happened contradicts what is stored. What rests stays; a person decides. */
import type { OrderRef } from "../domain/order.ts";
import type { Draft } from "./draft.ts";

/** A bot that is ending goes on ending: a halt would let it be resumed. */
export function halt(draft: Draft, ref: OrderRef, reason: string): void {
  const { mode } = draft;
  if (mode === "killed" || mode === "closing" || mode === "closed") {
    draft.event("contradiction", { id: ref.id, reason });
    return;
  }
  draft.setMode("halted", `order ${ref.id}: ${reason}`);
}
