/**
 * The ring that counts: new seats that come up together join it together; one that goes leaves it at once. Those that are
 * there at the first look are not new: who takes one of them over may have been started a moment ago.
 */
import type { SeatNumber } from "./ring.ts";

/** How many times `settleMs` a new seat waits at most, however many others follow it. */
const LONGEST_WAIT = 5;

export class SettledRing {
  readonly #settleMs: number;
  readonly #seenAt = new Map<SeatNumber, number>();
  readonly #inForce = new Set<SeatNumber>();
  #hasLooked = false;

  constructor(settleMs: number) {
    this.#settleMs = settleMs;
  }

  /** True while seats wait to join: only the time is needed for a change. */
  get isSettling(): boolean {
    return this.#seenAt.size > this.#inForce.size;
  }

  /** The seats among `seats` that symbols are spread over at `now` (monotonic ms), in ascending order. */
  inForce(seats: readonly SeatNumber[], now: number): readonly SeatNumber[] {
    const present = new Set(seats);
    for (const seat of this.#seenAt.keys()) if (!present.has(seat)) this.#seenAt.delete(seat);
    for (const seat of this.#inForce) if (!present.has(seat)) this.#inForce.delete(seat);
    for (const seat of seats) if (!this.#seenAt.has(seat)) this.#seenAt.set(seat, now);
    const waiting = [...this.#seenAt].filter(([seat]) => !this.#inForce.has(seat)).map(([, at]) => at);
    const newest = Math.max(...waiting);
    const oldest = Math.min(...waiting);
    const isSettled = now - newest >= this.#settleMs || now - oldest >= LONGEST_WAIT * this.#settleMs;
    if (isSettled || !this.#hasLooked) for (const seat of present) this.#inForce.add(seat);
    this.#hasLooked = true;
    return [...this.#inForce].sort((a, b) => a - b);
  }
}
