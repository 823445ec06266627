/** One account's share of an exchange's request limits: who is more urgent goes first, and nobody waits for ever. */
import type { Clock } from "../../domain/clock.ts";
import type { WindowLimit } from "./sliding-window.ts";
import { SlidingWindow } from "./sliding-window.ts";

/** Cancels and exits may use all of a limit; entries and reads leave the rest to them. */
export type Urgency = "cancel" | "exit" | "entry" | "read";

const CEILINGS: Readonly<Record<Urgency, number>> = { cancel: 1, exit: 1, entry: 0.8, read: 0.7 };
const ORDER: readonly Urgency[] = ["cancel", "exit", "entry", "read"];

export interface Cost {
  readonly weight: number;
  readonly orders: number;
}

/** How much of the limit of this kind and length is used. */
export interface UsedLimit {
  readonly counts: WindowLimit["counts"];
  readonly perMs: number;
  readonly used: number;
}

interface Waiter {
  readonly cost: Cost;
  readonly urgency: Urgency;
  readonly finish: (granted: boolean) => void;
}

export class RequestBudget {
  readonly #clock: Clock;
  readonly #share: number;
  readonly #windows: readonly (WindowLimit & { readonly window: SlidingWindow })[];
  #blockedUntil = Number.NEGATIVE_INFINITY;
  #waiting: Waiter[] = [];
  #cancelTimer: (() => void) | undefined;

  /** `share`: how many instances use the same limits without knowing of each other; each takes an equal part. */
  constructor(clock: Clock, limits: readonly WindowLimit[], share: number) {
    this.#clock = clock;
    this.#share = share;
    this.#windows = limits.map((limit) => ({ ...limit, window: new SlidingWindow(limit, share) }));
  }

  /** Spends `cost` if there is room now. */
  tryTake(cost: Cost, urgency: Urgency): boolean {
    if (!this.#hasRoom(cost, urgency)) return false;
    const now = this.#clock.monotonic();
    for (const { counts, window } of this.#windows) window.spend(cost[counts], now);
    return true;
  }

  /** Spends `cost` as soon as there is room and nobody more urgent waits; false after `limitMs`, or when aborted. */
  async take(cost: Cost, urgency: Urgency, limitMs: number, signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted) return false;
    const rank = ORDER.indexOf(urgency);
    const mustQueue = this.#waiting.some((waiter) => ORDER.indexOf(waiter.urgency) <= rank);
    if (!mustQueue && this.tryTake(cost, urgency)) return true;
    return new Promise<boolean>((resolve) => {
      const give = (): void => finish(false);
      const finish = (granted: boolean): void => {
        this.#waiting = this.#waiting.filter((each) => each !== waiter);
        cancelLimit();
        signal?.removeEventListener("abort", give);
        resolve(granted);
      };
      const waiter: Waiter = { cost, urgency, finish };
      const cancelLimit = this.#clock.after(limitMs, give);
      signal?.addEventListener("abort", give);
      this.#waiting.push(waiter);
      this.#waiting.sort((a, b) => ORDER.indexOf(a.urgency) - ORDER.indexOf(b.urgency));
      this.#schedule();
    });
  }

  /** The exchange asks to be left alone for so long. */
  block(forMs: number): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, this.#clock.monotonic() + forMs);
  }

  get isBlocked(): boolean {
    return this.#clock.monotonic() < this.#blockedUntil;
  }

  /** The exchange says how much of a limit is used, by whomever; of a share of it that says nothing. */
  noteUsed({ counts, perMs, used }: UsedLimit): void {
    if (this.#share > 1) return;
    const found = this.#windows.find((each) => each.counts === counts && each.perMs === perMs);
    found?.window.raiseTo(used, this.#clock.monotonic());
  }

  /** Ends all waits. */
  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (const { finish } of this.#waiting) finish(false);
  }

  #hasRoom(cost: Cost, urgency: Urgency): boolean {
    const now = this.#clock.monotonic();
    if (now < this.#blockedUntil) return false;
    const ceiling = CEILINGS[urgency];
    return this.#windows.every(({ counts, window }) => window.hasRoom(cost[counts], ceiling, now));
  }

  #schedule(): void {
    if (this.#cancelTimer || this.#waiting.length === 0) return;
    const now = this.#clock.monotonic();
    const soonest = Math.min(...this.#windows.map(({ window }) => window.nextRoomIn(now)));
    const delay = Math.max(1, this.#blockedUntil > now ? this.#blockedUntil - now : soonest);
    this.#cancelTimer = this.#clock.after(delay, () => {
      this.#cancelTimer = undefined;
      for (const { cost, urgency, finish } of [...this.#waiting]) {
        // Whoever is less urgent does not overtake whoever is more.
        if (!this.tryTake(cost, urgency)) break;
        finish(true);
      }
      this.#schedule();
    });
  }
}
