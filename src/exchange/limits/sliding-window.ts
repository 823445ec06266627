/** Counts what was spent within the last so many milliseconds: never more than allowed, wherever the exchange's window begins. */
import type { BudgetWindow, WindowLimit } from "./budget-window.ts";
import type { Urgency } from "./urgency.ts";
import { CEILINGS } from "./urgency.ts";

/** A window expires in so many steps; a step counts until all of it has left the window. */
const STEPS = 60;
/** So many steps are remembered, of this window and the one before it. */
const REMEMBERED = 2 * (STEPS + 1);

export class SlidingWindow implements BudgetWindow {
  readonly limit: WindowLimit;
  readonly #share: number;
  readonly #most: number;
  readonly #stepMs: number;
  /** By step. */
  readonly #spent: number[] = Array.from({ length: REMEMBERED }, () => 0);
  #step = 0;
  /** Of the steps that count. */
  #sum = 0;

  /** `share`: of how many equal users of the limit this is one. */
  constructor(limit: WindowLimit, share: number) {
    this.limit = limit;
    this.#share = share;
    this.#most = Math.max(1, Math.floor(limit.most / share));
    this.#stepMs = limit.perMs / STEPS;
  }

  hasRoom(cost: number, urgency: Urgency, now: number): boolean {
    if (cost === 0) return true;
    this.#expire(now);
    return this.#sum + cost <= Math.max(cost, Math.floor(this.#most * CEILINGS[urgency]));
  }

  spend(cost: number, _urgency: Urgency, now: number): void {
    this.#spend(cost, now);
  }

  /** All that there is to know is here. */
  ask(): void {
    return;
  }

  /**
   * Of a share of the limit that says nothing: others use the rest. Nor does an answer that took longer than the window:
   * what it counts may be over.
   */
  noteUsed(used: number, sentAt: number, now: number): void {
    if (this.#share > 1 || now - sentAt > this.limit.perMs) return;
    this.#expire(now);
    // All that the exchange may have counted of ours by the time that it answered.
    const own = this.#sumSince(Math.floor((sentAt - this.limit.perMs) / this.#stepMs));
    if (used > own) this.#spend(used - own, now);
  }

  nextRoomIn(now: number): number {
    return Math.max(1, Math.ceil((this.#step + 1) * this.#stepMs - now));
  }

  /** It slides with the request. */
  lastsMs(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** Of the steps from `first` to this one, some of which may not count any more. */
  #sumSince(first: number): number {
    let sum = 0;
    for (let step = first; step <= this.#step; step += 1) sum += this.#spent[indexOf(step)] ?? 0;
    return sum;
  }

  #spend(cost: number, now: number): void {
    this.#expire(now);
    const index = indexOf(this.#step);
    this.#spent[index] = (this.#spent[index] ?? 0) + cost;
    this.#sum += cost;
  }

  #expire(now: number): void {
    const step = Math.floor(now / this.#stepMs);
    if (step - this.#step > REMEMBERED) {
      this.#spent.fill(0);
      [this.#step, this.#sum] = [step, 0];
    }
    while (this.#step < step) {
      this.#step += 1;
      this.#spent[indexOf(this.#step)] = 0;
      this.#sum -= this.#spent[indexOf(this.#step - STEPS - 1)] ?? 0;
    }
  }
}

function indexOf(step: number): number {
  return ((step % REMEMBERED) + REMEMBERED) % REMEMBERED;
}
