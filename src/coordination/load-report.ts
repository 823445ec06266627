/** What an instance tells the fleet of its load: one number per hot symbol, told anew only when it has changed. */

/** One number per symbol: what it takes to compare symbols and instances. */
export interface InstanceLoad {
  /** Of all its symbols. */
  readonly total: number;
  /** Of those that cost most. */
  readonly hottest: Readonly<Record<string, number>>;
}

/** An order takes a lock, a stored intent and a request; most events take a comparison. */
const EVENTS_PER_ORDER = 20;
const SYMBOLS_TOLD = 16;
/** The registration in etcd is written at most so often for the sake of the load. */
const LEAST_PAUSE_MS = 3000;
/** What counts as a change: of the total, and of one symbol. */
const TOTAL_STEP = 0.1;
const SYMBOL_STEP = 0.2;
/** A symbol's change is none where the instance would not notice it. */
const NOTICED_SHARE = 0.05;
const LEAST_STEP = 1;

/** In events per second; an order counts as twenty. */
export function loadScore({ events, orders }: { readonly events: number; readonly orders: number }): number {
  return events + EVENTS_PER_ORDER * orders;
}

export class LoadReport {
  #told: InstanceLoad = { total: 0, hottest: {} };
  #toldAt = Number.NEGATIVE_INFINITY;

  /** What is told now: the same object for as long as nothing worth telling has changed. */
  get told(): InstanceLoad {
    return this.#told;
  }

  /** Takes the newest score of each symbol; `now` is monotonic ms. */
  update(now: number, scores: ReadonlyMap<string, number>): void {
    if (now - this.#toldAt < LEAST_PAUSE_MS || !hasChanged(this.#told, scores)) return;
    const hottest = [...scores]
      .filter(([, score]) => score > 0)
      .sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
      .slice(0, SYMBOLS_TOLD)
      .map(([symbol, score]) => [symbol, round(score)] as const);
    this.#told = { total: round(sum(scores)), hottest: Object.fromEntries(hottest) };
    this.#toldAt = now;
  }
}

/** The load in a registration; undefined where it holds none that can be understood. */
export function readLoad(value: unknown): InstanceLoad | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const total: unknown = Reflect.get(value, "total");
  const hottest: unknown = Reflect.get(value, "hottest");
  if (!isAmount(total) || typeof hottest !== "object" || hottest === null) return undefined;
  const scores: readonly (readonly [string, unknown])[] = Object.entries(hottest);
  const known = scores.filter((entry): entry is readonly [string, number] => isAmount(entry[1]));
  return known.length === scores.length ? { total, hottest: Object.fromEntries(known) } : undefined;
}

function hasChanged(told: InstanceLoad, scores: ReadonlyMap<string, number>): boolean {
  const total = sum(scores);
  if (Math.abs(total - told.total) > Math.max(TOTAL_STEP * told.total, LEAST_STEP)) return true;
  const noticed = Math.max(NOTICED_SHARE * total, LEAST_STEP);
  const leastTold = Math.min(...Object.values(told.hottest), Number.POSITIVE_INFINITY);
  const isFull = Object.keys(told.hottest).length >= SYMBOLS_TOLD;
  const names = new Set([...scores.keys(), ...Object.keys(told.hottest)]);
  return [...names].some((symbol) => {
    const score = scores.get(symbol) ?? 0;
    // Of one that was not told it is known only that it was not among the hottest.
    const before = told.hottest[symbol] ?? (isFull ? Math.min(score, leastTold) : 0);
    return Math.abs(score - before) > Math.max(SYMBOL_STEP * before, noticed);
  });
}

function sum(scores: ReadonlyMap<string, number>): number {
  return [...scores.values()].reduce((total, score) => total + score, 0);
}

function round(score: number): number {
  return Math.round(10 * score) / 10;
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
