/** Sends orders and cancels: rate budget → level lock → intent → permit → send, and nothing waits after the intent. */
import { assertNever } from "../domain/assert.ts";
import type { Instant } from "../domain/ids.ts";
import { hasCode } from "../domain/errors.ts";
import type { OrderRef, OrderTerms } from "../domain/order.ts";
import { WAITING_FOR_BALANCE } from "../strategy/apply-order.ts";
import type { PlaceOutcome } from "../exchange/exchange.ts";
import type { BotContext } from "./bot-context.ts";

const BUSY_JITTER_MS = 1_000;

/** Places one order; what became of it is posted as an event. Never sends the same order twice. */
export async function sendOrder(context: BotContext, terms: OrderTerms): Promise<void> {
  const { ports, bot, books, exchangeClock, locks } = context;
  const { exchange, clock, balances } = ports;
  const at = (): Instant => exchangeClock.now();
  const notSent = (reason: string): void => {
    void context.post({ kind: "orderNotSent", at: at(), order: terms, reason });
  };
  if (!ports.permit.isValid()) return notSent("not_permitted");
  const reserve = balances?.needOf(bot, terms);
  if (reserve !== undefined && balances?.isShort(bot, reserve)) return notSent(WAITING_FOR_BALANCE);
  const admission = await exchange.admit?.(bot.market.symbol, terms, context.signal);
  if (admission?.kind === "refused") return notSent(admission.reason);
  try {
    if (!(await locks.take(terms))) {
      // Two who want one level must not come back at the same moment for ever.
      await ports.activity.pause(clock, ports.random() * BUSY_JITTER_MS, context.signal);
      return notSent("level_busy");
    }
  } catch (error) {
    if (!hasCode(error, "LOCK_UNAVAILABLE")) throw error;
    return notSent("lock_unavailable");
  }
  const window = exchange.requestWindowMs;
  const validUntil = (at() + window) as Instant;
  const deadline = clock.monotonic() + window;
  const intent = await books.insertIntent({ terms, validUntil, reserve });
  // The next session finds out whether it is stored; sent it was not.
  if (intent === "away") return;
  if (intent === "short") {
    if (reserve !== undefined) balances?.noteShort(bot, reserve);
    locks.giveUp(terms);
    return notSent(WAITING_FOR_BALANCE);
  }
  if (intent !== "stored") return context.lose(`intent ${terms.id} refused: ${intent}`);
  context.validUntil.set(terms.id, validUntil);
  if (!ports.permit.isValid() || !locks.covers(terms, deadline) || clock.monotonic() >= deadline) {
    return void context.post({ kind: "orderRejected", at: at(), order: terms, reason: "not_permitted" });
  }
  const sent = clock.monotonic();
  const outcome = await exchange.placeOrder({ symbol: bot.market.symbol, terms, validUntil });
  measure(context, terms, outcome, clock.monotonic() - sent);
  reportOutcome(context, terms, outcome, at());
}

/** Asks for a cancel; safe to repeat. The order is closed only by what the exchange says of it afterwards. */
export async function sendCancel(
  context: BotContext,
  order: OrderRef,
  exchangeOrderId: string,
): Promise<void> {
  const { ports, bot, exchangeClock } = context;
  const { exchange } = ports;
  const query = (): void => context.resolve(order);
  if (!ports.permit.isValid()) return query();
  const validUntil = (exchangeClock.now() + exchange.requestWindowMs) as Instant;
  const { symbol } = bot.market;
  const outcome = await exchange.cancelOrder({ symbol, id: order.id, exchangeOrderId, validUntil });
  switch (outcome.kind) {
    case "canceled": {
      const { executed } = outcome;
      void context.post({ kind: "orderCanceled", at: exchangeClock.now(), order, exchangeOrderId, executed });
      return;
    }
    case "not_found":
    case "unknown":
      return query();
    default:
      return assertNever(outcome);
  }
}

function reportOutcome(context: BotContext, order: OrderTerms, outcome: PlaceOutcome, at: Instant): void {
  switch (outcome.kind) {
    case "accepted":
      return void context.post({
        kind: "orderAccepted",
        at,
        order,
        exchangeOrderId: outcome.exchangeOrderId,
      });
    case "rejected":
      context.ports.log.warn(
        { id: order.id, reason: outcome.reason, message: outcome.message },
        "order.rejected",
      );
      return void context.post({ kind: "orderRejected", at, order, reason: outcome.reason });
    // An order with this id exists: which, only a lookup tells.
    case "duplicate":
    case "unknown":
      context.ports.log.warn({ id: order.id, outcome: outcome.kind }, "order.unknown");
      return void context.post({ kind: "outcomeUnknown", at, order });
    default:
      return assertNever(outcome);
  }
}

function measure(context: BotContext, terms: OrderTerms, outcome: PlaceOutcome, elapsedMs: number): void {
  const { metrics } = context.ports;
  const { exchange, symbol } = context.bot.market;
  const { side } = terms;
  metrics.count("quantmesh_order_total", { exchange, symbol, side, status: outcome.kind });
  metrics.observe("quantmesh_order_duration_seconds", { exchange, symbol }, elapsedMs / 1000);
  if (outcome.kind === "accepted") metrics.count("quantmesh_order_success_total", { exchange, symbol, side });
  if (outcome.kind === "rejected") {
    metrics.count("quantmesh_order_failure_total", { exchange, symbol, side, reason: outcome.reason });
  }
  if (outcome.kind === "unknown" || outcome.kind === "duplicate") {
    metrics.count("quantmesh_order_unknown_total", { exchange, symbol });
  }
}
