/** What a session may take for stored: the database's word while it answers, this machine's own while it is away. */
import type { Claim } from "../domain/claim.ts";
import { hasCode } from "../domain/errors.ts";
import type { Execution, Fill } from "../domain/fill.ts";
import type { Bot } from "../domain/grid.ts";
import type { ClientOrderId } from "../domain/ids.ts";
import type { Log } from "../domain/log.ts";
import type { OrderRef, OrderStatus } from "../domain/order.ts";
import type { StoreRecord } from "../domain/records.ts";
import type { CommitOutcome, FillSpool, Intent, IntentOutcome, Storage } from "../storage/storage.ts";

export interface BooksOptions {
  readonly storage: Storage;
  readonly spool: FillSpool;
  readonly log: Log;
  readonly bot: Bot;
  readonly claim: Claim;
  /** Called once, when the database does not answer. */
  readonly onAway: () => void;
}

/** From this share of its capacity on a spool is nearly full. */
const NEARLY_FULL = 0.8;
/** Far above what the exchange's list repeats from page to page. */
const MOST_KNOWN = 20_000;

/**
 * Once the database has failed to answer it is away for the rest of the session: nobody knows what it has stored of
 * the last write, so only a new claim and a new reading can go on from there. Until then fills, which are facts, are
 * kept in the spool; nothing else is stored, and nothing that needs a stored intent is done.
 */
export class Books {
  readonly #options: BooksOptions;
  /** Fills that are stored, by trade id and side; the newest. */
  readonly #known = new Set<string>();
  #isAway = false;
  #alarmed: "nothing" | "nearly full" | "full" = "nothing";

  constructor(options: BooksOptions) {
    this.#options = options;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  /**
   * Stores all records, or nothing of them. `away`: the database has just stopped answering, the step is void. From
   * then on only the fills among the records are kept, in the spool; `full`: not even they.
   */
  async commit(records: readonly StoreRecord[]): Promise<CommitOutcome | "away" | "full"> {
    const { storage, claim, bot } = this.#options;
    const fills = records.flatMap((record) => (record.kind === "fill" ? [record.fill] : []));
    if (this.#isAway) return this.#keep(fills);
    const outcome = await this.#ask<CommitOutcome | "away">(
      () => storage.commit(claim, bot, records),
      () => "away",
    );
    if (outcome === "stored") this.#know(fills);
    return outcome;
  }

  /** `away`: no permission to send, whether or not it is stored. */
  insertIntent(intent: Intent): Promise<IntentOutcome | "away"> {
    const { storage, claim, bot } = this.#options;
    return this.#ask<IntentOutcome | "away">(
      () => storage.insertIntent(claim, bot, intent),
      () => "away",
    );
  }

  saveFillCursor(cursor: string): Promise<"stored" | "stale" | "away"> {
    const { storage, claim, bot } = this.#options;
    return this.#ask<"stored" | "stale" | "away">(
      () => storage.saveFillCursor(claim, bot, cursor),
      () => "away",
    );
  }

  /** Those of `executions` that are neither stored nor in the spool. */
  async unstoredFills(executions: readonly Execution[]): Promise<readonly Execution[]> {
    const { storage, spool, bot } = this.#options;
    const unstored = await this.#ask(
      () => storage.unstoredFills(bot, executions),
      () => executions.filter((one) => !this.#known.has(keyOf(one)) && !spool.has(bot.market, one)),
    );
    const missing = new Set(unstored);
    if (!this.#isAway) this.#know(executions.filter((one) => !missing.has(one)));
    return unstored;
  }

  deliveredFills(): Promise<readonly Fill[]> {
    const { storage, bot } = this.#options;
    return this.#ask(
      () => storage.deliveredFills(bot),
      () => [],
    );
  }

  findOrderByExchangeId(exchangeOrderId: string): Promise<OrderRef | undefined> {
    const { storage, bot } = this.#options;
    return this.#ask<OrderRef | undefined>(
      () => storage.findOrderByExchangeId(bot, exchangeOrderId),
      () => undefined,
    );
  }

  orderStatus(id: ClientOrderId): Promise<OrderStatus | undefined> {
    const { storage, bot } = this.#options;
    return this.#ask<OrderStatus | undefined>(
      () => storage.orderStatus(bot, id),
      () => undefined,
    );
  }

  #keep(fills: readonly Fill[]): "stored" | "duplicate" | "full" {
    const { spool, bot, log } = this.#options;
    if (fills.some((fill) => this.#known.has(keyOf(fill)))) return "duplicate";
    const { market, code } = bot;
    const outcome = spool.add(fills.map((fill) => ({ market, code, fill })));
    if (outcome === "stored") {
      for (const { tradeId, id } of fills) log.info({ symbol: market.symbol, tradeId, id }, "fill.spooled");
    }
    if (outcome === "full") this.#alarm("full");
    else if (spool.depth >= NEARLY_FULL * spool.capacity) this.#alarm("nearly full");
    return outcome;
  }

  /** Once each: whoever reads it has the rest of the outage to act. */
  #alarm(how: "nearly full" | "full"): void {
    const { spool, log, bot } = this.#options;
    if (this.#alarmed === how || this.#alarmed === "full") return;
    this.#alarmed = how;
    const { depth, capacity } = spool;
    log.error(
      { symbol: bot.market.symbol, depth, capacity },
      how === "full" ? "spool.full" : "spool.nearly_full",
    );
  }

  async #ask<Answer>(ask: () => Promise<Answer>, whileAway: () => Answer): Promise<Answer> {
    if (this.#isAway) return whileAway();
    try {
      return await ask();
    } catch (error) {
      if (!hasCode(error, "STORAGE_UNAVAILABLE")) throw error;
      this.#leave(error);
      return whileAway();
    }
  }

  #leave(error: unknown): void {
    if (this.#isAway) return;
    this.#isAway = true;
    const { log, bot, onAway } = this.#options;
    log.warn({ symbol: bot.market.symbol, error }, "storage.away");
    onAway();
  }

  #know(fills: readonly Execution[]): void {
    for (const fill of fills) this.#known.add(keyOf(fill));
    for (const key of this.#known) {
      if (this.#known.size <= MOST_KNOWN) break;
      this.#known.delete(key);
    }
  }
}

function keyOf({ tradeId, side }: Execution): string {
  return `${tradeId} ${side}`;
}
