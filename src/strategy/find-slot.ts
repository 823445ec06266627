/** Finds a slot by its number in a list that ascends by number. */
import type { SlotNumber } from "../domain/ids.ts";
import type { SlotState } from "./state.ts";

/** The index of the slot, or −1. */
export function findSlot(slots: readonly SlotState[], slot: SlotNumber): number {
  const first = slots[0]?.terms.slot;
  if (first === undefined) return -1;
  // Mostly the numbers have no gap.
  if (slots[slot - first]?.terms.slot === slot) return slot - first;
  let low = 0;
  let high = slots.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const number = slots[middle]?.terms.slot ?? -1;
    if (number === slot) return middle;
    if (number < slot) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
