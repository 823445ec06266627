/** Reads the exchange's lists for reconciliation: open orders first, then what is missing there, fills last. */
import type { Money } from "../domain/amounts.ts";
import { ZERO_MONEY, addMoney } from "../domain/amounts.ts";
import type { ExchangeOrder } from "../domain/exchange-order.ts";
import type { Instant } from "../domain/ids.ts";
import type { OrderRef } from "../domain/order.ts";
import type { SnapshotEvent } from "../strategy/events.ts";
import { workingOrders } from "../strategy/working-orders.ts";
import type { BotContext } from "./bot-context.ts";
import { findContradiction } from "./find-contradiction.ts";
import type { FillReader } from "./read-fills.ts";
import { refOf } from "../strategy/order-ref.ts";

export interface Snapshot {
  readonly event: SnapshotEvent;
  /** Why the bot must halt before it takes the event in; undefined where they contradict nothing. */
  readonly contradiction: string | undefined;
  /** To be stored once the event is; undefined where it stays as it was. */
  readonly fillCursor: string | undefined;
}

/**
 * `since`: also reads every order from then on, so that orders which the database does not know are seen; a start
 * must, because a restored backup has forgotten some.
 */
export async function readSnapshot(
  context: BotContext,
  fillReader: FillReader,
  cursor: string | undefined,
  since: Instant | undefined,
): Promise<Snapshot> {
  const { ports, bot } = context;
  const { exchange } = ports;
  const { symbol } = bot.market;
  const before = context.state();
  const shown = new Map<string, ExchangeOrder>();
  const show = (order: ExchangeOrder): void => void shown.set(order.exchangeOrderId, order);
  // What does not wait for each other is asked for together: a takeover is as long as the exchange is far away.
  const [open] = await Promise.all([exchange.openOrders(symbol), context.exchangeClock.synchronize()]);
  for (const order of open) show(order);
  if (since !== undefined) for (const order of await exchange.ordersSince(symbol, since)) show(order);
  const ids = new Set([...shown.values()].map((order) => order.id));
  for (const { terms, kind } of workingOrders(context.state())) {
    if (ids.has(terms.id) || kind === "pending") continue;
    const found = await exchange.findOrder(symbol, terms.id);
    if (found) show(found);
  }
  const known = new Map<string, OrderRef>();
  for (const order of shown.values()) {
    const ref = refOf(bot, order.id);
    if (ref) known.set(order.exchangeOrderId, ref);
  }
  const [{ fills, cursor: fillCursor }, { price, at }] = await Promise.all([
    fillReader.read(cursor, known),
    exchange.price(symbol),
  ]);
  const base = await readBase(context);
  const executed = fills.map(({ order }) => order);
  const contradiction =
    (await findContradiction(context, executed, "partFill")) ??
    (await findContradiction(context, [...known.values()], "accepted"));
  const seen = [...known.values(), ...executed];
  return {
    event: { kind: "snapshot", at, price, orders: [...shown.values()], fills, seen, baseOwned: base, before },
    contradiction,
    fillCursor,
  };
}

/** What the account owns of the base asset; undefined where this bot is not its only trader. */
async function readBase({ ports, bot }: BotContext): Promise<Money | undefined> {
  const { base } = bot.instrument;
  if (!ports.ownsAsset(base)) return undefined;
  const balance = (await ports.exchange.balances()).find(({ asset }) => asset === base);
  return balance ? addMoney(balance.free, balance.locked) : ZERO_MONEY;
}
