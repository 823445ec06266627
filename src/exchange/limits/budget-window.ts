/** One limit of an exchange as a budget sees it: so much within so long. */
import type { Urgency } from "./urgency.ts";

export interface WindowLimit {
  /** What is counted: the exchange's request weight, or orders. */
  readonly counts: "weight" | "orders";
  readonly most: number;
  readonly perMs: number;
}

/** `now` is monotonic ms everywhere. Nothing here waits. */
export interface BudgetWindow {
  readonly limit: WindowLimit;
  /** True if `cost` may be spent now. */
  hasRoom(cost: number, urgency: Urgency, now: number): boolean;
  /** Only after `hasRoom` of the same. */
  spend(cost: number, urgency: Urgency, now: number): void;
  /** Gets room for `cost` from wherever it is; says so by the function that the window was made with. */
  ask(cost: number, urgency: Urgency, now: number): void;
  /**
   * The exchange says that so much is used, by whomever, in the answer to a request that was sent at `sentAt`: it was
   * counted between then and now, which may be long where this process was held up.
   */
  noteUsed(used: number, sentAt: number, now: number): void;
  /** After how long it is worth looking for room again, ms. */
  nextRoomIn(now: number): number;
  /** For how long a request may still be sent for which `spend` is called now, ms. */
  lastsMs(now: number): number;
}
