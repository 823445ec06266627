/** Counts what was spent within the last so many milliseconds: never more than allowed, wherever the exchange's window begins. */
import type { BudgetWindow, WindowLimit } from "./budget-window.ts";
import type { Urgency } from "./urgency.ts";
import { CEILINGS } from "./urgency.ts";

/** A window expires in so many steps; a step counts until all of it has left the window. */
const STEPS = 60;

export class SlidingWindow implements BudgetWindow {
  readonly limit: WindowLimit;
  readonly #share: number;
  readonly #most: number;
  readonly #stepMs: number;
  readonly #spent: number[] = Array.from({ length: STEPS + 1 }, () => 0);
  #step = 0;
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

  /** Of a share of the limit that says nothing: others use the rest. */
  noteUsed(used: number, now: number): void {
    if (this.#share > 1) return;
    this.#expire(now);
    if (used > this.#sum) this.#spend(used - this.#sum, now);
  }

  nextRoomIn(now: number): number {
    return Math.max(1, Math.ceil((this.#step + 1) * this.#stepMs - now));
  }

  /** It slides with the request. */
  lastsMs(): number {
    return Number.POSITIVE_INFINITY;
  }

  #spend(cost: number, now: number): void {
    this.#expire(now);
    const index = this.#step % this.#spent.length;
    this.#spent[index] = (this.#spent[index] ?? 0) + cost;
    this.#sum += cost;
  }

  #expire(now: number): void {
    const step = Math.floor(now / this.#stepMs);
    for (let passed = 0; this.#step < step && passed < this.#spent.length; passed += 1) {
      this.#step += 1;
      const index = this.#step % this.#spent.length;
      this.#sum -= this.#spent[index] ?? 0;
      this.#spent[index] = 0;
    }
    this.#step = Math.max(this.#step, step);
  }
}
