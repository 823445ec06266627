/** What a session learns of its market: hints from the stream, and the exchange's own lists, which are the truth. */
import type { PriceTicks } from "../domain/amounts.ts";
import { assertNever } from "../domain/assert.ts";
import type { Execution } from "../domain/fill.ts";
import type { ClientOrderId, Instant } from "../domain/ids.ts";
import type { OrderRef, WorkingOrder } from "../domain/order.ts";
import type { MarketHint } from "../exchange/exchange.ts";
import type { GridEvent } from "../strategy/events.ts";
import { refOf } from "../strategy/order-ref.ts";
import { workingOrders } from "../strategy/working-orders.ts";
import type { BotContext } from "./bot-context.ts";
import { findContradiction } from "./find-contradiction.ts";
import { FillReader } from "./read-fills.ts";
import { readSnapshot } from "./read-snapshot.ts";

export interface MarketWatchOptions {
  /** Where the exchange's list of fills is read on from. */
  readonly cursor: string | undefined;
  /** No order that the database does not know is older. */
  readonly since: Instant;
  /** True where nothing can happen at the price. */
  readonly isQuiet: (price: PriceTicks) => boolean;
}

export class MarketWatch {
  readonly #context: BotContext;
  readonly #since: Instant;
  readonly #isQuiet: (price: PriceTicks) => boolean;
  readonly #fills: FillReader;
  #cursor: string | undefined;
  #price: PriceTicks | undefined;
  #isInterrupted = false;

  constructor(context: BotContext, { cursor, since, isQuiet }: MarketWatchOptions) {
    this.#context = context;
    this.#cursor = cursor;
    this.#since = since;
    this.#isQuiet = isQuiet;
    this.#fills = new FillReader({
      ...context.ports,
      books: context.books,
      bot: context.bot,
      state: () => context.state(),
      now: () => context.exchangeClock.now(),
    });
  }

  /** The newest price heard; undefined before the first. */
  get price(): PriceTicks | undefined {
    return this.#price;
  }

  /** Hears the stream from here on; the returned function ends it. */
  listen(): () => void {
    const { ports, bot } = this.#context;
    return ports.exchange.subscribe(bot.market.symbol, (hint) => this.#hear(hint));
  }

  /** Compares with the exchange's lists of what is open, and of what has executed. */
  async reconcile(): Promise<void> {
    await this.#reconcile(undefined);
  }

  /** So, and with every order since the database's newest: a restored backup has forgotten some. */
  async reconcileAll(): Promise<void> {
    await this.#reconcile(this.#since);
  }

  /** Reads the exchange's fills and has them handled. */
  async catchUp(): Promise<void> {
    const { fills, cursor } = await this.#fills.read(this.#cursor, new Map());
    const executed = fills.map(({ order }) => order);
    await this.#haltFor(await findContradiction(this.#context, executed, "partFill"));
    for (const { order, execution } of fills) {
      await this.#context.post({ kind: "fill", at: execution.at, order, execution });
    }
    // Stored now, or by a hint before, or kept in the spool; a spool that is full leaves some.
    const missing = await this.#context.books.unstoredFills(fills.map(({ execution }) => execution));
    if (missing.length === 0) await this.#saveCursor(cursor);
  }

  #hear(hint: MarketHint): void {
    switch (hint.kind) {
      case "tick":
        this.#notePrice(hint.price);
        if (this.#isQuiet(hint.price)) return;
        return this.#post({ kind: "tick", at: hint.at, price: hint.price });
      case "fill": {
        const order = this.#refOf(hint.id, hint.execution.exchangeOrderId);
        if (!order) return;
        return this.#hearFill(order, hint.execution);
      }
      case "order": {
        const { id, exchangeOrderId, status, executed } = hint.order;
        const order = this.#refOf(id, exchangeOrderId);
        if (!order || status === "open" || status === "filled") return;
        const at = this.#context.exchangeClock.now();
        return this.#post({ kind: "orderCanceled", at, order, exchangeOrderId, executed });
      }
      case "gap":
        this.#noteStream(false);
        return this.#context.run(() => this.reconcile());
      default:
        return assertNever(hint);
    }
  }

  /**
   * A fill of an order that does not work any more is late, or says that its end was not true. Of an order that the
   * books do not know the fill alone is not enough: the lists tell the order, too.
   */
  #hearFill(order: OrderRef, execution: Execution): void {
    const context = this.#context;
    const event: GridEvent = { kind: "fill", at: execution.at, order, execution };
    if (workingOrders(context.state()).some(({ terms }) => terms.id === order.id)) return this.#post(event);
    context.run(async () => {
      if ((await context.books.orderStatus(order.id)) === undefined) return this.reconcileAll();
      await this.#haltFor(await findContradiction(context, [order], "partFill"));
      this.#post(event);
    });
  }

  async #reconcile(since: Instant | undefined): Promise<void> {
    const { ports, bot } = this.#context;
    const { exchange, symbol } = bot.market;
    const snapshot = await readSnapshot(this.#context, this.#fills, this.#cursor, since);
    ports.metrics.count("quantmesh_reconciliation_count_total", { exchange, symbol });
    this.#noteStream(true);
    await this.#haltFor(snapshot.contradiction);
    // The cursor passes fills only once they are stored: what it has passed is never read again.
    if (await this.#context.post(snapshot.event)) await this.#saveCursor(snapshot.fillCursor);
  }

  async #haltFor(contradiction: string | undefined): Promise<void> {
    if (contradiction === undefined) return;
    const at = this.#context.exchangeClock.now();
    await this.#context.post({ kind: "control", at, action: "halt", reason: contradiction });
  }

  async #saveCursor(cursor: string | undefined): Promise<void> {
    const { books, signal } = this.#context;
    if (cursor === undefined || cursor === this.#cursor || signal.aborted) return;
    const outcome = await books.saveFillCursor(cursor);
    if (outcome === "stale") return this.#context.lose("a newer claim exists");
    // Away: what the list showed up to here is in the spool, so this session need not read it again.
    this.#cursor = cursor;
  }

  #post(event: GridEvent): void {
    void this.#context.post(event);
  }

  #refOf(id: ClientOrderId | undefined, exchangeOrderId: string): OrderRef | undefined {
    // A hint may name the exchange's id only.
    const isMeant = (order: WorkingOrder): boolean =>
      "exchangeOrderId" in order && order.exchangeOrderId === exchangeOrderId;
    return refOf(this.#context.bot, id) ?? workingOrders(this.#context.state()).find(isMeant)?.terms;
  }

  #notePrice(price: PriceTicks): void {
    this.#price = price;
    const { ports, bot } = this.#context;
    const { exchange, symbol } = bot.market;
    ports.metrics.count("quantmesh_price_update_count_total", { exchange, symbol });
  }

  /** A stream that was interrupted counts as connected again once the lists were read. */
  #noteStream(isConnected: boolean): void {
    const { ports, bot } = this.#context;
    const labels = { exchange: bot.market.exchange, stream_type: "market" };
    if (isConnected && this.#isInterrupted)
      ports.metrics.count("quantmesh_websocket_reconnect_count_total", labels);
    this.#isInterrupted = !isConnected;
    ports.metrics.gauge("quantmesh_websocket_connected", labels, isConnected ? 1 : 0);
  }
}
