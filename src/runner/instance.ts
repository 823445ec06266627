/** One process's bots: started together, stopped together, idle only when all are. */
import type { Activity } from "./activity.ts";
import { BotRunner } from "./bot-runner.ts";
import type { BotStatus } from "./bot-runner.ts";
import type { BotSetup } from "./open-bot.ts";
import type { RunnerPorts } from "./ports.ts";

export class Instance {
  readonly runners: readonly BotRunner[];
  readonly #activity: Activity;

  constructor(ports: RunnerPorts, setups: readonly BotSetup[]) {
    this.#activity = ports.activity;
    this.runners = setups.map((setup) => new BotRunner(ports, setup));
  }

  /** Starts all bots; where one cannot start, those already started are stopped again. */
  async start(): Promise<void> {
    try {
      for (const runner of this.runners) await this.#activity.run(() => runner.start());
    } catch (error) {
      await this.stop("start failed");
      throw error;
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
    return this.#activity.isIdle;
  }

  async whenIdle(): Promise<void> {
    await this.#activity.whenIdle();
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
}
