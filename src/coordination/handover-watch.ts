/** Measures the pause of every planned handover, and takes a moved symbol back where its new seat does not trade it. */
import type { Clock } from "../domain/clock.ts";
import type { Log } from "../domain/log.ts";
import type { Metrics } from "../domain/metrics.ts";

export interface HandoverWatchOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** How long the new owner may take to claim a symbol, and again to trade it, ms. */
  readonly limitMs: number;
  /** Says something to all other instances. */
  readonly tell: (message: string) => void;
  /** The holder of claims `by` has let go of these symbols: whoever waits for them looks again. */
  readonly wake: (symbols: readonly string[], by: string) => void;
  /** Called when somebody has begun to trade a symbol. */
  readonly traded: (symbol: string) => void;
  /** True where a pin keeps the symbol on another's seat. */
  readonly isMovedAway: (symbol: string) => boolean;
  /** True while the symbol is claimed. Throws STORAGE_UNAVAILABLE. */
  readonly isClaimed: (symbol: string) => Promise<boolean>;
  /** Takes the pin back; false where there is none any more, or somebody was faster. Throws COORDINATION_UNAVAILABLE. */
  readonly rollBack: (symbol: string) => Promise<boolean>;
}

interface Given {
  /** When its bot began to stop, monotonic ms. */
  readonly stoppedAt: number;
  wasClaimed: boolean;
  cancel: () => void;
}

/** Why a handover failed, as the metric's label. */
type Failure = "not_released" | "not_claimed" | "not_trading" | "target_gone";

const TRADING = "trading";
/** A message names so many symbols at most. */
const SYMBOLS_AT_ONCE = 500;

export class HandoverWatch {
  readonly #options: HandoverWatchOptions;
  /** When the bots that we give away began to stop. */
  readonly #stopping = new Map<string, number>();
  /** Symbols that were moved away from here and that nobody is known to trade yet. */
  readonly #given = new Map<string, Given>();
  /** When the bots that others gave away began to stop, by our clock. */
  readonly #heard = new Map<string, number>();
  #isClosed = false;

  constructor(options: HandoverWatchOptions) {
    this.#options = options;
  }

  /** Runs a handover of ours, from the moment on in which its bot begins to stop. */
  async give(symbol: string, handOver: () => Promise<void>): Promise<void> {
    this.#stopping.set(symbol, this.#options.clock.monotonic());
    try {
      await handOver();
    } catch (error) {
      this.#count("not_released");
      throw error;
    }
  }

  /** The symbol is nobody's now. */
  released(symbol: string): void {
    const { clock, tell, isMovedAway, limitMs } = this.#options;
    const now = clock.monotonic();
    const stoppedAt = this.#stopping.get(symbol) ?? now;
    this.#stopping.delete(symbol);
    tell(`${symbol} ${Math.round(now - stoppedAt)}`);
    if (this.#isClosed || !isMovedAway(symbol)) return;
    this.#given.get(symbol)?.cancel();
    const given: Given = { stoppedAt, wasClaimed: false, cancel: () => undefined };
    this.#given.set(symbol, given);
    this.#lookAfter(symbol, given, limitMs);
  }

  /** These symbols are another's, whether or not their claims say so: we do not trade them any more. */
  lost(symbols: readonly string[]): void {
    for (let from = 0; from < symbols.length; from += SYMBOLS_AT_ONCE)
      this.#options.tell(symbols.slice(from, from + SYMBOLS_AT_ONCE).join(" "));
  }

  /** Another instance, `by` as the holder of its claims, has said something. */
  told(message: string, by: string): void {
    const [first, ...rest] = message.split(" ");
    if (first === undefined) return;
    if (first !== TRADING) return this.#hearReleased([first, ...rest], by);
    for (const symbol of rest) {
      this.#heard.delete(symbol);
      this.#forget(symbol);
      this.#options.traded(symbol);
    }
  }

  /** The symbol is traded here from now on. */
  trading(symbol: string): void {
    const { clock, metrics, log, tell, traded } = this.#options;
    tell(`${TRADING} ${symbol}`);
    traded(symbol);
    const stoppedAt = this.#heard.get(symbol);
    if (stoppedAt !== undefined) {
      const pausedMs = clock.monotonic() - stoppedAt;
      this.#heard.delete(symbol);
      metrics.observe("quantmesh_handover_lag_seconds", {}, pausedMs / 1000);
      log.info({ symbol, pausedMs: Math.round(pausedMs) }, "handover.done");
    }
    if (this.#forget(symbol)) void this.#cameBack(symbol);
  }

  close(): void {
    this.#isClosed = true;
    for (const { cancel } of this.#given.values()) cancel();
    this.#given.clear();
  }

  /** Symbols, each followed by how long its bot had been stopping, ms; or by nothing, where it was lost. */
  #hearReleased(words: readonly string[], by: string): void {
    const now = this.#options.clock.monotonic();
    const symbols: string[] = [];
    for (const word of words) {
      const symbol = symbols.at(-1);
      if (!/^\d+$/.test(word)) symbols.push(word);
      else if (symbol !== undefined) this.#heard.set(symbol, now - Number(word));
    }
    this.#options.wake(symbols, by);
  }

  #lookAfter(symbol: string, given: Given, delayMs: number): void {
    given.cancel = this.#options.clock.after(delayMs, () => void this.#look(symbol, given));
  }

  async #look(symbol: string, given: Given): Promise<void> {
    const { clock, log, limitMs, isClaimed, isMovedAway } = this.#options;
    try {
      const isTaken = await isClaimed(symbol);
      if (this.#given.get(symbol) !== given) return;
      // It has claimed: its start is given the same time again.
      if (isTaken && !given.wasClaimed) given.wasClaimed = true;
      else if (await this.#failed(symbol, isTaken ? "not_trading" : "not_claimed", given)) return;
      else if (!isMovedAway(symbol)) return void this.#forget(symbol);
    } catch (error) {
      const waitedMs = Math.round(clock.monotonic() - given.stoppedAt);
      log.warn({ symbol, waitedMs, error }, "handover.not_judged");
    }
    if (this.#given.get(symbol) === given) this.#lookAfter(symbol, given, limitMs);
  }

  /** True where the handover is undone by this call. */
  async #failed(symbol: string, reason: Failure, given: Given): Promise<boolean> {
    const { clock, log, rollBack } = this.#options;
    if (!(await rollBack(symbol))) return false;
    this.#forget(symbol);
    this.#count(reason);
    const waitedMs = Math.round(clock.monotonic() - given.stoppedAt);
    log.warn({ symbol, reason, waitedMs }, "handover.rolled_back");
    return true;
  }

  /** What we had moved away is ours again: its seat is gone, or the move was called off. */
  async #cameBack(symbol: string): Promise<void> {
    try {
      if (!(await this.#options.rollBack(symbol))) return;
      this.#count("target_gone");
      this.#options.log.warn({ symbol, reason: "target_gone" }, "handover.rolled_back");
    } catch (error) {
      this.#options.log.warn({ symbol, error }, "handover.not_judged");
    }
  }

  #forget(symbol: string): boolean {
    this.#given.get(symbol)?.cancel();
    return this.#given.delete(symbol);
  }

  #count(reason: Failure): void {
    this.#options.metrics.count("quantmesh_failed_handovers_total", { reason });
  }
}
