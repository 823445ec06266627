/** The price-level locks of one bot: taken before an intent, kept until the order on that level is terminal. */
import type { Claim } from "../domain/claim.ts";
import type { Bot } from "../domain/grid.ts";
import type { ClientOrderId } from "../domain/ids.ts";
import { formatPrice } from "../domain/instrument.ts";
import type { OrderTerms } from "../domain/order.ts";
import type { Grant, LockOwner } from "../lock/lock.ts";
import type { RunnerPorts } from "./ports.ts";

interface Level {
  /** Orders on this level; the lock is released when the last is terminal. */
  readonly orders: Set<ClientOrderId>;
  grant: Grant | undefined;
  /** One request at a time for each key, so that a release never overtakes an acquire. */
  tail: Promise<void>;
}

export class LevelLocks {
  readonly #ports: RunnerPorts;
  readonly #bot: Bot;
  readonly #owner: LockOwner;
  readonly #levels = new Map<string, Level>();

  constructor(ports: RunnerPorts, bot: Bot, claim: Claim) {
    this.#ports = ports;
    this.#bot = bot;
    this.#owner = { fleet: ports.fleet, epoch: claim.epoch };
  }

  /** Takes the order's level: false where another fleet has it. Throws LOCK_UNAVAILABLE. */
  async take(terms: OrderTerms): Promise<boolean> {
    const key = this.#keyOf(terms);
    const level = this.#levelOf(key);
    level.orders.add(terms.id);
    let isHeld = false;
    await this.#inTurn(level, async () => {
      try {
        level.grant = await this.#acquire([key]);
        isHeld = level.grant !== undefined;
      } finally {
        if (!isHeld) level.orders.delete(terms.id);
      }
    });
    return isHeld;
  }

  /** True if the order's level stays ours until `monotonic`. */
  covers(terms: OrderTerms, monotonic: number): boolean {
    const grant = this.#levels.get(this.#keyOf(terms))?.grant;
    return grant !== undefined && grant.validUntil > monotonic;
  }

  /** Gives up the levels of all orders that are not among `working`. */
  retain(working: ReadonlySet<ClientOrderId>): void {
    for (const [key, level] of this.#levels) {
      for (const id of level.orders) if (!working.has(id)) level.orders.delete(id);
      if (level.orders.size === 0) this.#free(key, level);
    }
  }

  /** Extends every level in one round trip; levels lost or not held yet are taken again. */
  async extendAll(): Promise<void> {
    const held = [...this.#levels].filter(([, level]) => level.orders.size > 0);
    if (held.length === 0) return;
    const keys = held.map(([key]) => key);
    const all = await this.#acquire(keys);
    for (const [key, level] of held) level.grant = all ?? (await this.#acquire([key]));
  }

  /** Takes the levels of orders that rest already. */
  async adopt(orders: readonly OrderTerms[]): Promise<void> {
    for (const terms of orders) this.#levelOf(this.#keyOf(terms)).orders.add(terms.id);
    await this.extendAll();
  }

  async #acquire(keys: readonly string[]): Promise<Grant | undefined> {
    const grant = await this.#ports.lock.tryAcquire(keys, this.#owner, this.#ports.lockTtlMs);
    const { exchange, symbol } = this.#bot.market;
    const labels = { backend: this.#ports.lockBackend, exchange, symbol, status: grant ? "granted" : "busy" };
    this.#ports.metrics.count("quantmesh_lock_acquire_total", labels);
    if (!grant) {
      const { backend } = labels;
      this.#ports.metrics.count("quantmesh_lock_conflict_total", { backend, exchange, symbol });
    }
    return grant;
  }

  #free(key: string, level: Level): void {
    const freed = this.#ports.activity.run(() =>
      this.#inTurn(level, async () => {
        if (level.orders.size > 0) return;
        this.#levels.delete(key);
        if (level.grant) await this.#ports.lock.release(level.grant);
      }),
    );
    // A lock that cannot be released expires by itself.
    freed.catch((error: unknown) => this.#ports.log.warn({ key, error }, "lock.release_failed"));
  }

  async #inTurn(level: Level, work: () => Promise<void>): Promise<void> {
    const turn = level.tail.then(work);
    level.tail = turn.catch(() => undefined);
    await turn;
  }

  #levelOf(key: string): Level {
    let level = this.#levels.get(key);
    if (!level) {
      level = { orders: new Set(), grant: undefined, tail: Promise.resolve() };
      this.#levels.set(key, level);
    }
    return level;
  }

  /** `order:{exchange}:{account}:{symbol}:{price as exact text}`. */
  #keyOf(terms: OrderTerms): string {
    const { exchange, account, symbol } = this.#bot.market;
    const level = terms.type === "market" ? "market" : formatPrice(this.#bot.instrument, terms.price);
    return `order:${exchange}:${account}:${symbol}:${level}`;
  }
}
