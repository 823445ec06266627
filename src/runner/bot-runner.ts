/** Keeps one bot trading: opens sessions, and opens the next one where a claim or the database was lost. */
import type { BotMode, Totals } from "../domain/grid.ts";
import type { PriceTicks } from "../domain/amounts.ts";
import type { Bot } from "../domain/grid.ts";
import type { WorkingOrder } from "../domain/order.ts";
import type { Turns } from "../coordination/turns.ts";
import { QuantmeshError, policyFor } from "../domain/errors.ts";
import type { GridState } from "../strategy/state.ts";
import { workingOrders } from "../strategy/working-orders.ts";
import { BotSession } from "./bot-session.ts";
import { gaugeBot } from "./gauge-bot.ts";
import type { BotSetup } from "./open-bot.ts";
import { checkStoredBot, openBot } from "./open-bot.ts";
import type { RunnerPorts } from "./ports.ts";
import { stopSession } from "./stop-session.ts";

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;
const EXIT_LIMIT_MS = 30_000;

/** A bot as a person wants to see it. */
export interface BotStatus {
  readonly bot: Bot;
  readonly mode: BotMode | "starting" | "failed";
  readonly price: PriceTicks;
  readonly working: readonly WorkingOrder[];
  readonly totals: Totals;
  readonly state: GridState;
  /** Prices at which another fleet holds the level lock. */
  readonly conflicts: readonly string[];
}

export class BotRunner {
  readonly setup: BotSetup;
  /** Resolves with the failure that ended the bot for good; never, while it can trade again. */
  readonly failed: Promise<unknown>;
  readonly #ports: RunnerPorts;
  readonly #opening: Turns;
  readonly #stopping = new AbortController();
  #reportFailure: (error: unknown) => void = () => undefined;
  #session: BotSession | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isDropped = false;
  #supervising: Promise<void> = Promise.resolve();

  /** `opening`: in which the bots of a process load what is stored of them. */
  constructor(ports: RunnerPorts, setup: BotSetup, opening: Turns) {
    this.#ports = { ...ports, permit: { isValid: () => !this.#isDropped && ports.permit.isValid() } };
    this.setup = setup;
    this.#opening = opening;
    this.failed = new Promise((resolve) => {
      this.#reportFailure = resolve;
    });
  }

  /** What has ended the bot for good. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Opens the first session. Throws what keeps it from opening: the user is still there to read it. */
  async start(): Promise<void> {
    await checkStoredBot(this.#ports, this.setup);
    const session = await this.#open();
    this.#supervising = this.#supervise(session);
  }

  /** Opens sessions until one holds, and after each that was lost; what keeps one from opening is logged. */
  keepTrading(): void {
    this.#supervising = this.#supervise(undefined);
  }

  /** Ends at once, in this turn of the event loop: the market is another's. Nothing on the exchange is touched. */
  drop(reason: string): void {
    this.#isDropped = true;
    this.#stopping.abort();
    this.#session?.lose(reason);
  }

  /**
   * Gives the market away: places nothing new, waits at most `limitMs` for what is in flight, leaves the orders resting.
   * What is unresolved then is the next owner's to resolve.
   */
  async handOver(limitMs: number): Promise<void> {
    this.#stopping.abort();
    const session = this.#session;
    if (!session) return this.#supervising;
    const cancel = this.#ports.clock.after(limitMs, () => session.end());
    try {
      await Promise.race([stopSession(session, "handed over", "leave", limitMs), session.ended]);
    } finally {
      cancel();
    }
    await this.#ports.claims.release(session.claim);
  }

  async stop(reason: string): Promise<void> {
    this.#stopping.abort();
    if (this.#session) await stopSession(this.#session, reason, this.#ports.exit, EXIT_LIMIT_MS);
    await this.#supervising;
  }

  /** Sets the gauges to what is true now. */
  gauge(): void {
    const session = this.#session;
    if (!session) return;
    gaugeBot(this.#ports.metrics, session.state(), session.price, session.mailboxSize);
    const { exchange, symbol } = this.setup.market;
    const labels = { backend: this.#ports.lockBackend, exchange, symbol };
    this.#ports.metrics.gauge("quantmesh_lock_conflict_levels", labels, session.locks.conflicts().length);
  }

  status(): BotStatus | undefined {
    if (!this.#session) return undefined;
    const state = this.#session.state();
    const { price } = this.#session;
    const mode = this.#failure ? "failed" : state.ready ? state.mode : "starting";
    return {
      bot: state.bot,
      mode,
      price,
      working: workingOrders(state),
      totals: state.totals,
      state,
      conflicts: this.#session.locks.conflicts(),
    };
  }

  async #open(): Promise<BotSession> {
    const session = new BotSession(
      this.#ports,
      await openBot(this.#ports, this.setup, this.#opening, this.#stopping.signal),
    );
    if (this.#stopping.signal.aborted) {
      await this.#ports.claims.release(session.claim);
      throw new QuantmeshError("LEASE_LOST", `${this.setup.market.symbol} was given away while it started`);
    }
    this.#session = session;
    await session.start();
    // One that was lost or given away, or whose database went away, while it started does not trade, though its start came to its end.
    if (session.signal.aborted || this.#stopping.signal.aborted || session.books.isAway) return session;
    const { symbol } = this.setup.market;
    this.#ports.log.info({ symbol, epoch: session.claim.epoch }, "bot.trading");
    this.#ports.onTrading?.(symbol);
    return session;
  }

  async #supervise(first: BotSession | undefined): Promise<void> {
    const { log, activity, clock, random } = this.#ports;
    const { symbol } = this.setup.market;
    let session: BotSession | undefined = first;
    let delay = first ? FIRST_RETRY_MS : 0;
    while (!this.#stopping.signal.aborted) {
      if (session) {
        const end = await session.ended;
        if (end.kind === "stopped") return;
        if (end.kind === "failed") return this.#giveUp(end.error);
        this.#countFailure("session_lost");
        log.warn({ symbol, reason: end.reason }, "bot.session_lost");
        delay = FIRST_RETRY_MS;
      }
      await activity.run(() => activity.pause(clock, delay * (0.5 + random()), this.#stopping.signal));
      delay = Math.min(Math.max(delay * 2, FIRST_RETRY_MS), LONGEST_RETRY_MS);
      if (this.#stopping.signal.aborted) return;
      session = await activity.run(() => this.#reopen());
    }
  }

  async #reopen(): Promise<BotSession | undefined> {
    try {
      return await this.#open();
    } catch (error) {
      if (this.#stopping.signal.aborted) return undefined;
      const policy = policyFor(error);
      const passes = policy === "backOff" || policy === "stopSending";
      if (!passes) {
        this.#giveUp(error);
        return undefined;
      }
      this.#countFailure("reopen_failed");
      this.#ports.log.warn({ symbol: this.setup.market.symbol, error }, "bot.reopen_failed");
      return undefined;
    }
  }

  #giveUp(error: unknown): void {
    this.#failure = { error };
    this.#stopping.abort();
    this.#countFailure("failed");
    this.#ports.log.error({ symbol: this.setup.market.symbol, error }, "bot.failed");
    this.#reportFailure(error);
  }

  #countFailure(kind: "session_lost" | "reopen_failed" | "failed"): void {
    const { exchange, symbol } = this.setup.market;
    this.#ports.metrics.count("quantmesh_bot_failures_total", { exchange, symbol, kind });
  }
}
