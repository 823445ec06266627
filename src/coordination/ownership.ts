/** Opens and gives away bots so that an instance trades what is assigned to it, and nothing else. */
import type { Clock } from "../domain/clock.ts";
import type { Log } from "../domain/log.ts";
import { Turns } from "./turns.ts";
import { WakeUps } from "./wake-ups.ts";

/** Whoever runs the bots. */
export interface BotHost {
  /** Trades the symbol from here on, as soon as it can be claimed. */
  open(symbol: string): void;
  /** Stops at once and touches nothing on the exchange. */
  drop(symbol: string, reason: string): void;
  /** Stops in order and lets go of the claim; the orders rest all the while. */
  handOver(symbol: string): Promise<void>;
}

/**
 * So many symbols are given away at a time, and the next when one of them is traded again: whoever waits trades on, and
 * the new owner opens few at once, which makes each pause short.
 */
const GIVEN_AT_ONCE = 4;
/** Nobody waits longer for a new owner to trade what was released: there may be none. */
const TRADED_AGAIN_MS = 150;
/** After this long all that still waits is given away at once: the process may have to end. */
const LONGEST_WAIT_MS = 2000;

export class Ownership {
  readonly #host: BotHost;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Called when a symbol was given away. */
  readonly #released: (symbol: string) => void;
  #wanted: ReadonlySet<string> = new Set();
  readonly #open = new Set<string>();
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #turns = new Turns(GIVEN_AT_ONCE);
  readonly #tradedAgain: WakeUps;

  constructor(host: BotHost, clock: Clock, log: Log, released: (symbol: string) => void) {
    this.#host = host;
    this.#clock = clock;
    this.#log = log;
    this.#tradedAgain = new WakeUps(clock);
    this.#released = released;
  }

  /** Symbols that are traded, or are about to be. */
  get open(): ReadonlySet<string> {
    return this.#open;
  }

  /** Opens what is new among `symbols`, and gives away what is not among them. */
  want(symbols: ReadonlySet<string>): void {
    this.#wanted = symbols;
    for (const symbol of this.#open) {
      if (!symbols.has(symbol)) this.#leave(symbol);
    }
    for (const symbol of symbols) this.#take(symbol);
  }

  /** Gives a bot up and opens it again, as with new settings; nothing where it is not open. */
  restart(symbol: string): void {
    if (this.#open.has(symbol)) this.#leave(symbol);
  }

  /** Everything is another's: stops in this turn of the event loop. Returns what was stopped. */
  lose(reason: string): readonly string[] {
    this.#wanted = new Set();
    const dropped = [...this.#open, ...this.#leaving.keys()];
    for (const symbol of dropped) this.#host.drop(symbol, reason);
    this.#open.clear();
    return dropped;
  }

  /** Resolves once everything that was to be given away is. */
  async whenGiven(): Promise<void> {
    while (this.#leaving.size > 0) await Promise.all(this.#leaving.values());
  }

  /** Somebody trades the symbol. */
  traded(symbol: string): void {
    this.#tradedAgain.wake([symbol]);
  }

  #take(symbol: string): void {
    // One that is still being given away is taken back when that is done.
    if (this.#open.has(symbol) || this.#leaving.has(symbol)) return;
    this.#open.add(symbol);
    this.#host.open(symbol);
  }

  #leave(symbol: string): void {
    this.#open.delete(symbol);
    this.#leaving.set(symbol, this.#inTurn(symbol));
  }

  /** Resolves once the symbol is released; its turn lasts on. */
  async #inTurn(symbol: string): Promise<void> {
    const cancel = this.#clock.after(LONGEST_WAIT_MS, () => this.#turns.hurry());
    await new Promise<void>((released) => {
      void this.#turns.run(async () => {
        cancel();
        const again = this.#tradedAgain.listen(symbol);
        await this.#handOver(symbol);
        released();
        await again.within(TRADED_AGAIN_MS);
      });
    });
  }

  async #handOver(symbol: string): Promise<void> {
    this.#log.info({ symbol }, "bot.handing_over");
    try {
      await this.#host.handOver(symbol);
      this.#log.info({ symbol }, "bot.handed_over");
    } catch (error) {
      // Whoever wants the market overrules us.
      this.#log.warn({ symbol, error }, "bot.handover_failed");
    }
    this.#leaving.delete(symbol);
    this.#released(symbol);
    if (this.#wanted.has(symbol)) this.#take(symbol);
  }
}
