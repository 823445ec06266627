/** What may still be sent of an exchange's request limits: who is more urgent goes first, and nobody waits for ever. */
import type { Clock } from "../../domain/clock.ts";
import type { BudgetWindow, WindowLimit } from "./budget-window.ts";
import type { SharedBan } from "./shared-ban.ts";
import type { Urgency } from "./urgency.ts";
import { URGENCIES } from "./urgency.ts";

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
  readonly #windows: readonly BudgetWindow[];
  readonly #sharedBan: SharedBan | undefined;
  #blockedUntil = Number.NEGATIVE_INFINITY;
  #waiting: Waiter[] = [];
  #cancelTimer: (() => void) | undefined;

  /**
   * `windowsFor`: the limits, given what they call when room has come. `sharedBanFor`: the bans that others may be told
   * of, given what is called with them.
   */
  constructor(
    clock: Clock,
    windowsFor: (roomHasCome: () => void) => readonly BudgetWindow[],
    sharedBanFor?: (hear: (forMs: number) => void) => SharedBan | undefined,
  ) {
    this.#clock = clock;
    this.#windows = windowsFor(() => this.#serve());
    this.#sharedBan = sharedBanFor?.((forMs) => this.block(forMs));
  }

  /** Spends `cost` if there is room now. */
  tryTake(cost: Cost, urgency: Urgency): boolean {
    const now = this.#clock.monotonic();
    if (now < this.#blockedUntil) return false;
    const hasRoom = this.#windows.every((one) => one.hasRoom(cost[one.limit.counts], urgency, now));
    if (hasRoom) for (const one of this.#windows) one.spend(cost[one.limit.counts], urgency, now);
    return hasRoom;
  }

  /** Spends `cost` as soon as there is room and nobody more urgent waits; false after `limitMs`, or when aborted. */
  async take(cost: Cost, urgency: Urgency, limitMs: number, signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted) return false;
    if (this.#waiting.length === 0 && this.tryTake(cost, urgency)) return true;
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
      this.#waiting.sort((a, b) => URGENCIES.indexOf(a.urgency) - URGENCIES.indexOf(b.urgency));
      this.#serve();
      this.#schedule();
    });
  }

  /** The exchange asks to be left alone for so long, by this instance. */
  block(forMs: number): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, this.#clock.monotonic() + forMs);
  }

  /** The exchange asks to be left alone for so long, by all that share the limits. */
  blockAll(forMs: number): void {
    this.block(forMs);
    this.#sharedBan?.tell(forMs);
  }

  get isBlocked(): boolean {
    return this.#clock.monotonic() < this.#blockedUntil;
  }

  /** For how long a place that is taken now is good, ms; a request that is sent later needs another one. */
  placeLastsMs(): number {
    const now = this.#clock.monotonic();
    return Math.min(...this.#windows.map((one) => one.lastsMs(now)));
  }

  /** The exchange says how much of a limit is used, in the answer to a request that was sent at `sentAt` (monotonic ms). */
  noteUsed({ counts, perMs, used }: UsedLimit, sentAt: number): void {
    const now = this.#clock.monotonic();
    for (const one of this.#windows) {
      if (one.limit.counts === counts && one.limit.perMs === perMs) one.noteUsed(used, sentAt, now);
    }
  }

  /** Ends all waits. */
  close(): void {
    this.#sharedBan?.close();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (const { finish } of this.#waiting) finish(false);
  }

  /**
   * In the order of urgency. Whoever is less urgent does not overtake whoever is more, but for those who want nothing of
   * the limit that the other one waits for.
   */
  #serve(): void {
    const awaited = new Set<BudgetWindow>();
    for (const waiter of [...this.#waiting]) {
      const { cost, urgency } = waiter;
      const wanted = this.#windows.filter(({ limit }) => cost[limit.counts] > 0);
      if (!wanted.some((one) => awaited.has(one)) && this.tryTake(cost, urgency)) {
        waiter.finish(true);
        continue;
      }
      const now = this.#clock.monotonic();
      for (const one of wanted) {
        if (one.hasRoom(cost[one.limit.counts], urgency, now)) continue;
        if (!awaited.has(one)) one.ask(cost[one.limit.counts], urgency, now);
        awaited.add(one);
      }
    }
  }

  #schedule(): void {
    if (this.#cancelTimer || this.#waiting.length === 0) return;
    const now = this.#clock.monotonic();
    const soonest = Math.min(...this.#windows.map((one) => one.nextRoomIn(now)));
    const delay = Math.max(1, this.#blockedUntil > now ? this.#blockedUntil - now : soonest);
    this.#cancelTimer = this.#clock.after(delay, () => {
      this.#cancelTimer = undefined;
      this.#serve();
      this.#schedule();
    });
  }
}
