/** One process's bots, by symbol: all of them from the start, or those that a fleet gives it, for as long as it does. */
import { Turns } from "../coordination/turns.ts";
import { QuantmeshError } from "../domain/errors.ts";
import { Activity } from "./activity.ts";
import type { BotCondition } from "./bot-condition.ts";
import { conditionOf, failedByConfig } from "./bot-condition.ts";
import { BotRunner } from "./bot-runner.ts";
import type { BotStatus } from "./bot-runner.ts";
import type { BotSetup } from "./open-bot.ts";
import { readStored } from "./open-bot.ts";
import type { RunnerPorts } from "./ports.ts";

/** So many bots load at a time what is stored of them: more would share the database, and each take longer. */
const OPENING_AT_ONCE = 4;

export class Instance {
  readonly #ports: RunnerPorts;
  #setups: ReadonlyMap<string, BotSetup>;
  readonly #runners = new Map<string, BotRunner>();
  readonly #opening = new Turns(OPENING_AT_ONCE);

  constructor(ports: RunnerPorts, setups: readonly BotSetup[]) {
    this.#ports = ports;
    this.#setups = new Map(setups.map((setup) => [setup.market.symbol, setup]));
  }

  get runners(): readonly BotRunner[] {
    return [...this.#runners.values()];
  }

  /** Every symbol that it could trade. */
  get symbols(): readonly string[] {
    return [...this.#setups.keys()];
  }

  /** What bots start with. */
  get setups(): readonly BotSetup[] {
    return [...this.#setups.values()];
  }

  /** Whether the bot of `symbol` trades here with the settings of the last `configure`. */
  condition(symbol: string): BotCondition {
    return conditionOf(this.#runners.get(symbol), this.#setups.get(symbol));
  }

  /** True of a bot that has ended for another reason than its config: other settings do not bring it back. */
  hasFailed(symbol: string): boolean {
    const runner = this.#runners.get(symbol);
    return runner?.failure !== undefined && !failedByConfig(runner);
  }

  /** Bots that start from here on have these settings. */
  configure(setups: readonly BotSetup[]): void {
    this.#setups = new Map(setups.map((setup) => [setup.market.symbol, setup]));
  }

  /** Starts all bots; where one cannot start, those already started are stopped again. */
  async start(): Promise<void> {
    try {
      for (const symbol of this.symbols) await this.#ports.activity.run(() => this.#add(symbol).start());
    } catch (error) {
      await this.stop("start failed");
      throw error;
    }
  }

  /**
   * Reads as many bots as load at a time, so that a takeover finds connections open and its statements planned; hands
   * over what the spool has, so that no takeover waits for it.
   */
  async warm(): Promise<void> {
    await this.#ports.replaySpool();
    await Promise.all(this.setups.slice(0, OPENING_AT_ONCE).map((setup) => readStored(this.#ports, setup)));
  }

  /** Trades this symbol from here on, as soon as its market can be claimed. */
  open(symbol: string): void {
    if (!this.#runners.has(symbol)) this.#add(symbol).keepTrading();
  }

  /** Trades this symbol no longer, from this turn of the event loop on; nothing on the exchange is touched. */
  drop(symbol: string, reason: string): void {
    const runner = this.#runners.get(symbol);
    this.#runners.delete(symbol);
    runner?.drop(reason);
  }

  /** Gives this symbol away; its orders rest on the exchange all the while. Resolves once others can claim it. */
  async handOver(symbol: string): Promise<void> {
    const { exchange } = this.#ports;
    const runner = this.#runners.get(symbol);
    try {
      await runner?.handOver(exchange.requestWindowMs + exchange.settleMs);
    } finally {
      if (this.#runners.get(symbol) === runner) this.#runners.delete(symbol);
    }
  }

  async stop(reason: string): Promise<void> {
    await Promise.all(this.runners.map((runner) => runner.stop(reason)));
  }

  /** Resolves with the first failure once every bot has failed for good. */
  async allFailed(): Promise<unknown> {
    const [first] = await Promise.all(this.runners.map((runner) => runner.failed));
    return first;
  }

  get isIdle(): boolean {
    return this.#ports.activity.isIdle;
  }

  async whenIdle(): Promise<void> {
    await this.#ports.activity.whenIdle();
  }

  /** True once no bot has an order that may execute, or something left to sell at its end. */
  get isFlat(): boolean {
    return this.statuses().every(({ working, mode }) => working.length === 0 && mode !== "closing");
  }

  gauge(): void {
    for (const runner of this.runners) runner.gauge();
  }

  statuses(): readonly BotStatus[] {
    return this.runners.map((runner) => runner.status()).filter((status) => status !== undefined);
  }

  #add(symbol: string): BotRunner {
    const setup = this.#setups.get(symbol);
    if (!setup) throw new QuantmeshError("INVARIANT", `there is no grid of ${symbol}`);
    // Each bot is idle by itself: one that is given away does not wait for the others.
    const ports = { ...this.#ports, activity: new Activity(this.#ports.activity) };
    const runner = new BotRunner(ports, setup, this.#opening);
    this.#runners.set(symbol, runner);
    return runner;
  }
}
