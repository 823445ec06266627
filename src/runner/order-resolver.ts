/** Finds out what became of orders whose outcome is unknown. Unknown is not no: nothing is re-sent before proof. */
import type { ClientOrderId, Instant } from "../domain/ids.ts";
import { hasCode } from "../domain/errors.ts";
import type { ExchangeOrder } from "../domain/exchange-order.ts";
import type { OrderRef } from "../domain/order.ts";
import { workingOrders } from "../strategy/working-orders.ts";
import type { BotContext } from "./bot-context.ts";
import { sendCancel } from "./order-sender.ts";

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;
/** An acknowledged order that the exchange does not show for so long is a contradiction: the bot halts. */
const LOST_AFTER_MS = 300_000;

export class OrderResolver {
  readonly #context: BotContext;
  readonly #catchUp: () => Promise<void>;
  readonly #running = new Set<ClientOrderId>();

  /** `catchUp` reads the exchange's fills and has them handled. */
  constructor(context: BotContext, catchUp: () => Promise<void>) {
    this.#context = context;
    this.#catchUp = catchUp;
  }

  /** Starts looking for `order`, once, until its fate is known or the session ends. */
  async resolve(order: OrderRef): Promise<void> {
    if (this.#running.has(order.id)) return;
    this.#running.add(order.id);
    const { activity, clock } = this.#context.ports;
    const { signal } = this.#context;
    const started = clock.monotonic();
    try {
      for (let delay = FIRST_DELAY_MS; !signal.aborted; delay = Math.min(delay * 2, LONGEST_DELAY_MS)) {
        const wait = await this.#look(order, started);
        if (wait === "resolved") return;
        await activity.pause(clock, Math.max(delay, wait), signal);
      }
    } finally {
      this.#running.delete(order.id);
    }
  }

  /** One round: "resolved", or how long to wait at least before the next. */
  async #look(order: OrderRef, started: number): Promise<"resolved" | number> {
    const { ports, bot, exchangeClock } = this.#context;
    const { exchange, clock } = ports;
    try {
      const found = await exchange.findOrder(bot.market.symbol, order.id);
      if (found) return await this.#report(order, found);
      // Nobody waits for what has ended: should it rest after all, the next list tells.
      if (!this.#workingOrder(order)) return "resolved";
      if (this.#isAcknowledged(order)) {
        if (clock.monotonic() - started < LOST_AFTER_MS) return 0;
        const reason = `acknowledged order ${order.id} is not known to the exchange`;
        await this.#context.post({ kind: "control", at: exchangeClock.now(), action: "halt", reason });
        return "resolved";
      }
      return await this.#prove(order);
    } catch (error) {
      if (!hasCode(error, "EXCHANGE_UNAVAILABLE") && !hasCode(error, "RATE_LIMITED")) throw error;
      ports.log.warn({ id: order.id, error }, "order.lookup_failed");
      return 0;
    }
  }

  /** The exchange shows the order: its fills first, then its state. */
  async #report(order: OrderRef, found: ExchangeOrder): Promise<"resolved" | number> {
    const { exchangeOrderId, executed, status } = found;
    const at = (): Instant => this.#context.exchangeClock.now();
    await this.#context.post({ kind: "orderAccepted", at: at(), order, exchangeOrderId });
    await this.#catchUp();
    const working = this.#workingOrder(order);
    if (!working) {
      // It rests although nobody wants it.
      if (status !== "open") return "resolved";
      await sendCancel(this.#context, order, exchangeOrderId);
      return 0;
    }
    if (status !== "open") {
      // Its fills are late: ask again.
      if (working.progress.executed < executed) return 0;
      await this.#context.post({ kind: "orderCanceled", at: at(), order, exchangeOrderId, executed });
      return "resolved";
    }
    if (working.kind === "canceling") await sendCancel(this.#context, order, exchangeOrderId);
    return working.kind === "canceling" ? 0 : "resolved";
  }

  /**
   * Absent is proven only in this order: the exchange's own clock is past validUntil + settle; then a lookup and the
   * order history since the intent, both asked after that, show nothing.
   */
  async #prove(order: OrderRef): Promise<"resolved" | number> {
    const { ports, bot, validUntil, exchangeClock } = this.#context;
    const { exchange } = ports;
    const deadAt = (validUntil.get(order.id) ?? exchangeClock.now()) + exchange.settleMs;
    const time = await exchange.time();
    if (time <= deadAt) return deadAt - time + 1;
    const found = await exchange.findOrder(bot.market.symbol, order.id);
    if (found) return this.#report(order, found);
    const created = this.#workingOrder(order)?.terms.createdAt ?? time;
    const since = (created - exchange.requestWindowMs - exchange.settleMs) as Instant;
    const history = await exchange.ordersSince(bot.market.symbol, since);
    const listed = history.find(({ id }) => id === order.id);
    if (listed) return this.#report(order, listed);
    await this.#context.post({ kind: "orderNotFound", at: time, order });
    return "resolved";
  }

  #isAcknowledged(order: OrderRef): boolean {
    const working = this.#workingOrder(order);
    return working !== undefined && "exchangeOrderId" in working;
  }

  #workingOrder(order: OrderRef) {
    return workingOrders(this.#context.state()).find(({ terms }) => terms.id === order.id);
  }
}
