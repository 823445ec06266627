/** The price-level locks of one bot: taken before an intent, kept until the order on that level is terminal. */
import type { Claim } from "../domain/claim.ts";
import { hasCode } from "../domain/errors.ts";
import type { Bot } from "../domain/grid.ts";
import type { ClientOrderId } from "../domain/ids.ts";
import { formatPrice } from "../domain/instrument.ts";
import type { OrderTerms } from "../domain/order.ts";
import type { Grant } from "../lock/lock.ts";
import { GroupedRequests } from "./grouped-requests.ts";
import type { GrantHolder } from "./lock-keeper.ts";
import type { RunnerPorts } from "./ports.ts";

interface Level {
  /** Orders on this level; the lock is released when the last is terminal. */
  readonly orders: Set<ClientOrderId>;
  grant: Grant | undefined;
  /** Monotonic ms; since when the level is ours without a break. */
  heldSince: number;
  /** One request at a time for each key, so that a release never overtakes an acquire. */
  tail: Promise<void>;
}

/** How long a level that another fleet had is shown as in conflict, if nobody asks for it again. */
const SHOWN_MS = 90_000;

export class LevelLocks implements GrantHolder {
  readonly #ports: RunnerPorts;
  readonly #bot: Bot;
  readonly #requests: GroupedRequests;
  readonly #levels = new Map<string, Level>();
  /** Keys that another fleet had when they were asked for, and when that was. */
  readonly #busy = new Map<string, number>();

  constructor(ports: RunnerPorts, bot: Bot, claim: Claim) {
    this.#ports = ports;
    this.#bot = bot;
    const owner = { fleet: ports.fleet, epoch: claim.epoch };
    this.#requests = new GroupedRequests(ports.lock, owner, ports.lockTtlMs);
  }

  /** Takes the order's level: false where another fleet has it. Throws LOCK_UNAVAILABLE. */
  async take(terms: OrderTerms): Promise<boolean> {
    const key = this.#keyOf(terms);
    const level = this.#levelOf(key);
    level.orders.add(terms.id);
    let isHeld = false;
    await this.#inTurn(level, async () => {
      try {
        if (!this.#isFresh(level.grant)) await this.#renew(key, level);
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

  /** Of an order that is not sent after all. */
  giveUp(terms: OrderTerms): void {
    const key = this.#keyOf(terms);
    const level = this.#levels.get(key);
    level?.orders.delete(terms.id);
    if (level?.orders.size === 0) this.#free(key, level);
  }

  /** Takes the levels of orders that rest already, as soon as the lock service can be asked; keeps all from then on. */
  async adopt(orders: readonly OrderTerms[]): Promise<() => void> {
    for (const terms of orders) this.#levelOf(this.#keyOf(terms)).orders.add(terms.id);
    try {
      await this.retake();
    } catch (error) {
      if (!hasCode(error, "LOCK_UNAVAILABLE")) throw error;
      this.#ports.log.warn({ symbol: this.#bot.market.symbol, error }, "lock.adoption_postponed");
    }
    return this.#ports.lockKeeper.keep(this);
  }

  /** Levels that another fleet holds, as exact price text: nothing new is placed there. */
  conflicts(): readonly string[] {
    const now = this.#ports.clock.monotonic();
    for (const [key, at] of this.#busy) {
      if (now - at > SHOWN_MS && !this.#levels.has(key)) this.#busy.delete(key);
    }
    return [...this.#busy.keys()].map((key) => key.slice(key.lastIndexOf(":") + 1));
  }

  grants(): readonly Grant[] {
    return [...this.#levels.values()].flatMap(({ grant, orders }) => (grant && orders.size > 0 ? grant : []));
  }

  extended(grant: Grant, longer: Grant | undefined): void {
    for (const key of grant.keys) {
      const level = this.#levels.get(key);
      // Another request may have taken the level anew meanwhile.
      if (level?.grant === grant) level.grant = longer;
    }
  }

  /** All at once: a level that somebody else has keeps no other one waiting. */
  async retake(): Promise<void> {
    const missing = [...this.#levels].filter(([, { grant, orders }]) => orders.size > 0 && !grant);
    await Promise.all(
      missing.map(([key, level]) =>
        this.#inTurn(level, async () => {
          if (level.orders.size > 0) await this.#renew(key, level);
        }),
      ),
    );
  }

  /**
   * Extends a grant that still lives, and asks anew only without one: who asks anew gives up what it held, and where no
   * answer comes it holds nothing.
   */
  async #renew(key: string, level: Level): Promise<void> {
    const { lock, lockTtlMs, clock } = this.#ports;
    const held = level.grant;
    if (held && held.validUntil > clock.monotonic()) {
      const [longer] = await lock.extend([held], lockTtlMs);
      if (level.grant === held) level.grant = longer;
      if (level.grant) return;
    }
    level.grant = undefined;
    this.#set(key, level, await this.#acquire(key));
  }

  /** Worth a request only when it has lived for a while: the keeper extends it before it ends. */
  #isFresh(grant: Grant | undefined): boolean {
    const { clock, lockTtlMs } = this.#ports;
    return grant !== undefined && grant.validUntil > clock.monotonic() + lockTtlMs / 2;
  }

  #set(key: string, level: Level, grant: Grant | undefined): void {
    const { clock, log } = this.#ports;
    const { symbol } = this.#bot.market;
    const now = clock.monotonic();
    if (!level.grant) level.heldSince = now;
    level.grant = grant;
    if (grant) {
      if (this.#busy.delete(key)) log.info({ symbol, key }, "lock.conflict_over");
      return;
    }
    if (!this.#busy.has(key)) log.warn({ symbol, key }, "lock.conflict");
    this.#busy.set(key, now);
    this.#ports.metrics.count("quantmesh_lock_conflict_total", this.#labels);
  }

  async #acquire(key: string): Promise<Grant | undefined> {
    const { metrics } = this.#ports;
    let status = "unavailable";
    try {
      const grant = await this.#requests.acquire(key);
      status = grant ? "granted" : "busy";
      return grant;
    } finally {
      metrics.count("quantmesh_lock_acquire_total", { ...this.#labels, status });
    }
  }

  #free(key: string, level: Level): void {
    const freed = this.#ports.activity.run(() =>
      this.#inTurn(level, async () => {
        if (level.orders.size > 0) return;
        this.#levels.delete(key);
        const { grant } = level;
        if (!grant) return;
        level.grant = undefined;
        const heldMs = this.#ports.clock.monotonic() - level.heldSince;
        this.#ports.metrics.observe("quantmesh_lock_hold_duration_seconds", this.#labels, heldMs / 1000);
        await this.#ports.lock.release(grant);
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
      level = { orders: new Set(), grant: undefined, heldSince: 0, tail: Promise.resolve() };
      this.#levels.set(key, level);
    }
    return level;
  }

  get #labels(): { readonly backend: string; readonly exchange: string; readonly symbol: string } {
    const { exchange, symbol } = this.#bot.market;
    return { backend: this.#ports.lockBackend, exchange, symbol };
  }

  /** `order:{exchange}:{account}:{symbol}:{price as exact text}`, or `*` where the whole symbol is one lock. */
  #keyOf(terms: OrderTerms): string {
    const { exchange, account, symbol } = this.#bot.market;
    const price = terms.type === "market" ? "market" : formatPrice(this.#bot.instrument, terms.price);
    const level = this.#ports.lockGranularity === "symbol" ? "*" : price;
    return `order:${exchange}:${account}:${symbol}:${level}`;
  }
}
