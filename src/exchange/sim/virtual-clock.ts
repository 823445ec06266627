/** The clock of a replay: it stands still until it is moved, and its timers run only when they are told to. */
import { invariant } from "../../domain/assert.ts";
import type { Clock } from "../../domain/clock.ts";
import type { Instant } from "../../domain/ids.ts";

interface Timer {
  readonly at: Instant;
  readonly order: number;
  /** Undefined once cancelled. */
  run: (() => void) | undefined;
}

/** Wall time and monotonic time are one and the same: the time of the simulated exchange, in whole ms. */
export class VirtualClock implements Clock {
  /** A binary heap: every timer is due no earlier than its parent at (index − 1) / 2. */
  readonly #timers: Timer[] = [];
  #now: Instant;
  #order = 0;

  constructor(now: Instant) {
    this.#now = now;
  }

  now(): Instant {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): () => void {
    const at = (this.#now + Math.ceil(Math.max(0, delayMs))) as Instant;
    const timer: Timer = { at, order: this.#order, run };
    this.#order += 1;
    this.#push(timer);
    return () => {
      timer.run = undefined;
    };
  }

  /** When the next timer is due. */
  nextTimerAt(): Instant | undefined {
    while (this.#timers[0] && !this.#timers[0].run) this.#pop();
    return this.#timers[0]?.at;
  }

  /** Moves time to `at`; no timer runs by that, and none may be due before it. */
  advanceTo(at: Instant): void {
    const next = this.nextTimerAt();
    invariant(at >= this.#now && (next === undefined || next >= at), `time cannot go to ${at}`);
    this.#now = at;
  }

  /** Runs the oldest timer that is due now, if there is one. */
  runDueTimer(): void {
    const at = this.nextTimerAt();
    if (at === undefined || at > this.#now) return;
    this.#pop()?.run?.();
  }

  #push(timer: Timer): void {
    const heap = this.#timers;
    let index = heap.length;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (!parent || isBefore(parent, timer)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = timer;
  }

  #pop(): Timer | undefined {
    const heap = this.#timers;
    const top = heap[0];
    const last = heap.pop();
    if (!last || last === top) return top;
    let index = 0;
    for (;;) {
      const [left, right] = [heap[2 * index + 1], heap[2 * index + 2]];
      const child = left && right && isBefore(right, left) ? right : left;
      if (!child || isBefore(last, child)) break;
      heap[index] = child;
      index = child === left ? 2 * index + 1 : 2 * index + 2;
    }
    heap[index] = last;
    return top;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
