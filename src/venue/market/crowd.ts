/** Other users of a simulated exchange, who trade with the bot and with each other. */
import type { PriceTicks } from "../../domain/amounts.ts";
import { money, priceTicks, quantityLots } from "../../domain/amounts.ts";
import { divideUp } from "../../domain/decimal.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Instant, Side } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import { createRandom, seedOf, wholeBetween } from "./random.ts";
import type { FillRule } from "../matching/commands.ts";
import type { Venue } from "../matching/venue.ts";

/** All whole numbers. A market with a crowd has the depth of its book, one without has unlimited depth. */
export interface CrowdOptions {
  /** Any integer; 1 unless given. The same seed does the same at the same point of the market's history. */
  readonly seed?: number;
  /** How many users there are; 5 unless given. */
  readonly users?: number;
  /** How many orders come to rest at each point; 4 unless given. */
  readonly ordersPerPoint?: number;
  /** How many orders at most take what a point's price crosses by up to `depthTicks`; 3 unless given. */
  readonly takesPerPoint?: number;
  /** How far from the price orders rest at most, in ticks; 20 unless given. */
  readonly depthTicks?: number;
  /** The largest quantity of an order, in lots; 100 unless given. */
  readonly maxQuantity?: number;
  /** After how many points an order that still rests is cancelled; 20 unless given. */
  readonly lifePoints?: number;
}

const DEFAULTS: Required<CrowdOptions> = {
  seed: 1,
  users: 5,
  ordersPerPoint: 4,
  takesPerPoint: 3,
  depthTicks: 20,
  maxQuantity: 100,
  lifePoints: 20,
};
/** What each user begins with of every asset: more than can be spent. */
const WEALTH = money(10n ** 40n);
/** No point takes more than so many orders to sweep up. */
const MOST_SWEEPS = 1_000;
/** Requests of users never travel. */
const ALWAYS = Number.MAX_SAFE_INTEGER as Instant;

/** Fills in what is not given. Throws CONFIG_INVALID where a number makes no sense. */
export function completeCrowd(options: CrowdOptions): Required<CrowdOptions> {
  const crowd = { ...DEFAULTS, ...options };
  for (const [name, value] of Object.entries(crowd)) {
    const least = name === "seed" ? Number.MIN_SAFE_INTEGER : 1;
    if (Number.isSafeInteger(value) && value >= least) continue;
    throw new QuantmeshError("CONFIG_INVALID", `the crowd's ${name} is ${value}, not a whole number above 0`);
  }
  return crowd;
}

/** The accounts of the users. */
export function crowdAccounts({ users }: Required<CrowdOptions>): readonly string[] {
  return Array.from({ length: users }, (_, index) => `crowd ${index + 1}`);
}

/** What the users remember of one symbol. */
export interface CrowdState {
  readonly symbol: string;
  readonly points: number;
  readonly resting: readonly RestingOrder[];
}

export interface RestingOrder {
  readonly account: string;
  readonly exchangeOrderId: string;
  readonly side: Side;
  readonly price: PriceTicks;
  /** How many points of its symbol there had been. */
  readonly bornAt: number;
}

interface Place {
  readonly instrument: Instrument;
  points: number;
  resting: RestingOrder[];
}

/**
 * Users who act at each point of a symbol: they cancel what is old or was overtaken by the price, take what the price
 * crosses (little of what is within `depthTicks` of it, all that is beyond), and rest new orders around it. All that
 * they do follows from the seed and the position.
 */
export class Crowd {
  readonly #options: Required<CrowdOptions>;
  readonly #accounts: readonly string[];
  readonly #venue: Venue;
  readonly #places = new Map<string, Place>();

  constructor(options: Required<CrowdOptions>, venue: Venue, instruments: readonly Instrument[]) {
    this.#options = options;
    this.#accounts = crowdAccounts(options);
    this.#venue = venue;
    for (const instrument of instruments) {
      this.#places.set(instrument.symbol, { instrument, points: 0, resting: [] });
      for (const account of this.#accounts) {
        for (const asset of [instrument.base, instrument.quote]) venue.deposit(account, asset, WEALTH);
      }
    }
  }

  state(): readonly CrowdState[] {
    return [...this.#places].map(([symbol, { points, resting }]) => ({
      symbol,
      points,
      resting: [...resting],
    }));
  }

  /** Goes on from `state`, in a venue that did so too. */
  restore(state: readonly CrowdState[]): void {
    for (const { symbol, points, resting } of state) {
      const place = this.#places.get(symbol);
      if (place) Object.assign(place, { points, resting: [...resting] });
    }
  }

  /** Acts on a market that has just moved to `price`. */
  act(symbol: string, price: PriceTicks, fill: FillRule, position: number, at: Instant): void {
    const place = this.#places.get(symbol);
    if (!place) return;
    const random = createRandom(seedOf(this.#options.seed, symbol, position));
    this.#cancel(place, price, random, at);
    this.#take(place, price, this.#options.depthTicks + 1, MOST_SWEEPS, random, at);
    this.#take(place, price, fill === "touch" ? 0 : 1, this.#options.takesPerPoint, random, at);
    // The first orders are as many as later rest at a time, so that there is a book from the start.
    const { ordersPerPoint, lifePoints } = this.#options;
    const count = place.points === 0 ? ordersPerPoint * lifePoints : ordersPerPoint;
    for (let order = 0; order < count; order += 1) this.#rest(place, price, random, at);
    place.points += 1;
  }

  /** Takes at once what an order that has just come leaves far beyond the price: nobody leaves such money lying. */
  sweep(symbol: string, position: number, at: Instant): void {
    const place = this.#places.get(symbol);
    const price = this.#venue.price(symbol)?.price;
    if (!place || price === undefined) return;
    const random = createRandom(seedOf(this.#options.seed, symbol, position, "sweep"));
    this.#take(place, price, this.#options.depthTicks + 1, MOST_SWEEPS, random, at);
  }

  /** Whose order was overtaken notices it half of the time. */
  #cancel(place: Place, price: PriceTicks, random: () => number, at: Instant): void {
    place.resting = place.resting.filter((order) => {
      const isOld = place.points - order.bornAt > this.#options.lifePoints;
      const isOvertaken = order.side === "buy" ? order.price > price : order.price < price;
      if (!isOld && !(isOvertaken && random() % 2 === 0)) return true;
      const { account, exchangeOrderId } = order;
      const { symbol } = place.instrument;
      this.#venue.cancel({ account, symbol, exchangeOrderId, validUntil: ALWAYS }, at);
      return false;
    });
  }

  /** Takes what the price crosses: at most so many times, or as long as it is crossed by more than `beyond`. */
  #take(
    place: Place,
    price: PriceTicks,
    beyond: number,
    most: number,
    random: () => number,
    at: Instant,
  ): void {
    const { symbol } = place.instrument;
    for (let take = 0; take < most; take += 1) {
      const [bid, ask] = [this.#venue.bestPrice(symbol, true), this.#venue.bestPrice(symbol, false)];
      if (bid !== undefined && bid >= price + beyond) {
        this.#place(place, "sell", "limit", price + beyond, random, at);
      } else if (ask !== undefined && ask <= price - beyond) {
        this.#place(place, "buy", "limit", price - beyond, random, at);
      } else {
        return;
      }
    }
  }

  #rest(place: Place, price: PriceTicks, random: () => number, at: Instant): void {
    const side = random() % 2 === 0 ? "buy" : "sell";
    const distance = wholeBetween(random, 1, this.#options.depthTicks);
    const limit = side === "buy" ? price - distance : price + distance;
    const order = this.#place(place, side, "limit_maker", limit, random, at);
    if (order) place.resting.push({ ...order, bornAt: place.points });
  }

  /** A random user's order of a random size; undefined where the market refuses it. */
  #place(
    { instrument }: Place,
    side: Side,
    type: "limit" | "limit_maker",
    limit: number,
    random: () => number,
    at: Instant,
  ): Omit<RestingOrder, "bornAt"> | undefined {
    const price = priceTicks(limit);
    const account = this.#accounts[random() % this.#accounts.length] ?? "";
    const least = leastQuantity(instrument, price);
    const quantity = quantityLots(wholeBetween(random, least, Math.max(least, this.#options.maxQuantity)));
    const result = this.#venue.place(
      {
        account,
        symbol: instrument.symbol,
        id: undefined,
        side,
        type,
        price,
        quantity,
        timeInForce: type === "limit" ? "IOC" : "GTC",
        validUntil: ALWAYS,
      },
      at,
    );
    if (result.kind !== "accepted") return undefined;
    return { account, exchangeOrderId: result.exchangeOrderId, side, price };
  }
}

/** The smallest order that the market takes at `price`. */
function leastQuantity({ minQuantity, minNotional, notionalUnit }: Instrument, price: PriceTicks): number {
  if (price <= 0) return minQuantity;
  const lots = Number(divideUp(minNotional, BigInt(price) * notionalUnit));
  return Math.max(1, minQuantity, lots);
}
