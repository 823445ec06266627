/** Counts what was spent within the last so many milliseconds: never more than allowed, wherever the exchange's window begins. */

/** A window expires in so many steps; a step counts until all of it has left the window. */
const STEPS = 60;

export interface WindowLimit {
  /** What is counted: the exchange's request weight, or orders. */
  readonly counts: "weight" | "orders";
  readonly most: number;
  readonly perMs: number;
}

export class SlidingWindow {
  readonly #most: number;
  readonly #stepMs: number;
  readonly #spent: number[] = Array.from({ length: STEPS + 1 }, () => 0);
  #step = 0;
  #sum = 0;

  /** `share`: of how many equal users of the limit this is one. */
  constructor({ most, perMs }: WindowLimit, share: number) {
    this.#most = Math.max(1, Math.floor(most / share));
    this.#stepMs = perMs / STEPS;
  }

  /** True if `cost` may be spent now, up to `ceiling` (a share of the limit). */
  hasRoom(cost: number, ceiling: number, now: number): boolean {
    if (cost === 0) return true;
    this.#expire(now);
    return this.#sum + cost <= Math.max(cost, Math.floor(this.#most * ceiling));
  }

  spend(cost: number, now: number): void {
    this.#expire(now);
    const index = this.#step % this.#spent.length;
    this.#spent[index] = (this.#spent[index] ?? 0) + cost;
    this.#sum += cost;
  }

  /** The exchange counts more than we know of: others use the same limit. */
  raiseTo(used: number, now: number): void {
    this.#expire(now);
    if (used > this.#sum) this.spend(used - this.#sum, now);
  }

  /** How long until something that was spent expires, ms. */
  nextRoomIn(now: number): number {
    return Math.max(1, Math.ceil((this.#step + 1) * this.#stepMs - now));
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
