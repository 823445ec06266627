/** The exchange port in front of a simulated world: one account, answers and hints that come a moment later. */
import { invariant } from "../../domain/assert.ts";
import type { Clock } from "../../domain/clock.ts";
import { QuantmeshError, hasCode } from "../../domain/errors.ts";
import type { Exchange, FillPage } from "../exchange.ts";
import type { Hints } from "./hints.ts";
import { exchangeOrderOf } from "./hints.ts";
import type { SimWorld } from "./sim-world.ts";

/** How many trades a page of fills repeats. */
const FILL_OVERLAP = 20;

export interface SimPortOptions {
  readonly name: string;
  readonly requestWindowMs: number;
  readonly settleMs: number;
  readonly world: SimWorld;
  readonly hints: Hints;
  readonly clock: Clock;
}

/** `close` ends the subscriptions; the market belongs to whoever opened it. */
export function createSimPort(options: SimPortOptions): Exchange {
  const { name, requestWindowMs, settleMs, world, hints, clock } = options;
  const { account } = world;
  return {
    name,
    account,
    requestWindowMs,
    settleMs,
    async time() {
      world.assertUsable();
      return world.tell(clock.now());
    },
    async instrument(symbol) {
      return world.venue.instrument(symbol);
    },
    async price(symbol) {
      const price = world.venue.price(symbol);
      if (!price) throw new QuantmeshError("EXCHANGE_UNAVAILABLE", `${symbol} has no price yet`);
      return price;
    },
    async placeOrder(request) {
      return answer(() => world.place(request, clock.now()));
    },
    async cancelOrder(request) {
      return answer(() => world.cancel(request, clock.now()));
    },
    async findOrder(symbol, id) {
      const order = world.venue.findByClientId(account, symbol, id);
      return order && exchangeOrderOf(order);
    },
    async openOrders(symbol) {
      return world.venue.openOrders(account, symbol).map(exchangeOrderOf);
    },
    async ordersSince(symbol, since) {
      return world.venue.ordersSince(account, symbol, since).map(exchangeOrderOf);
    },
    async fillsSince(symbol, cursor): Promise<FillPage> {
      const after = Number(cursor ?? 0) - FILL_OVERLAP;
      invariant(Number.isSafeInteger(after), `"${cursor}" is not a cursor of this exchange`);
      const fills = world.venue.fillsAfter(account, symbol, after);
      return { fills, cursor: fills.at(-1)?.tradeId ?? cursor ?? "0" };
    },
    async balances() {
      return world.venue.balances(account);
    },
    subscribe: (symbol, listen) => hints.subscribe(symbol, listen),
    async ping() {
      world.assertUsable();
    },
    async close() {
      hints.clear();
    },
  };

  /** A failed journal is an exchange that does not answer; a second process on it is for people to end. */
  function answer<Outcome>(carryOut: () => Outcome): Outcome | { kind: "unknown"; message: string } {
    try {
      const outcome = carryOut();
      hints.deliverSoon(world.takeEvents());
      return outcome;
    } catch (error) {
      if (hasCode(error, "EXCHANGE_UNAVAILABLE")) return { kind: "unknown", message: error.message };
      throw error;
    }
  }
}
