/**
 * Speed and memory of the venue's matching core, fed with one recorded stream of commands.
 *
 * `core mix` is the book alone, as the reference is one: the venue's own book and take plan (price–time priority,
 * self-trade check, market and limit orders, cancels by order number), without accounts' money, filters, histories or
 * events. `venue mix` is the whole path of `Venue.place` and `Venue.cancel`: filters, exact balances and fees in
 * bigint, client ids, histories kept for ever, and every event told to a listener.
 */
import { execFileSync } from "node:child_process";
import { OrderBook as ReferenceBook } from "nodejs-order-book";
import type { OrderType } from "../src/domain/order.ts";
import type { PriceTicks, QuantityLots } from "../src/domain/amounts.ts";
import type { Slot } from "../src/venue/matching/book.ts";
import { NO_SLOT, OrderBook } from "../src/venue/matching/book.ts";
import { planTake } from "../src/venue/matching/plan-take.ts";
import type { BenchResult } from "./bench.ts";
import { collectGarbage, secondsOf, spreadOf } from "./bench.ts";
import type { Flow, RecordedFlow } from "./matching-flow.ts";
import {
  ACCOUNTS,
  CANCEL,
  MARKET,
  cancelOn,
  createBenchVenue,
  placeOn,
  recordFlow,
} from "./matching-flow.ts";

const SEED = 1;
const PRELOADED = 100_000;
const COMMANDS = 400_000;
const LEAST_RESTING = 80_000;
const ROUNDS = 7;
const WARM_UPS = 3;

/** One of the things that are compared: it plays a stream, and says at the end what came of it. */
interface Engine {
  play(flow: Flow): void;
  readonly restingLots: number;
}

export async function benchMatching(): Promise<readonly BenchResult[]> {
  const flow = recordFlow(SEED, PRELOADED, COMMANDS);
  if (flow.leastResting < LEAST_RESTING) throw new Error(`the book fell to ${flow.leastResting} orders`);
  const engines = [() => new CoreEngine(), () => new VenueEngine(), () => new ReferenceEngine()];
  const rates: [number[], number[], number[]] = [[], [], []];
  for (let round = -WARM_UPS; round < ROUNDS; round += 1) {
    for (const [index, create] of engines.entries()) {
      const rate = rateOf(create(), flow);
      // The compiler optimises while the first rounds run.
      if (round >= 0) rates[index]?.push(rate);
    }
  }
  const [core, venue, bare] = rates;
  const reference = { name: "nodejs-order-book", value: spreadOf(bare).median };
  return [
    speed("matching: core mix", core, reference),
    speed("matching: venue mix", venue, reference),
    ...measureMemory(),
  ];
}

function speed(
  name: string,
  rates: readonly number[],
  reference: { name: string; value: number },
): BenchResult {
  const { median, min, max } = spreadOf(rates);
  return { name, value: median, unit: "orders/s", min, max, reference, ratio: median / reference.value };
}

/** Commands a second. Throws where the engine ends with another book than the venue did. */
function rateOf(engine: Engine, { preload, mix, restingLots }: RecordedFlow): number {
  engine.play(preload);
  collectGarbage();
  const rate = mix.length / secondsOf(() => engine.play(mix));
  if (engine.restingLots !== restingLots) {
    throw new Error(`${engine.constructor.name} ends with ${engine.restingLots} lots, not ${restingLots}`);
  }
  return rate;
}

/** In a process of its own, where nothing else was allocated before. */
function measureMemory(): readonly BenchResult[] {
  const args = [process.argv[1] ?? "", "matching-memory", "--json"];
  const lines = execFileSync(process.execPath, args, { encoding: "utf8" }).trim().split("\n");
  const told = JSON.parse(lines.at(-1) ?? "") as { results: readonly BenchResult[] };
  return told.results;
}

interface CoreOrder {
  readonly trader: object;
  readonly isBuy: boolean;
  slot: Slot;
}

class CoreEngine implements Engine {
  readonly #book = new OrderBook<CoreOrder>();
  readonly #traders = ACCOUNTS.map((account) => ({ account }));
  /** By number; undefined where it never rested. */
  readonly #orders: (CoreOrder | undefined)[] = [undefined];

  get restingLots(): number {
    return lotsIn([true, false].flatMap((isBuy) => this.#book.side(isBuy).levels(Infinity)));
  }

  play({ length, kind, account, isBuy, price, quantity, target }: Flow): void {
    for (let row = 0; row < length; row += 1) {
      if (kind[row] === CANCEL) {
        this.#cancel(target[row] as number);
      } else {
        this.#place(
          this.#traders[account[row] as number] as object,
          isBuy[row] === 1,
          kind[row] === MARKET ? "market" : "limit",
          price[row] as PriceTicks,
          quantity[row] as QuantityLots,
        );
      }
    }
  }

  #place(trader: object, isBuy: boolean, type: OrderType, price: PriceTicks, quantity: QuantityLots): void {
    const makers = this.#book.side(!isBuy);
    const incoming = { side: isBuy ? ("buy" as const) : ("sell" as const), type, price, quantity };
    const take = planTake(makers, undefined, trader, incoming, "expire_maker");
    for (const part of take.parts) if (part.maker) makers.fill(part.maker.slot, part.quantity);
    const left = quantity - take.quantity;
    let order: CoreOrder | undefined;
    if (left > 0) {
      order = { trader, isBuy, slot: NO_SLOT };
      order.slot = this.#book.side(isBuy).add(order, price, left);
    }
    this.#orders.push(order);
  }

  #cancel(number: number): void {
    const order = this.#orders[number];
    if (!order) throw new Error(`order ${number} does not rest`);
    this.#book.side(order.isBuy).remove(order.slot);
    order.slot = NO_SLOT;
  }
}

class VenueEngine implements Engine {
  #events = 0;
  readonly #venue = createBenchVenue(() => {
    this.#events += 1;
  });

  get restingLots(): number {
    if (this.#events === 0) throw new Error("the venue told nothing");
    return lotsIn([true, false].flatMap((isBuy) => this.#venue.depth("BTC/USDT", isBuy, Infinity)));
  }

  play({ length, kind, account, isBuy, price, quantity, target }: Flow): void {
    for (let row = 0; row < length; row += 1) {
      const name = ACCOUNTS[account[row] as number] as string;
      if (kind[row] === CANCEL) {
        cancelOn(this.#venue, name, target[row] as number);
      } else {
        const side = isBuy[row] === 1 ? "buy" : "sell";
        placeOn(this.#venue, name, side, kind[row] as number, price[row] as number, quantity[row] as number);
      }
    }
  }
}

class ReferenceEngine implements Engine {
  readonly #book = new ReferenceBook();
  #number = 0;

  get restingLots(): number {
    const [asks, bids] = this.#book.depth();
    return lotsIn([...asks, ...bids].map(([, quantity]) => ({ quantity })));
  }

  play({ length, kind, isBuy, price, quantity, target }: Flow): void {
    for (let row = 0; row < length; row += 1) {
      if (kind[row] === CANCEL) {
        this.#book.cancel(String(target[row]));
        continue;
      }
      this.#number += 1;
      const side = (isBuy[row] === 1 ? "buy" : "sell") as ReferenceSide;
      const size = quantity[row] as number;
      const result =
        kind[row] === MARKET
          ? this.#book.market({ side, size })
          : this.#book.limit({ id: String(this.#number), side, size, price: price[row] as number });
      if (result.err) throw new Error("the reference refuses an order", { cause: result.err });
    }
  }
}

type ReferenceSide = Parameters<ReferenceBook["market"]>[0]["side"];

function lotsIn(levels: readonly { readonly quantity: number }[]): number {
  return levels.reduce((sum, { quantity }) => sum + quantity, 0);
}
