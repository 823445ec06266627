/** One bot under one claim: events in from the mailbox, through `step`, records stored, commands sent. */
import type { PriceTicks } from "../domain/amounts.ts";
import { assertNever } from "../domain/assert.ts";
import { hasCode } from "../domain/errors.ts";
import type { Bot } from "../domain/grid.ts";
import type { Claim } from "../domain/claim.ts";
import type { ClientOrderId, Instant } from "../domain/ids.ts";
import type { OrderRef } from "../domain/order.ts";
import type { Command, GridEvent } from "../strategy/events.ts";
import { nextTimer } from "../strategy/next-timer.ts";
import type { GridState } from "../strategy/state.ts";
import { openState } from "../strategy/state.ts";
import { step } from "../strategy/step.ts";
import type { WatchBand } from "../strategy/watch-band.ts";
import { isInside, watchBand } from "../strategy/watch-band.ts";
import { workingOrders } from "../strategy/working-orders.ts";
import { awaitDatabase } from "./await-database.ts";
import { Books } from "./books.ts";
import type { BotContext } from "./bot-context.ts";
import { ExchangeClock } from "./exchange-clock.ts";
import { LevelLocks } from "./level-locks.ts";
import type { Letter } from "./mailbox.ts";
import { Mailbox } from "./mailbox.ts";
import { MarketWatch } from "./market-watch.ts";
import type { OpenedBot } from "./open-bot.ts";
import { OrderResolver } from "./order-resolver.ts";
import { sendCancel, sendOrder } from "./order-sender.ts";
import type { RunnerPorts } from "./ports.ts";
import { reportStep } from "./report-step.ts";
import { CLOSED_ON_EXIT } from "./stop-session.ts";

/** `stopped`: as asked. `lost`: start again by claiming anew. `failed`: a bug or a contradiction; not started again. */
export type SessionEnd =
  | { readonly kind: "stopped" }
  | { readonly kind: "lost"; readonly reason: string }
  | { readonly kind: "failed"; readonly error: unknown };

export class BotSession implements BotContext {
  readonly ports: RunnerPorts;
  readonly bot: Bot;
  readonly claim: Claim;
  readonly exchangeClock: ExchangeClock;
  readonly locks: LevelLocks;
  readonly books: Books;
  readonly signal: AbortSignal;
  readonly validUntil = new Map<ClientOrderId, Instant>();
  readonly ended: Promise<SessionEnd>;

  readonly #abort = new AbortController();
  readonly #mailbox = new Mailbox();
  readonly #resolver: OrderResolver;
  readonly #market: MarketWatch;
  #finish: (end: SessionEnd) => void = () => undefined;
  #state: GridState;
  #band: WatchBand;
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
    this.books = new Books({ ...ports, bot, claim, onAway: () => this.run(() => this.#awaitDatabase()) });
    this.#resolver = new OrderResolver(this, () => this.#market.catchUp());
    this.#state = openState(bot, ledger, rules);
    this.#band = watchBand(this.#state);
    const { requestWindowMs, settleMs } = ports.exchange;
    this.#market = new MarketWatch(this, {
      cursor: ledger.fillCursor,
      since: ((ledger.lastIntentAt ?? bot.createdAt) - requestWindowMs - settleMs) as Instant,
      isQuiet: (price) => isInside(this.#band, price),
    });
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
    const { reconcileIntervalMs } = this.ports;
    const forgetLocks = await this.locks.adopt(workingOrders(this.#state).map(({ terms }) => terms));
    // The market was lost meanwhile: whatever is opened from here on nobody would close.
    if (this.signal.aborted) return forgetLocks();
    this.#closers.push(forgetLocks);
    this.#closers.push(this.#market.listen());
    // A fill heard meanwhile makes a snapshot void: read again.
    while (!this.#state.ready && !this.signal.aborted && !this.books.isAway)
      await this.#market.reconcileAll();
    await this.#reopen();
    this.#every(reconcileIntervalMs, () => this.#market.reconcile());
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
    return this.#market.price ?? this.#state.price;
  }

  get mailboxSize(): number {
    return this.#mailbox.size;
  }

  async post(event: GridEvent): Promise<boolean> {
    if (this.signal.aborted) return false;
    return new Promise<boolean>((done) => this.#put({ event, done }));
  }

  resolve(order: OrderRef): void {
    this.run(() => this.#resolver.resolve(order));
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
    if (!this.#isPumping) this.run(() => this.#pump());
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
    for (const command of commands) this.run(() => this.#obey(command));
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

  /** What the database has stored of the last write is unknown: the bot starts anew from what it then shows. */
  async #awaitDatabase(): Promise<void> {
    await awaitDatabase(this);
    this.lose("the database was away");
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
      this.run(work);
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

  run(work: () => Promise<void>): void {
    if (this.signal.aborted) return;
    this.ports.activity.run(work).catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    if (
      hasCode(error, "EXCHANGE_UNAVAILABLE") ||
      hasCode(error, "RATE_LIMITED") ||
      hasCode(error, "LOCK_UNAVAILABLE")
    ) {
      const { exchange, symbol } = this.bot.market;
      this.ports.metrics.count("quantmesh_bot_failures_total", { exchange, symbol, kind: "retry_later" });
      this.ports.log.warn({ symbol, error }, "bot.retry_later");
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
