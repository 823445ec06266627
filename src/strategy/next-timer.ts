/** When the core wants to be woken although nothing happens: the end of the nearest back-off. */
import type { Instant } from "../domain/ids.ts";
import type { GridState } from "./state.ts";

/** The earliest instant after `now` at which a refused order may be tried again. */
export function nextTimer(state: GridState, now: Instant): Instant | undefined {
  let next = Number.POSITIVE_INFINITY;
  const consider = (until: Instant): void => {
    if (until > now && until < next) next = until;
  };
  consider(state.fundsLockedUntil);
  if (state.initial.kind !== "done") consider(state.initial.backOff.until);
  if (state.closing.kind !== "done") consider(state.closing.backOff.until);
  for (const slot of state.slots) consider(slot.backOff.until);
  return next === Number.POSITIVE_INFINITY ? undefined : (next as Instant);
}
