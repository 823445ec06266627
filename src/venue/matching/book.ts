/** A price–time priority limit order book in plain integers: it knows neither accounts nor money. */

/** One resting order; `owner` is whatever the caller wants to find again. */
export class BookOrder<Owner> {
  readonly owner: Owner;
  readonly isBuy: boolean;
  readonly price: number;
  remaining: number;
  /** Where it rests; undefined before and after. Owned by the book, like its two neighbours. */
  level: Level<Owner> | undefined = undefined;
  previous: BookOrder<Owner> | undefined = undefined;
  next: BookOrder<Owner> | undefined = undefined;

  constructor(owner: Owner, isBuy: boolean, price: number, remaining: number) {
    this.owner = owner;
    this.isBuy = isBuy;
    this.price = price;
    this.remaining = remaining;
  }
}

/** Rests orders, finds the best one, and takes from it; cancelling by the order object takes constant time. */
export class OrderBook<Owner> {
  readonly #bids = new BookSide<Owner>(1);
  readonly #asks = new BookSide<Owner>(-1);

  /** Rests `order` behind all others of its price. */
  add(order: BookOrder<Owner>): void {
    this.#side(order.isBuy).add(order);
  }

  /** Takes `order` out of the book; nothing happens where it does not rest. */
  cancel(order: BookOrder<Owner>): void {
    if (order.level) this.#side(order.isBuy).remove(order, order.level);
  }

  /** Takes `quantity` from a resting order; it leaves the book when nothing remains. */
  fill(order: BookOrder<Owner>, quantity: number): void {
    order.remaining -= quantity;
    if (order.remaining === 0) this.cancel(order);
  }

  /** The oldest order at the best price: the highest of the buys, the lowest of the sells. */
  best(isBuy: boolean): BookOrder<Owner> | undefined {
    return this.#side(isBuy).best();
  }

  /** One side, best price first, then oldest first. The book must not change meanwhile. */
  inPriority(isBuy: boolean): Generator<BookOrder<Owner>> {
    return this.#side(isBuy).inPriority();
  }

  #side(isBuy: boolean): BookSide<Owner> {
    return isBuy ? this.#bids : this.#asks;
  }
}

/** The queue of one price. */
interface Level<Owner> {
  readonly price: number;
  head: BookOrder<Owner> | undefined;
  tail: BookOrder<Owner> | undefined;
}

const MIN_EMPTY_TO_SWEEP = 64;

/**
 * The levels of one side, the best one last. A level that runs empty stays in its place, because prices return,
 * until it is the best or until half of all levels are empty.
 */
class BookSide<Owner> {
  readonly #sign: 1 | -1;
  readonly #byPrice = new Map<number, Level<Owner>>();
  #levels: Level<Owner>[] = [];
  #empty = 0;

  constructor(sign: 1 | -1) {
    this.#sign = sign;
  }

  add(order: BookOrder<Owner>): void {
    const level = this.#byPrice.get(order.price) ?? this.#insertLevel(order.price);
    order.level = level;
    order.previous = level.tail;
    if (level.tail) {
      level.tail.next = order;
    } else {
      level.head = order;
      this.#empty -= 1;
    }
    level.tail = order;
  }

  remove(order: BookOrder<Owner>, level: Level<Owner>): void {
    if (order.previous) order.previous.next = order.next;
    else level.head = order.next;
    if (order.next) order.next.previous = order.previous;
    else level.tail = order.previous;
    order.level = undefined;
    order.previous = undefined;
    order.next = undefined;
    if (level.head) return;
    this.#empty += 1;
    if (this.#empty > MIN_EMPTY_TO_SWEEP && this.#empty * 2 > this.#levels.length) this.#sweep();
  }

  best(): BookOrder<Owner> | undefined {
    for (
      let level = this.#levels[this.#levels.length - 1];
      level;
      level = this.#levels[this.#levels.length - 1]
    ) {
      if (level.head) return level.head;
      this.#levels.pop();
      this.#byPrice.delete(level.price);
      this.#empty -= 1;
    }
    return undefined;
  }

  *inPriority(): Generator<BookOrder<Owner>> {
    for (let index = this.#levels.length - 1; index >= 0; index -= 1) {
      for (let order = this.#levels[index]?.head; order; order = order.next) yield order;
    }
  }

  #insertLevel(price: number): Level<Owner> {
    const level: Level<Owner> = { price, head: undefined, tail: undefined };
    this.#byPrice.set(price, level);
    this.#empty += 1;
    const at = this.#placeOf(price);
    if (at === this.#levels.length) this.#levels.push(level);
    else this.#levels.splice(at, 0, level);
    return level;
  }

  /** The number of levels that are worse than `price`. */
  #placeOf(price: number): number {
    let low = 0;
    let high = this.#levels.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#levels[middle];
      if (other && (price - other.price) * this.#sign > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #sweep(): void {
    for (const level of this.#levels) if (!level.head) this.#byPrice.delete(level.price);
    this.#levels = this.#levels.filter((level) => level.head);
    this.#empty = 0;
  }
}
