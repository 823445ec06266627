/** Several instances that want more of an exchange's limits than there is, and what the exchange says to that. */
import { setTimeout as pause } from "node:timers/promises";
import { priceTicks, quantityLots } from "../../src/domain/amounts.ts";
import { hasCode } from "../../src/domain/errors.ts";
import type { Instant, Side } from "../../src/domain/ids.ts";
import { botCode, generation, instant, slotNumber } from "../../src/domain/ids.ts";
import type { OrderTerms } from "../../src/domain/order.ts";
import type { CcxtExchange } from "../../src/exchange/ccxt/ccxt-exchange.ts";
import type { RedisConnection } from "../../src/lock/connect-redis.ts";
import { connectRedis } from "../../src/lock/connect-redis.ts";
import { encodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import { openOnVenue } from "./ccxt-on-venue.ts";
import type { VenueProcess } from "./venue-process.ts";

const SYMBOL = "BTC/USDT";
const CODE = botCode("limitslab0");
/** What the requests of the lab cost of the weight. */
const WEIGHTS = { place: 1, cancel: 1, balances: 20, findOrder: 4 } as const;

const LOOKUP_EVERY_MS = 2_000;

export interface LimitLab {
  /**
   * For so long: as many orders and lists as there is room for, and now and then a lookup. Orders and lookups alone do
   * not use up the weight that lists leave.
   */
  press(forMs: number): Promise<void>;
  /** The exchange's clock is so far ahead of the computer's now. */
  synchronize(clockOffset: number): Promise<void>;
  /** What was sent in each interval of the exchange, in its order; the first and the last one are not whole. */
  used(counts: "weight" | "orders", perMs: number): readonly number[];
  /** Refusals by the exchange's code. */
  refusals(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

/** `redisPort`: where the instances count together; each counts for itself without it. */
export async function openLimitLab(
  venue: VenueProcess,
  { instances, redisPort }: { readonly instances: number; readonly redisPort?: number },
): Promise<LimitLab> {
  const sent: { readonly at: Instant; readonly weight: number; readonly orders: number }[] = [];
  const connections: RedisConnection[] = [];
  const fleet: CcxtExchange[] = [];
  for (let i = 0; i < instances; i += 1) {
    const connection = redisPort === undefined ? undefined : await connectTo(redisPort);
    if (connection) connections.push(connection);
    const shared = connection && { client: connection.client, prefix: "test:" };
    fleet.push(await openOnVenue(venue, { shared, ...(connection ? { instances } : {}) }));
  }
  let clockOffset = 0;
  const now: Now = () => instant(Math.round(Date.now() + clockOffset));
  const note: Note = (kind) => {
    sent.push({ at: now(), weight: WEIGHTS[kind], orders: kind === "place" ? 1 : 0 });
  };
  return {
    press: async (forMs) => {
      const until = performance.now() + forMs;
      const stop = new AbortController();
      const ending = setTimeout(() => stop.abort(), forMs);
      const pressing = Promise.all(
        fleet.flatMap((exchange, index) => [
          pressOrders(exchange, "buy", index, until, stop.signal, note, now),
          pressOrders(exchange, "sell", index, until, stop.signal, note, now),
          pressReads(until, async () => exchange.balances().then(() => note("balances"))),
          pressReads(until, async () => exchange.balances().then(() => note("balances"))),
          pressReads(until, async () =>
            exchange
              .findOrder(SYMBOL, termsOf("buy", index, 0).id)
              .then(() => note("findOrder"))
              .then(() => pause(LOOKUP_EVERY_MS)),
          ),
        ]),
      );
      // Lists that wait for room are not waited for.
      await Promise.race([pressing, pause(forMs + 1_000)]);
      clearTimeout(ending);
    },
    synchronize: async (offset) => {
      clockOffset = offset;
      await Promise.all(fleet.map((exchange) => exchange.time()));
    },
    used: (counts, perMs) => {
      const sums = new Map<number, number>();
      for (const one of sent) {
        const interval = Math.floor(one.at / perMs);
        sums.set(interval, (sums.get(interval) ?? 0) + one[counts]);
      }
      return [...sums.entries()].sort(([a], [b]) => a - b).map(([, sum]) => sum);
    },
    refusals: async () => (await venue.admin.status()).refusals,
    close: async () => {
      for (const exchange of fleet) await exchange.close();
      for (const connection of connections) connection.close();
    },
  };
}

/** As the command does, but for a limit that a loaded machine keeps. */
async function connectTo(port: number): Promise<RedisConnection> {
  return connectRedis({ layout: { kind: "single", address: { host: "127.0.0.1", port } }, timeoutMs: 1_000 });
}

type Note = (kind: keyof typeof WEIGHTS) => void;
type Now = () => Instant;

/** Orders far from the price, one after the other, each cancelled at once. */
async function pressOrders(
  exchange: CcxtExchange,
  side: Side,
  index: number,
  until: number,
  signal: AbortSignal,
  note: Note,
  now: Now,
): Promise<void> {
  for (let number = 1; performance.now() < until; number += 1) {
    const terms = termsOf(side, index, number);
    if ((await exchange.admit(SYMBOL, terms, signal)).kind === "refused") continue;
    const request = { symbol: SYMBOL, terms, validUntil: (now() + exchange.requestWindowMs) as Instant };
    note("place");
    const outcome = await exchange.placeOrder(request);
    if (outcome.kind !== "accepted") continue;
    const { exchangeOrderId } = outcome;
    const validUntil = (now() + exchange.requestWindowMs) as Instant;
    const cancel = { symbol: SYMBOL, id: terms.id, exchangeOrderId, validUntil };
    if ((await exchange.cancelOrder(cancel)).kind === "canceled") note("cancel");
  }
}

async function pressReads(until: number, read: () => Promise<void>): Promise<void> {
  while (performance.now() < until) {
    try {
      await read();
    } catch (error) {
      if (!hasCode(error, "RATE_LIMITED") && !hasCode(error, "EXCHANGE_UNAVAILABLE")) throw error;
      await pause(20);
    }
  }
}

/** Far below the price, or far above it: nothing fills. */
function termsOf(side: Side, index: number, number: number): OrderTerms {
  const name = { code: CODE, slot: slotNumber(index), side, generation: generation(number) };
  return {
    id: encodeClientOrderId(name.code, name.slot, name.side, name.generation),
    slot: name.slot,
    side,
    generation: name.generation,
    type: "limit",
    price: priceTicks(side === "buy" ? 5_000_000 : 7_000_000),
    quantity: quantityLots(50),
    createdAt: instant(0),
  };
}
