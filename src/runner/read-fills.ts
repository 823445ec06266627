/** Reads the exchange's list of fills and finds those of this bot that are not stored yet. */
import type { Execution, Fill } from "../domain/fill.ts";
import type { Bot } from "../domain/grid.ts";
import type { Instant } from "../domain/ids.ts";
import type { Log } from "../domain/log.ts";
import type { OrderRef } from "../domain/order.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { GridState } from "../strategy/state.ts";
import { workingOrders } from "../strategy/working-orders.ts";
import type { Books } from "./books.ts";
import { refOf } from "../strategy/order-ref.ts";

export interface NewFills {
  readonly fills: readonly { readonly order: OrderRef; readonly execution: Execution }[];
  /** To be stored once these fills are; undefined where the list must be read from the same place again. */
  readonly cursor: string | undefined;
}

export interface FillReaderOptions {
  readonly exchange: Exchange;
  readonly books: Pick<Books, "unstoredFills" | "findOrderByExchangeId" | "deliveredFills">;
  readonly log: Log;
  readonly bot: Bot;
  readonly state: () => GridState;
  /** Exchange time. */
  readonly now: () => Instant;
}

const HOUR_MS = 3_600_000;
/** How far before a fill its order is looked for: most are young, an old one is worth a long list. */
const LOOK_BACK_MS = [HOUR_MS, 24 * HOUR_MS, Number.POSITIVE_INFINITY];
/** The order of a fill that is older than this, and that no list shows, is not looked for any more. */
const CLAIMABLE_MS = HOUR_MS;

export class FillReader {
  readonly #options: FillReaderOptions;
  /** Exchange ids of somebody else's orders, of those that the last page showed. */
  #foreign: ReadonlySet<string> = new Set();

  constructor(options: FillReaderOptions) {
    this.#options = options;
  }

  /**
   * The exchange's list after `cursor`, and what a spool has delivered. `known` maps exchange order ids to orders seen
   * in this round; working and stored orders are known anyway. What belongs to none of them is looked up in the order history: an order that was given up may have executed after
   * all. The cursor stays before a fill until its owner is known.
   */
  async read(cursor: string | undefined, known: ReadonlyMap<string, OrderRef>): Promise<NewFills> {
    const { exchange, books, bot, state } = this.#options;
    const page = await exchange.fillsSince(bot.market.symbol, cursor);
    const delivered = await books.deliveredFills();
    const unstored = await books.unstoredFills(merge(delivered, page.fills));
    const owners = new Map(known);
    for (const { exchangeOrderId, id } of delivered) {
      const order = refOf(bot, id);
      if (order) owners.set(exchangeOrderId, order);
    }
    // Whatever the page shows was sent before: the state of now knows it.
    for (const order of workingOrders(state())) {
      if ("exchangeOrderId" in order) owners.set(order.exchangeOrderId, order.terms);
    }
    const foreign = new Set<string>();
    const unclaimed = await this.#claimStored(unstored, owners, foreign);
    const isOwned = unclaimed.length === 0 || (await this.#claimListed(unclaimed, owners, foreign));
    this.#foreign = foreign;
    return {
      fills: unstored.flatMap((execution) => {
        const order = owners.get(execution.exchangeOrderId);
        return order ? { order, execution } : [];
      }),
      cursor: isOwned ? page.cursor : undefined,
    };
  }

  /** Adds the stored orders of `fills` to `owners`; returns the fills whose order is neither stored nor foreign. */
  async #claimStored(
    fills: readonly Execution[],
    owners: Map<string, OrderRef>,
    foreign: Set<string>,
  ): Promise<readonly Execution[]> {
    const { books, bot } = this.#options;
    const unclaimed: Execution[] = [];
    for (const execution of fills) {
      const { exchangeOrderId, at } = execution;
      if (owners.has(exchangeOrderId)) continue;
      const order = await books.findOrderByExchangeId(exchangeOrderId);
      if (order) owners.set(exchangeOrderId, order);
      else if (this.#foreign.has(exchangeOrderId)) foreign.add(exchangeOrderId);
      else if (at >= bot.createdAt - HOUR_MS) unclaimed.push(execution);
    }
    return unclaimed;
  }

  /** Finds the orders of `fills` in the exchange's history; false where one may still turn out to be ours. */
  async #claimListed(
    fills: readonly Execution[],
    owners: Map<string, OrderRef>,
    foreign: Set<string>,
  ): Promise<boolean> {
    const { exchange, bot, log, now } = this.#options;
    const { symbol } = bot.market;
    const oldest = Math.min(...fills.map(({ at }) => at));
    const listed = new Map<string, OrderRef | undefined>();
    const isListed = ({ exchangeOrderId }: Execution): boolean => listed.has(exchangeOrderId);
    for (const lookBackMs of LOOK_BACK_MS) {
      const since = Math.max(bot.createdAt - HOUR_MS, oldest - lookBackMs) as Instant;
      for (const order of await exchange.ordersSince(symbol, since)) {
        listed.set(order.exchangeOrderId, refOf(bot, order.id));
      }
      if (fills.every(isListed)) break;
    }
    let isOwned = true;
    for (const { exchangeOrderId, tradeId, at } of fills) {
      const order = listed.get(exchangeOrderId);
      if (order) owners.set(exchangeOrderId, order);
      else if (listed.has(exchangeOrderId)) foreign.add(exchangeOrderId);
      // An order may show later in the history than its fill in the list; not for ever.
      else if (now() - at <= CLAIMABLE_MS) isOwned = false;
      else {
        foreign.add(exchangeOrderId);
        log.error({ symbol, tradeId, exchangeOrderId }, "fill.unclaimed");
      }
    }
    return isOwned;
  }
}

/** Both lists as one, oldest first, each fill once. */
function merge(delivered: readonly Fill[], listed: readonly Execution[]): readonly Execution[] {
  if (delivered.length === 0) return listed;
  const keyOf = ({ tradeId, side }: Execution): string => `${tradeId} ${side}`;
  const keys = new Set(listed.map(keyOf));
  const others = delivered.filter((fill) => !keys.has(keyOf(fill)));
  return [...others, ...listed].sort((a, b) => a.at - b.at);
}
