/** The commands that the matching bench gives to every engine: one stream, made once, in plain integer columns. */
import type { PriceTicks, QuantityLots } from "../src/domain/amounts.ts";
import { money } from "../src/domain/amounts.ts";
import type { ClientOrderId, Instant, Side } from "../src/domain/ids.ts";
import { createInstrument } from "../src/domain/instrument.ts";
import { createRandom, wholeBetween } from "../src/venue/market/random.ts";
import type { VenueEvent } from "../src/venue/matching/commands.ts";
import { Venue } from "../src/venue/matching/venue.ts";

/** As Binance lists it, with the usual 0.1 % of fees. */
export const INSTRUMENT = createInstrument({
  exchange: "sim",
  symbol: "BTC/USDT",
  tickSize: "0.01",
  lotSize: "0.00001",
  minNotional: "0.01",
  makerFee: "0.001",
  takerFee: "0.001",
});
const ALWAYS = Number.MAX_SAFE_INTEGER as Instant;
/** More of every asset than can be spent. */
const WEALTH = money(10n ** 36n);
const START_PRICE = 3_000_000;
/** How far behind the best price of its side an order rests at most, in ticks. */
const DEPTH_TICKS = 1_000;
/** The first so many accounts rest orders and the others take: nobody meets himself, which the reference ignores. */
const MAKERS = 50;
export const ACCOUNTS: readonly string[] = Array.from(
  { length: 2 * MAKERS },
  (_, index) => `account ${index}`,
);

export const LIMIT = 0;
export const MARKET = 1;
export const CANCEL = 2;

/** One command each row; what a row does not need is 0. Orders are numbered from 1 in the order of their placing. */
export interface Flow {
  readonly length: number;
  readonly kind: Uint8Array;
  readonly account: Uint8Array;
  /** 1: a buy. */
  readonly isBuy: Uint8Array;
  readonly price: Float64Array;
  readonly quantity: Float64Array;
  /** The number of the order to cancel. */
  readonly target: Int32Array;
}

export interface RecordedFlow {
  /** Orders that come to rest in the empty book. */
  readonly preload: Flow;
  /** 40 % crossing limits, 40 % resting limits, 10 % market orders, 10 % cancels of orders that still rest. */
  readonly mix: Flow;
  /** What rests at the end, both sides together. */
  readonly restingLots: number;
  /** How many orders rested when they were fewest. */
  readonly leastResting: number;
}

/** Draws the commands from a seed, following the book that they make. */
export function recordFlow(seed: number, preloaded: number, commands: number): RecordedFlow {
  return new Recorder(seed).record(preloaded, commands);
}

export function createBenchVenue(listen?: (event: VenueEvent) => void): Venue {
  const venue = new Venue({ instruments: [INSTRUMENT], depth: "book", ...(listen ? { listen } : {}) });
  for (const account of ACCOUNTS) {
    for (const asset of [INSTRUMENT.base, INSTRUMENT.quote]) venue.deposit(account, asset, WEALTH);
  }
  return venue;
}

/** Plays the stream to a venue while it is drawn. */
class Recorder {
  readonly #random: () => number;
  readonly #venue: Venue;
  readonly #resting: number[] = [];
  readonly #placeOf = new Map<number, number>();
  readonly #accountOf: number[] = [0];

  constructor(seed: number) {
    this.#random = createRandom(seed);
    this.#venue = createBenchVenue((event) => this.#note(event));
  }

  record(preloaded: number, commands: number): RecordedFlow {
    const preload = emptyFlow(preloaded);
    for (let row = 0; row < preloaded; row += 1) this.#rest(preload, row);
    const mix = emptyFlow(commands);
    let leastResting = this.#resting.length;
    for (let row = 0; row < commands; row += 1) {
      const draw = this.#random() % 10;
      if (draw < 4) this.#rest(mix, row);
      else if (draw < 8) this.#take(mix, row, LIMIT);
      else if (draw < 9) this.#take(mix, row, MARKET);
      else this.#cancel(mix, row);
      leastResting = Math.min(leastResting, this.#resting.length);
    }
    const restingLots = [true, false]
      .flatMap((isBuy) => this.#venue.depth(INSTRUMENT.symbol, isBuy, Infinity))
      .reduce((sum, { quantity }) => sum + quantity, 0);
    return { preload, mix, restingLots, leastResting };
  }

  /** Behind the best of its side, at it, or one tick better where that crosses nothing. */
  #rest(flow: Flow, row: number): void {
    const isBuy = this.#random() % 2 === 0;
    const sign = isBuy ? 1 : -1;
    const best = this.#best(isBuy) ?? START_PRICE - sign;
    const wanted = best + sign * (1 - wholeBetween(this.#random, 0, DEPTH_TICKS));
    const other = this.#best(!isBuy) ?? START_PRICE + sign;
    const price = isBuy ? Math.min(wanted, other - 1) : Math.max(wanted, other + 1);
    const account = this.#random() % MAKERS;
    this.#place(flow, row, LIMIT, account, isBuy, price, wholeBetween(this.#random, 1, 100));
  }

  #take(flow: Flow, row: number, kind: number): void {
    const isBuy = this.#random() % 2 === 0;
    const price = (this.#best(!isBuy) ?? 0) + (isBuy ? 1 : -1) * wholeBetween(this.#random, 10, 20);
    const account = MAKERS + (this.#random() % MAKERS);
    this.#place(flow, row, kind, account, isBuy, price, wholeBetween(this.#random, 1, 60));
  }

  #cancel(flow: Flow, row: number): void {
    const target = this.#resting[this.#random() % this.#resting.length] ?? 0;
    flow.kind[row] = CANCEL;
    flow.account[row] = this.#accountOf[target] ?? 0;
    flow.target[row] = target;
    cancelOn(this.#venue, ACCOUNTS[flow.account[row] ?? 0] ?? "", target);
  }

  #place(
    flow: Flow,
    row: number,
    kind: number,
    account: number,
    isBuy: boolean,
    price: number,
    quantity: number,
  ): void {
    flow.kind[row] = kind;
    flow.account[row] = account;
    flow.isBuy[row] = isBuy ? 1 : 0;
    flow.price[row] = price;
    flow.quantity[row] = quantity;
    this.#accountOf.push(account);
    placeOn(this.#venue, ACCOUNTS[account] ?? "", isBuy ? "buy" : "sell", kind, price, quantity);
  }

  #best(isBuy: boolean): number | undefined {
    return this.#venue.bestPrice(INSTRUMENT.symbol, isBuy);
  }

  #note(event: VenueEvent): void {
    if (event.kind === "fill") return;
    const { exchangeOrderId, status } = event.order;
    const number = Number(exchangeOrderId);
    const place = this.#placeOf.get(number);
    if (status === "open" && place === undefined) {
      this.#placeOf.set(number, this.#resting.push(number) - 1);
    } else if (status !== "open" && place !== undefined) {
      const last = this.#resting.pop() ?? number;
      if (last !== number) {
        this.#resting[place] = last;
        this.#placeOf.set(last, place);
      }
      this.#placeOf.delete(number);
    }
  }
}

/** Throws where the venue does not take the order: the stream has none that it may refuse. */
export function placeOn(
  venue: Venue,
  account: string,
  side: Side,
  kind: number,
  price: number,
  quantity: number,
  id?: string,
): void {
  const result = venue.place(
    {
      account,
      symbol: INSTRUMENT.symbol,
      id: id as ClientOrderId | undefined,
      side,
      type: kind === MARKET ? "market" : "limit",
      price: price as PriceTicks,
      quantity: quantity as QuantityLots,
      validUntil: ALWAYS,
    },
    NOW,
  );
  if (result.kind !== "accepted") throw new Error(`the venue answers ${JSON.stringify(result)}`);
}

export function cancelOn(venue: Venue, account: string, target: number): void {
  const { symbol } = INSTRUMENT;
  const result = venue.cancel({ account, symbol, exchangeOrderId: String(target), validUntil: ALWAYS }, NOW);
  if (result.kind !== "canceled")
    throw new Error(`the venue answers ${result.kind} to a cancel of ${target}`);
}

/** Too large for 32 bits, as every real instant is. */
const NOW = Date.UTC(2026, 0, 1) as Instant;

function emptyFlow(length: number): Flow {
  return {
    length,
    kind: new Uint8Array(length),
    account: new Uint8Array(length),
    isBuy: new Uint8Array(length),
    price: new Float64Array(length),
    quantity: new Float64Array(length),
    target: new Int32Array(length),
  };
}
