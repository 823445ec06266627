/** One bot under one claim: events in from the mailbox, through `step`, records stored, commands sent. */
import type { PriceTicks } from "../domain/amounts.ts";
import { assertNever } from "../domain/assert.ts";
import { hasCode } from "../domain/errors.ts";
import type { Bot } from "../domain/grid.ts";
import type { Claim } from "../domain/claim.ts";
import type { Execution } from "../domain/fill.ts";
import type { ClientOrderId, Instant } from "../domain/ids.ts";
import type { OrderRef, WorkingOrder } from "../domain/order.ts";
import type { MarketHint } from "../exchange/exchange.ts";
import type { Command, GridEvent } from "../strategy/events.ts";
import { nextTimer } from "../strategy/next-timer.ts";
import { refOf } from "../strategy/order-ref.ts";
import type { GridState } from "../strategy/state.ts";
import { openState } from "../strategy/state.ts";
import { step } from "../strategy/step.ts";
import type { WatchBand } from "../strategy/watch-band.ts";
import { isInside, watchBand } from "../strategy/watch-band.ts";
import { workingOrders } from "../strategy/working-orders.ts";
import { Books } from "./books.ts";
import type { BotContext } from "./bot-context.ts";
import { ExchangeClock } from "./exchange-clock.ts";
import { findContradiction } from "./find-contradiction.ts";
import { LevelLocks } from "./level-locks.ts";
import type { Letter } from "./mailbox.ts";
import { Mailbox } from "./mailbox.ts";
import type { OpenedBot } from "./open-bot.ts";
import { OrderResolver } from "./order-resolver.ts";
import { sendCancel, sendOrder } from "./order-sender.ts";
import type { RunnerPorts } from "./ports.ts";
import { FillReader } from "./read-fills.ts";
import { readSnapshot } from "./read-snapshot.ts";
import { reportStep } from "./report-step.ts";
import { CLOSED_ON_EXIT } from "./stop-session.ts";

/** `stopped`: as asked. `lost`: start again by claiming anew. `failed`: a bug or a contradiction; not started again. */
export type SessionEnd =
  | { readonly kind: "stopped" }
  | { readonly kind: "lost"; readonly reason: string }
  | { readonly kind: "failed"; readonly error: unknown };

/** Between two questions whether the database is back: longer and longer, and never all bots at once. */
const FIRST_PING_MS = 250;
const LONGEST_PING_MS = 10_000;

export class BotSession implements BotContext {
  readonly ports: RunnerPorts;
  readonly bot: Bot;
  readonly claim: Claim;
  readonly exchangeClock: ExchangeClock;
  readonly locks: LevelLocks;
  readonly books: Books;
  readonly fills: FillReader;
  readonly signal: AbortSignal;
  readonly validUntil = new Map<ClientOrderId, Instant>();
  readonly ended: Promise<SessionEnd>;

  readonly #abort = new AbortController();
  readonly #mailbox = new Mailbox();
  readonly #resolver: OrderResolver;
  readonly #since: Instant;
  #finish: (end: SessionEnd) => void = () => undefined;
  #state: GridState;
  #band: WatchBand;
  #lastPrice: PriceTicks | undefined;
  #isInterrupted = false;
  #cursor: string | undefined;
  #isPumping = false;
  #timerAt: Instant | undefined;
  #closers: (() => void)[] = [];

  constructor(ports: RunnerPorts, { bot, claim, ledger, rules }: OpenedBot) {
    this.ports = ports;
    this.bot = bot;
    this.claim = claim;
    this.signal = this.#abort.signal;
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.exchangeClock = new ExchangeClock(ports.clock, ports.exchange);
    this.locks = new LevelLocks(ports, bot, claim);
    this.books = new Books({ ...ports, bot, claim, onAway: () => this.#do(() => this.#awaitDatabase()) });
    this.fills = new FillReader({
      ...ports,
      books: this.books,
      bot,
      state: () => this.#state,
      now: () => this.exchangeClock.now(),
    });
    this.#resolver = new OrderResolver(this, () => this.#catchUp());
    this.#state = openState(bot, ledger, rules);
    this.#band = watchBand(this.#state);
    this.#cursor = ledger.fillCursor;
    const { requestWindowMs, settleMs } = ports.exchange;
    this.#since = ((ledger.lastIntentAt ?? bot.createdAt) - requestWindowMs - settleMs) as Instant;
    for (const { order, validUntil } of ledger.working) this.validUntil.set(order.terms.id, validUntil);
  }

  /** Listens first, then reconciles with the exchange's lists; trades from there on. Ends itself where it throws. */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      this.#end({ kind: "failed", error });
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { exchange, reconcileIntervalMs } = this.ports;
    this.#closers.push(await this.locks.adopt(workingOrders(this.#state).map(({ terms }) => terms)));
    this.#closers.push(exchange.subscribe(this.bot.market.symbol, (hint) => this.#hear(hint)));
    // A fill heard meanwhile makes a snapshot void: read again.
    while (!this.#state.ready && !this.signal.aborted && !this.books.isAway)
      await this.#reconcile(this.#since);
    await this.#reopen();
    this.#every(reconcileIntervalMs, () => this.#reconcile(undefined));
  }

  /** A bot that sold out because its instance stopped trades again; one that hit its stop-loss does not. */
  async #reopen(): Promise<void> {
    if (this.#state.mode !== "closed" || this.#state.modeReason !== CLOSED_ON_EXIT) return;
    const at = this.exchangeClock.now();
    await this.post({ kind: "control", at, action: "resume", reason: "restarted" });
  }

  state(): GridState {
    return this.#state;
  }

  /** The newest price heard; the state's own may be older, for as long as nothing can happen between them. */
  get price(): PriceTicks {
    return this.#lastPrice ?? this.#state.price;
  }

  get mailboxSize(): number {
    return this.#mailbox.size;
  }

  async post(event: GridEvent): Promise<boolean> {
    if (this.signal.aborted) return false;
    return new Promise<boolean>((done) => this.#put({ event, done }));
  }

  resolve(order: OrderRef): void {
    this.#do(() => this.#resolver.resolve(order));
  }

  lose(reason: string): void {
    this.#end({ kind: "lost", reason });
  }

  /** Ends the session as asked for; what was sent and not answered is left to the next one. */
  end(): void {
    this.#end({ kind: "stopped" });
  }

  #put(letter: Letter): void {
    this.#mailbox.put(letter);
    if (!this.#isPumping) this.#do(() => this.#pump());
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    try {
      for (;;) {
        const letter = this.signal.aborted ? undefined : this.#mailbox.take();
        if (!letter) return;
        let isStored = false;
        try {
          isStored = await this.#handle(letter.event);
        } finally {
          letter.done?.(isStored);
        }
      }
    } finally {
      this.#isPumping = false;
    }
  }

  /** False where the step was dropped: nothing of it is stored, and its event never happened. */
  async #handle(event: GridEvent): Promise<boolean> {
    this.#holdWhileAway();
    const { state, records, commands } = step(this.#state, event);
    if (state === this.#state) return true;
    if (records.length > 0) {
      const outcome = await this.books.commit(records);
      if (outcome === "away") return this.#handle(event);
      if (outcome === "stale") this.lose("a newer claim exists");
      // A duplicate was stored before: its event does not happen a second time.
      if (outcome !== "stored") return false;
    }
    this.#state = state;
    this.#band = watchBand(state);
    // What is not in the database yet is told once it is.
    if (!this.books.isAway) reportStep(this, records);
    this.#forgetEnded(records.some(({ kind }) => kind === "order"));
    for (const command of commands) this.#do(() => this.#obey(command));
    this.#setTimer();
    return true;
  }

  /** Without a database nothing may be placed: no intent can be stored. */
  #holdWhileAway(): void {
    if (!this.books.isAway || this.#state.held) return;
    const at = this.exchangeClock.now();
    const { state } = step(this.#state, {
      kind: "control",
      at,
      action: "hold",
      reason: "the database is away",
    });
    this.#state = state;
  }

  /** What the database has stored of the last write is unknown: once it answers, the bot starts from there anew. */
  async #awaitDatabase(): Promise<void> {
    const { activity, clock, storage, replaySpool, random, log } = this.ports;
    for (let delay = FIRST_PING_MS; !this.signal.aborted; delay = Math.min(2 * delay, LONGEST_PING_MS)) {
      await activity.pause(clock, delay * (0.5 + random()), this.signal);
      if (this.signal.aborted) return;
      try {
        await replaySpool();
        await storage.ping();
        return this.lose("the database was away");
      } catch (error) {
        if (!hasCode(error, "STORAGE_UNAVAILABLE")) throw error;
        log.debug({ symbol: this.bot.market.symbol, error }, "storage.still_away");
      }
    }
  }

  async #obey(command: Command): Promise<void> {
    switch (command.kind) {
      case "placeOrder":
        return sendOrder(this, command.terms);
      case "cancelOrder":
        return sendCancel(this, command.order, command.exchangeOrderId);
      case "queryOrder":
        return this.#resolver.resolve(command.order);
      default:
        return assertNever(command);
    }
  }

  #hear(hint: MarketHint): void {
    switch (hint.kind) {
      case "tick":
        this.#notePrice(hint.price);
        if (isInside(this.#band, hint.price)) return;
        return this.#put({ event: { kind: "tick", at: hint.at, price: hint.price } });
      case "fill": {
        const order = this.#refOf(hint.id, hint.execution.exchangeOrderId);
        if (!order) return;
        return this.#hearFill(order, hint.execution);
      }
      case "order": {
        const { id, exchangeOrderId, status, executed } = hint.order;
        const order = this.#refOf(id, exchangeOrderId);
        if (!order || status === "open" || status === "filled") return;
        const at = this.exchangeClock.now();
        return this.#put({ event: { kind: "orderCanceled", at, order, exchangeOrderId, executed } });
      }
      case "gap":
        this.#noteStream(false);
        return this.#do(() => this.#reconcile(undefined));
      default:
        return assertNever(hint);
    }
  }

  /**
   * A fill of an order that does not work any more is late, or says that its end was not true. Of an order that the
   * books do not know the fill alone is not enough: the lists tell the order, too.
   */
  #hearFill(order: OrderRef, execution: Execution): void {
    const letter: Letter = { event: { kind: "fill", at: execution.at, order, execution } };
    if (workingOrders(this.#state).some(({ terms }) => terms.id === order.id)) return this.#put(letter);
    this.#do(async () => {
      if ((await this.books.orderStatus(order.id)) === undefined) return this.#reconcile(this.#since);
      await this.#haltFor(await findContradiction(this, [order], "partFill"));
      this.#put(letter);
    });
  }

  async #haltFor(contradiction: string | undefined): Promise<void> {
    if (contradiction === undefined) return;
    const at = this.exchangeClock.now();
    await this.post({ kind: "control", at, action: "halt", reason: contradiction });
  }

  #notePrice(price: PriceTicks): void {
    this.#lastPrice = price;
    const { exchange, symbol } = this.bot.market;
    this.ports.metrics.count("quantmesh_price_update_count_total", { exchange, symbol });
  }

  #refOf(id: ClientOrderId | undefined, exchangeOrderId: string): OrderRef | undefined {
    // A hint may name the exchange's id only.
    const isMeant = (order: WorkingOrder): boolean =>
      "exchangeOrderId" in order && order.exchangeOrderId === exchangeOrderId;
    return refOf(this.bot, id) ?? workingOrders(this.#state).find(isMeant)?.terms;
  }

  async #reconcile(since: Instant | undefined): Promise<void> {
    const snapshot = await readSnapshot(this, this.#cursor, since);
    // The cursor passes fills only once they are stored: what it has passed is never read again.
    this.ports.metrics.count("quantmesh_reconciliation_count_total", this.#labels);
    this.#noteStream(true);
    await this.#haltFor(snapshot.contradiction);
    if (await this.post(snapshot.event)) await this.#saveCursor(snapshot.fillCursor);
  }

  /** A stream that was interrupted counts as connected again once the lists were read. */
  #noteStream(isConnected: boolean): void {
    const { metrics } = this.ports;
    const labels = { exchange: this.#labels.exchange, stream_type: "market" };
    if (isConnected && this.#isInterrupted)
      metrics.count("quantmesh_websocket_reconnect_count_total", labels);
    this.#isInterrupted = !isConnected;
    metrics.gauge("quantmesh_websocket_connected", labels, isConnected ? 1 : 0);
  }

  get #labels(): { readonly exchange: string; readonly symbol: string } {
    const { exchange, symbol } = this.bot.market;
    return { exchange, symbol };
  }

  async #catchUp(): Promise<void> {
    const { fills, cursor } = await this.fills.read(this.#cursor, new Map());
    const executed = fills.map(({ order }) => order);
    await this.#haltFor(await findContradiction(this, executed, "partFill"));
    for (const { order, execution } of fills) {
      await this.post({ kind: "fill", at: execution.at, order, execution });
    }
    // Stored now, or by a hint before; a session that lost its database has ended.
    const missing = await this.books.unstoredFills(fills.map(({ execution }) => execution));
    if (missing.length === 0) await this.#saveCursor(cursor);
  }

  async #saveCursor(cursor: string | undefined): Promise<void> {
    if (cursor === undefined || cursor === this.#cursor || this.signal.aborted) return;
    const outcome = await this.books.saveFillCursor(cursor);
    if (outcome === "stale") return this.lose("a newer claim exists");
    // Away: what the list showed up to here is in the spool, so this session need not read it again.
    this.#cursor = cursor;
  }

  #forgetEnded(mayHaveEnded: boolean): void {
    if (!mayHaveEnded) return;
    const working = new Set(workingOrders(this.#state).map(({ terms }) => terms.id));
    for (const id of this.validUntil.keys()) if (!working.has(id)) this.validUntil.delete(id);
    this.locks.retain(working);
  }

  #setTimer(): void {
    const now = this.exchangeClock.now();
    const next = nextTimer(this.#state, now);
    if (next === undefined || (this.#timerAt !== undefined && this.#timerAt <= next && this.#timerAt > now))
      return;
    this.#timerAt = next;
    this.#after(next - now, () => {
      this.#timerAt = undefined;
      this.#put({ event: { kind: "timer", at: this.exchangeClock.now() } });
    });
  }

  #every(intervalMs: number, work: () => Promise<void>): void {
    this.#after(intervalMs, () => {
      this.#do(work);
      this.#every(intervalMs, work);
    });
  }

  #after(delayMs: number, run: () => void): void {
    if (this.signal.aborted) return;
    const cancel = this.ports.clock.after(delayMs, () => {
      this.#closers = this.#closers.filter((closer) => closer !== cancel);
      if (!this.signal.aborted) run();
    });
    this.#closers.push(cancel);
  }

  /** Runs work in the background as part of this session: its failure is the session's. */
  #do(work: () => Promise<void>): void {
    if (this.signal.aborted) return;
    this.ports.activity.run(work).catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    if (
      hasCode(error, "EXCHANGE_UNAVAILABLE") ||
      hasCode(error, "RATE_LIMITED") ||
      hasCode(error, "LOCK_UNAVAILABLE")
    ) {
      this.ports.log.warn({ symbol: this.bot.market.symbol, error }, "bot.retry_later");
      return;
    }
    if (hasCode(error, "STORAGE_UNAVAILABLE")) return this.lose(`storage: ${error.message}`);
    this.#end({ kind: "failed", error });
  }

  #end(end: SessionEnd): void {
    if (this.signal.aborted) return;
    this.#abort.abort();
    for (const close of this.#closers) close();
    this.#closers = [];
    for (let letter = this.#mailbox.take(); letter; letter = this.#mailbox.take()) letter.done?.(false);
    this.#finish(end);
  }
}
