/** A limit that all instances with one key spend together, in the exchange's own intervals and on its clock. */
import type { BudgetWindow, WindowLimit } from "./budget-window.ts";
import type { SharedCounters } from "./shared-counters.ts";
import type { Urgency } from "./urgency.ts";
import { CEILINGS, isUrgent } from "./urgency.ts";

export interface SharedWindowOptions {
  readonly limit: WindowLimit;
  /** What the counter is called; the number of the interval is added. */
  readonly name: string;
  /** How many instances use the key, at most. */
  readonly instances: number;
  readonly counters: SharedCounters;
  /** The exchange's time less our monotonic one, ms. */
  readonly exchangeOffset: () => number;
  readonly roomHasCome: () => void;
  /** Called with each new sum of the counter that becomes known. */
  readonly tellUsed: (used: number) => void;
}

/** One of the exchange's intervals, as far as it is known here. */
interface Interval {
  readonly index: number;
  /** Counted in common and not spent yet, by the ceiling under which it was granted. */
  readonly inHand: Map<number, number>;
  /** Spent of this instance's own share. */
  ownSpent: number;
  /** The highest sum of the counter that is known. */
  seen: number;
  readonly asking: Set<number>;
  /** By ceiling: it is of no use to ask before, monotonic ms. */
  readonly refusedUntil: Map<number, number>;
}

/**
 * This part of a limit is never in the common counter: each instance has an equal part of it for itself, for when the
 * counter cannot be asked, and for what is urgent when the common part is used up. So nothing needs to be agreed on
 * when the counter goes away or comes back: common part + n own parts ≤ limit, in every interval, whoever sees what.
 */
const OWN_PART = 0.2;
/** Nobody spends this part: what is on its way for longer than an edge is counted in an interval that nobody paid for. */
const STRAGGLERS = 0.03;
/** What is sent so near to the end of an interval may be counted in the one or the other: it is paid for in both. */
const EDGE_MS = 500;
/** Points are fetched in blocks, so that not every request waits for the counter. */
const BLOCKS = 50;
/** What is left of a block when its process ends is lost until the interval is over, which may be a day. */
const LARGEST_BLOCK = 100;
const RETRY_MS = 200;

export class SharedWindow implements BudgetWindow {
  readonly limit: WindowLimit;
  readonly #options: SharedWindowOptions;
  /** The common part. */
  readonly #common: number;
  /** This instance's own part. */
  readonly #own: number;
  readonly #block: number;
  readonly #intervals = new Map<number, Interval>();
  #isRaising = false;

  constructor(options: SharedWindowOptions) {
    const { limit, instances } = options;
    this.limit = limit;
    this.#options = options;
    this.#own = Math.floor((limit.most * OWN_PART) / instances);
    this.#common = limit.most - instances * this.#own - Math.floor(limit.most * STRAGGLERS);
    this.#block = Math.min(LARGEST_BLOCK, Math.max(1, Math.floor(limit.most / (BLOCKS * instances))));
  }

  hasRoom(cost: number, urgency: Urgency, now: number): boolean {
    if (cost === 0) return true;
    return this.#charged(now).every(
      (interval) =>
        sumUpTo(interval.inHand, CEILINGS[urgency]) >= cost ||
        (this.#mayUseOwn(interval, urgency) && this.#hasOwn(interval, cost, urgency)),
    );
  }

  spend(cost: number, urgency: Urgency, now: number): void {
    if (cost === 0) return;
    for (const interval of this.#charged(now)) this.#spendIn(interval, cost, urgency);
  }

  ask(cost: number, urgency: Urgency, now: number): void {
    if (cost === 0 || !this.#options.counters.mayAsk) return;
    const ceiling = CEILINGS[urgency];
    for (const interval of this.#charged(now)) {
      if (sumUpTo(interval.inHand, ceiling) >= cost || interval.asking.has(ceiling)) continue;
      if ((interval.refusedUntil.get(ceiling) ?? now) > now) continue;
      void this.#fetch(interval, cost, ceiling, now);
    }
  }

  /** Used by somebody who does not count here: the counter is raised to it. */
  noteUsed(used: number, sentAt: number, now: number): void {
    const [interval, next] = this.#charged(now);
    // Of which interval the exchange speaks is certain only where the request was sent and answered within one.
    if (!interval || next || this.#firstIndexAt(sentAt) !== interval.index) return;
    if (used <= interval.seen || this.#isRaising) return;
    if (!this.#options.counters.mayAsk) return;
    this.#isRaising = true;
    void this.#raise(interval, used).finally(() => {
      this.#isRaising = false;
    });
  }

  nextRoomIn(now: number): number {
    const { perMs } = this.limit;
    const time = now + this.#options.exchangeOffset();
    const toEdge = perMs - ((((time - EDGE_MS) % perMs) + perMs) % perMs);
    return Math.max(1, Math.min(RETRY_MS, Math.ceil(toEdge)));
  }

  /** Until so near the end of the last interval that was paid for that it might arrive after it. */
  lastsMs(now: number): number {
    const { perMs } = this.limit;
    const time = now + this.#options.exchangeOffset();
    return (Math.floor((time + EDGE_MS) / perMs) + 1) * perMs - EDGE_MS / 2 - time;
  }

  /** The intervals that a request of this moment may be counted in. */
  #charged(now: number): readonly Interval[] {
    const first = this.#firstIndexAt(now);
    const last = Math.floor((now + this.#options.exchangeOffset() + EDGE_MS) / this.limit.perMs);
    for (const index of this.#intervals.keys()) if (index < first) this.#intervals.delete(index);
    return first === last ? [this.#interval(first)] : [this.#interval(first), this.#interval(last)];
  }

  #firstIndexAt(now: number): number {
    return Math.floor((now + this.#options.exchangeOffset() - EDGE_MS) / this.limit.perMs);
  }

  #interval(index: number): Interval {
    let interval = this.#intervals.get(index);
    if (!interval) {
      interval = {
        index,
        inHand: new Map(),
        ownSpent: 0,
        seen: 0,
        asking: new Set(),
        refusedUntil: new Map(),
      };
      this.#intervals.set(index, interval);
    }
    return interval;
  }

  #mayUseOwn({ refusedUntil }: Interval, urgency: Urgency): boolean {
    if (this.#options.counters.isAway) return true;
    return isUrgent(urgency) && refusedUntil.has(CEILINGS[urgency]);
  }

  #hasOwn({ ownSpent }: Interval, cost: number, urgency: Urgency): boolean {
    return ownSpent + cost <= Math.floor(this.#own * CEILINGS[urgency]);
  }

  #spendIn(interval: Interval, cost: number, urgency: Urgency): void {
    const { inHand } = interval;
    if (sumUpTo(inHand, CEILINGS[urgency]) < cost) {
      interval.ownSpent += cost;
      return this.#reportOwn(interval, cost);
    }
    let left = cost;
    // The highest first: what is left may be used by most.
    for (const ceiling of ceilingsUpTo(inHand, CEILINGS[urgency]).sort((a, b) => b - a)) {
      const part = Math.min(left, inHand.get(ceiling) ?? 0);
      inHand.set(ceiling, (inHand.get(ceiling) ?? 0) - part);
      left -= part;
    }
  }

  /** So that what the exchange says of it is not taken for a stranger's; also asks whether the counter is back. */
  #reportOwn(interval: Interval, cost: number): void {
    const { counters } = this.#options;
    if (!counters.mayAsk) return;
    void counters
      .ask((store) => store.add(this.#nameOf(interval), cost, this.#keptMs))
      .then((sum) => {
        if (sum !== "away") this.#see(interval, sum);
      });
  }

  /** A block, or just what is needed where there is no block any more. */
  async #fetch(interval: Interval, cost: number, ceiling: number, now: number): Promise<void> {
    const { counters, roomHasCome } = this.#options;
    const name = this.#nameOf(interval);
    const most = Math.min(this.#common, Math.floor(this.limit.most * ceiling));
    interval.asking.add(ceiling);
    for (const points of new Set([Math.max(cost, this.#block), cost])) {
      const sum = await counters.ask((store) => store.take(name, points, most, this.#keptMs));
      if (sum === "away") break;
      if (sum !== undefined) {
        await this.#meetLoss(interval, sum - points);
        interval.inHand.set(ceiling, (interval.inHand.get(ceiling) ?? 0) + points);
        interval.refusedUntil.delete(ceiling);
        this.#see(interval, sum);
        break;
      }
      if (points === cost) interval.refusedUntil.set(ceiling, now + RETRY_MS);
    }
    interval.asking.delete(ceiling);
    roomHasCome();
  }

  /** A counter that is lower than it was has been lost: each who notices gives back what it knows of it. */
  async #meetLoss(interval: Interval, before: number): Promise<void> {
    const { seen } = interval;
    if (before >= seen) return;
    const { counters } = this.#options;
    await counters.ask((store) => store.add(this.#nameOf(interval), seen - before, this.#keptMs));
  }

  async #raise(interval: Interval, used: number): Promise<void> {
    const { counters } = this.#options;
    const name = this.#nameOf(interval);
    const sum = await counters.ask(async (store) => {
      const counted = await store.count(name);
      // Two who raise it at once raise it too far, which is safe.
      return used > counted ? store.add(name, used - counted, this.#keptMs) : counted;
    });
    if (sum !== "away") this.#see(interval, sum);
  }

  #see(interval: Interval, sum: number): void {
    if (sum <= interval.seen) return;
    interval.seen = sum;
    this.#options.tellUsed(sum);
  }

  #nameOf({ index }: Interval): string {
    return `${this.#options.name}:${index}`;
  }

  get #keptMs(): number {
    return 2 * this.limit.perMs;
  }
}

function ceilingsUpTo(inHand: ReadonlyMap<number, number>, most: number): number[] {
  return [...inHand.keys()].filter((ceiling) => ceiling <= most);
}

function sumUpTo(inHand: ReadonlyMap<number, number>, most: number): number {
  return ceilingsUpTo(inHand, most).reduce((sum, ceiling) => sum + (inHand.get(ceiling) ?? 0), 0);
}
