/** A price–time priority limit order book in typed arrays: it knows neither accounts nor money. */
import type { Brand } from "../../domain/brand.ts";

/**
 * Names an order while it rests; 0 names none. When the order leaves, by `remove` or by a `fill` of all that remains,
 * its slot goes to another one: whoever keeps a slot must forget it then.
 */
export type Slot = Brand<number, "BookSlot">;

export const NO_SLOT = 0 as Slot;

/** All that rests at one price. */
export interface BookLevel {
  readonly price: number;
  readonly quantity: number;
}

export class OrderBook<Owner> {
  readonly #bids = new BookSide<Owner>(1);
  readonly #asks = new BookSide<Owner>(-1);

  side(isBuy: boolean): BookSide<Owner> {
    return isBuy ? this.#bids : this.#asks;
  }
}

/** How many links a level has at most: 4^12 prices are searched as fast as few. */
const TALLEST = 12;
const FIRST_CAPACITY = 64;

/**
 * One side. The orders of one price stand in a queue, linked in both directions; the queues of all prices, the
 * *levels*, stand in a skip list, best price first. How tall a level is follows from its price, so that the same
 * commands make the same book. Entry 0 of every array means none; among the levels it is the head of the skip list.
 * The arrays grow to the most that ever rested, and stay so.
 *
 * Looking at the first order or the next one takes constant time. So do adding, filling and removing, unless a price
 * is new or runs empty: its place is found in the logarithm of their number.
 */
export class BookSide<Owner> {
  /** 1 where a higher price is better. */
  readonly #sign: 1 | -1;

  // By slot. Free slots are chained through #next.
  readonly #owner: (Owner | undefined)[] = [undefined];
  #remaining = new Float64Array(FIRST_CAPACITY);
  #level = new Int32Array(FIRST_CAPACITY);
  #previous = new Int32Array(FIRST_CAPACITY);
  #next = new Int32Array(FIRST_CAPACITY);
  #slotsEnd = 1;
  #freeSlot = 0;

  // By level. Free levels are chained through #oldest. #worse has TALLEST links of each level, the nearest first.
  readonly #levelOf = new Map<number, number>();
  #price = new Float64Array(FIRST_CAPACITY);
  #quantity = new Float64Array(FIRST_CAPACITY);
  #oldest = new Int32Array(FIRST_CAPACITY);
  #newest = new Int32Array(FIRST_CAPACITY);
  #worse = new Int32Array(FIRST_CAPACITY * TALLEST);
  #levelsEnd = 1;
  #freeLevel = 0;
  /** How tall the tallest level ever was. */
  #height = 1;
  /** By height: the last level before the price that was sought. */
  readonly #path = new Int32Array(TALLEST);

  constructor(sign: 1 | -1) {
    this.#sign = sign;
  }

  /** Rests an order behind all others of its price. `quantity` is above 0, both are safe integers. */
  add(owner: Owner, price: number, quantity: number): Slot {
    const level = this.#levelOf.get(price) ?? this.#openLevel(price);
    const slot = this.#freeSlot || this.#newSlot();
    this.#freeSlot = this.#next[slot] as number;
    const newest = this.#newest[level] as number;
    this.#owner[slot] = owner;
    this.#remaining[slot] = quantity;
    this.#level[slot] = level;
    this.#previous[slot] = newest;
    this.#next[slot] = 0;
    if (newest === 0) this.#oldest[level] = slot;
    else this.#next[newest] = slot;
    this.#newest[level] = slot;
    this.#quantity[level] = (this.#quantity[level] as number) + quantity;
    return slot as Slot;
  }

  /** Takes `quantity`, at most what remains, from an order; it leaves the book when nothing remains. */
  fill(slot: Slot, quantity: number): void {
    const remaining = this.remaining(slot) - quantity;
    if (remaining === 0) {
      this.remove(slot);
      return;
    }
    const level = this.#level[slot] as number;
    this.#remaining[slot] = remaining;
    this.#quantity[level] = (this.#quantity[level] as number) - quantity;
  }

  /** Takes an order out of the book. */
  remove(slot: Slot): void {
    const level = this.#level[slot] as number;
    const previous = this.#previous[slot] as number;
    const next = this.#next[slot] as number;
    if (previous === 0) this.#oldest[level] = next;
    else this.#next[previous] = next;
    if (next === 0) this.#newest[level] = previous;
    else this.#previous[next] = previous;
    this.#quantity[level] = (this.#quantity[level] as number) - this.remaining(slot);
    this.#owner[slot] = undefined;
    this.#next[slot] = this.#freeSlot;
    this.#freeSlot = slot;
    if (this.#oldest[level] === 0) this.#closeLevel(level);
  }

  /** The oldest order at the best price; NO_SLOT where none rests. */
  first(): Slot {
    return this.#oldestBehind(0);
  }

  /** The order that comes after this one: the next of its price, else the first of the next worse price. */
  after(slot: Slot): Slot {
    const next = this.#next[slot] as number;
    return next === 0 ? this.#oldestBehind(this.#level[slot] as number) : (next as Slot);
  }

  owner(slot: Slot): Owner {
    return this.#owner[slot] as Owner;
  }

  price(slot: Slot): number {
    return this.#price[this.#level[slot] as number] as number;
  }

  remaining(slot: Slot): number {
    return this.#remaining[slot] as number;
  }

  /** The `most` best levels, best first. */
  levels(most: number): readonly BookLevel[] {
    const levels: BookLevel[] = [];
    let level = this.#worse[0] as number;
    while (level !== 0 && levels.length < most) {
      levels.push({ price: this.#price[level] as number, quantity: this.#quantity[level] as number });
      level = this.#worse[level * TALLEST] as number;
    }
    return levels;
  }

  /** All that rests at `price`. */
  quantityAt(price: number): number {
    const level = this.#levelOf.get(price);
    return level === undefined ? 0 : (this.#quantity[level] as number);
  }

  /** The oldest order of the level behind this one; level 0 has none. */
  #oldestBehind(level: number): Slot {
    return this.#oldest[this.#worse[level * TALLEST] as number] as Slot;
  }

  #openLevel(price: number): number {
    this.#seek(price);
    const level = this.#freeLevel || this.#newLevel();
    this.#freeLevel = this.#oldest[level] as number;
    this.#levelOf.set(price, level);
    this.#price[level] = price;
    const height = heightOf(price);
    // Where no level was as tall before, the head alone stands before this one, and #path says so: 0.
    this.#height = Math.max(this.#height, height);
    for (let each = 0; each < height; each += 1) {
      const before = (this.#path[each] as number) * TALLEST + each;
      this.#worse[level * TALLEST + each] = this.#worse[before] as number;
      this.#worse[before] = level;
    }
    return level;
  }

  #closeLevel(level: number): void {
    const price = this.#price[level] as number;
    this.#seek(price);
    for (let each = heightOf(price) - 1; each >= 0; each -= 1) {
      const before = (this.#path[each] as number) * TALLEST + each;
      this.#worse[before] = this.#worse[level * TALLEST + each] as number;
    }
    this.#levelOf.delete(price);
    this.#oldest[level] = this.#freeLevel;
    this.#freeLevel = level;
  }

  /** Notes in #path, by height, the last level that is better than `price`. */
  #seek(price: number): void {
    let before = 0;
    for (let height = this.#height - 1; height >= 0; height -= 1) {
      let next = this.#worse[before * TALLEST + height] as number;
      while (next !== 0 && ((this.#price[next] as number) - price) * this.#sign > 0) {
        before = next;
        next = this.#worse[before * TALLEST + height] as number;
      }
      this.#path[height] = before;
    }
  }

  #newSlot(): number {
    if (this.#slotsEnd === this.#next.length) {
      this.#remaining = doubledFloats(this.#remaining);
      this.#level = doubled(this.#level);
      this.#previous = doubled(this.#previous);
      this.#next = doubled(this.#next);
    }
    this.#slotsEnd += 1;
    return this.#slotsEnd - 1;
  }

  #newLevel(): number {
    if (this.#levelsEnd === this.#oldest.length) {
      this.#price = doubledFloats(this.#price);
      this.#quantity = doubledFloats(this.#quantity);
      this.#oldest = doubled(this.#oldest);
      this.#newest = doubled(this.#newest);
      this.#worse = doubled(this.#worse);
    }
    this.#levelsEnd += 1;
    return this.#levelsEnd - 1;
  }
}

/** 1 for three quarters of all prices, 2 for three quarters of the others, and so on, without any pattern. */
function heightOf(price: number): number {
  const mixed = Math.imul(price ^ (price / 2 ** 32), 0x9e3779b1);
  const hash = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
  return Math.min(TALLEST, 1 + (Math.clz32(hash) >>> 1));
}

function doubled(values: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(values.length * 2);
  larger.set(values);
  return larger;
}

function doubledFloats(values: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(values.length * 2);
  larger.set(values);
  return larger;
}
