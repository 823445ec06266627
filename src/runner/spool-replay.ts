/** Hands what the spool kept over to the database: in order, each fill once, whoever owns its market now. */
import type { Log } from "../domain/log.ts";
import type { FillSpool, SpooledFill, Storage } from "../storage/storage.ts";

export interface SpoolReplayOptions {
  readonly storage: Storage;
  readonly spool: FillSpool;
  readonly log: Log;
}

const FILLS_AT_ONCE = 500;

/** One for all bots of a process: runs that are asked for meanwhile are the one under way. */
export class SpoolReplay {
  readonly #options: SpoolReplayOptions;
  #underWay: Promise<void> | undefined;

  constructor(options: SpoolReplayOptions) {
    this.#options = options;
  }

  /** Resolves when nothing is left that can be handed over. Throws STORAGE_UNAVAILABLE; what is left then stays. */
  run(): Promise<void> {
    this.#underWay ??= this.#replay().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #replay(): Promise<void> {
    const { spool } = this.#options;
    if (spool.depth === 0) return;
    const byBot = new Map<string, SpooledFill[]>();
    for (const fill of spool.oldest(spool.depth)) {
      const fills = byBot.get(fill.code);
      if (fills) fills.push(fill);
      else byBot.set(fill.code, [fill]);
    }
    for (const fills of byBot.values()) await this.#deliver(fills);
  }

  async #deliver(fills: readonly SpooledFill[]): Promise<void> {
    const { storage, spool, log } = this.#options;
    const [first] = fills;
    if (!first) return;
    const { market, code } = first;
    const bot = await storage.findBot(market);
    if (bot?.code !== code) {
      // Another database: a person must say which one is right. The facts stay where they are.
      log.error({ symbol: market.symbol, code, fills: fills.length }, "spool.unknown_bot");
      return;
    }
    for (let from = 0; from < fills.length; from += FILLS_AT_ONCE) {
      const some = fills.slice(from, from + FILLS_AT_ONCE);
      await storage.deliverFills(
        bot,
        some.map(({ fill }) => fill),
      );
      // After the database has them: a crash in between hands them over once more, which changes nothing.
      spool.remove(some);
    }
    log.info({ symbol: market.symbol, fills: fills.length }, "spool.replayed");
  }
}
