/**
 * One instance that wants more of an exchange's limits than there is, as a process of its own.
 * argv: its place as JSON. Does each task that it is sent, answers it, and ends when whoever sends them is gone.
 */
import { setTimeout as pause } from "node:timers/promises";
import { priceTicks, quantityLots } from "../../src/domain/amounts.ts";
import { hasCode } from "../../src/domain/errors.ts";
import type { Instant, Side } from "../../src/domain/ids.ts";
import { botCode, generation, instant, slotNumber } from "../../src/domain/ids.ts";
import type { OrderTerms } from "../../src/domain/order.ts";
import { connectRedis } from "../../src/lock/connect-redis.ts";
import { encodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import { openOnVenue } from "./ccxt-on-venue.ts";

export interface Place {
  readonly url: string;
  readonly wsUrl: string;
  readonly index: number;
  /** How many instances count together in the Redis at `redisPort`; each counts for itself without it. */
  readonly together: { readonly instances: number; readonly redisPort: number } | undefined;
}

export type Task =
  | { readonly kind: "synchronize"; readonly clockOffset: number }
  | { readonly kind: "press"; readonly forMs: number };

export interface Done {
  /** In the order in which they were sent, at the exchange's time. */
  readonly sent: readonly Sent[];
  /** What was not sent because the limits had no room, by what it was. */
  readonly heldBack: Readonly<Record<string, number>>;
  /** Orders whose answers took so long that the exchange may have counted them in the next interval. */
  readonly late: number;
}

export interface Sent {
  readonly at: Instant;
  readonly weight: number;
  readonly orders: number;
}

const SYMBOL = "BTC/USDT";
const CODE = botCode("limitslab0");
/** What the requests cost of the weight. */
const WEIGHTS = { place: 1, cancel: 1, balances: 20, findOrder: 4 } as const;
const LOOKUP_EVERY_MS = 2_000;
/** What is on its way for longer may not be paid for in the interval that it arrives in: half of the least distance. */
const LATE_MS = 125;
/** A reading of the exchange's clock that is this quick is exact enough; a loaded machine needs a few tries. */
const QUICK_MS = 50;
const MOST_READINGS = 40;

const place = JSON.parse(process.argv[2] ?? "") as Place;
const { index, together } = place;
// As the command does, but for a limit that a loaded machine keeps.
const connection =
  together &&
  (await connectRedis({
    layout: { kind: "single", address: { host: "127.0.0.1", port: together.redisPort } },
    timeoutMs: 1_000,
  }));
const exchange = await openOnVenue(place, {
  shared: connection && { client: connection.client, prefix: "test:" },
  ...(together ? { instances: together.instances } : {}),
});
let clockOffset = 0;
let sent: Sent[] = [];
let heldBack: Record<string, number> = {};
let late = 0;

process.on("message", (task: Task) => {
  void carryOut(task).then((done) => process.send?.(done));
});
process.on("disconnect", () => {
  void exchange.close().then(() => {
    connection?.close();
    process.exit();
  });
});
process.send?.("ready");

async function carryOut(task: Task): Promise<Done> {
  [sent, heldBack, late] = [[], {}, 0];
  if (task.kind === "press") await press(task.forMs);
  else {
    clockOffset = task.clockOffset;
    await readClock();
  }
  return { sent, heldBack, late };
}

async function readClock(): Promise<void> {
  for (let reading = 1; reading <= MOST_READINGS; reading += 1) {
    const begun = performance.now();
    await exchange.time();
    if (performance.now() - begun < QUICK_MS) return;
  }
}

async function press(forMs: number): Promise<void> {
  const until = performance.now() + forMs;
  const stop = new AbortController();
  const ending = setTimeout(() => stop.abort(), forMs);
  const pressing = Promise.all([
    pressOrders("buy", until, stop.signal),
    pressOrders("sell", until, stop.signal),
    pressReads(until, async () => exchange.balances().then(() => note("balances"))),
    pressReads(until, async () => exchange.balances().then(() => note("balances"))),
    pressReads(until, async () =>
      exchange
        .findOrder(SYMBOL, termsOf("buy", 0).id)
        .then(() => note("findOrder"))
        .then(() => pause(LOOKUP_EVERY_MS)),
    ),
  ]);
  // Lists that wait for room are not waited for.
  await Promise.race([pressing, pause(forMs + 1_000)]);
  clearTimeout(ending);
}

/** Orders far from the price, one after the other, each cancelled at once. */
async function pressOrders(side: Side, until: number, signal: AbortSignal): Promise<void> {
  for (let number = 1; performance.now() < until; number += 1) {
    const terms = termsOf(side, number);
    if ((await exchange.admit(SYMBOL, terms, signal)).kind === "refused") {
      hold(side);
      continue;
    }
    note("place");
    const begun = performance.now();
    const outcome = await exchange.placeOrder({ symbol: SYMBOL, terms, validUntil: validUntil() });
    if (performance.now() - begun >= LATE_MS) late += 1;
    if (outcome.kind !== "accepted") {
      hold(outcome.kind === "rejected" ? `${side}: ${outcome.reason}` : `${side}: ${outcome.kind}`);
      continue;
    }
    const { exchangeOrderId } = outcome;
    const cancel = { symbol: SYMBOL, id: terms.id, exchangeOrderId, validUntil: validUntil() };
    if ((await exchange.cancelOrder(cancel)).kind === "canceled") note("cancel");
    else hold("cancel");
  }
}

async function pressReads(until: number, read: () => Promise<void>): Promise<void> {
  while (performance.now() < until) {
    try {
      await read();
    } catch (error) {
      if (!hasCode(error, "RATE_LIMITED") && !hasCode(error, "EXCHANGE_UNAVAILABLE")) throw error;
      hold(`read: ${error.code}`);
      await pause(20);
    }
  }
}

function now(): Instant {
  return instant(Math.round(Date.now() + clockOffset));
}

function validUntil(): Instant {
  return instant(now() + exchange.requestWindowMs);
}

function note(kind: keyof typeof WEIGHTS): void {
  sent.push({ at: now(), weight: WEIGHTS[kind], orders: kind === "place" ? 1 : 0 });
}

function hold(what: string): void {
  heldBack[what] = (heldBack[what] ?? 0) + 1;
}

/** Far below the price, or far above it: nothing fills. */
function termsOf(side: Side, number: number): OrderTerms {
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
