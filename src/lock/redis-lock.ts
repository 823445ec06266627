/** Locks in Redis: one server, Sentinel or Cluster; whoever asks for many keys asks once. */
import { randomBytes } from "node:crypto";
import { invariant } from "../domain/assert.ts";
import type { Clock } from "../domain/clock.ts";
import type { Grant, LockOwner, LockProvider, WaitLimits } from "./lock.ts";
import { MOST_AT_ONCE } from "./lock.ts";
import { ACQUIRE, ACQUIRE_EACH, EXTEND, MOST_KEYS, RELEASE } from "./redis-scripts.ts";
import type { RedisService, RedisTimes } from "./redis-service.ts";
import { UndoQueue } from "./undo-queue.ts";
import { LockUnavailable, closedLock } from "./unavailable.ts";
import { validUntil } from "./validity.ts";
import { WaitingLine } from "./waiting-line.ts";

interface Batch {
  readonly slot: number;
  readonly batch: Grant[];
  keys: number;
}

export class RedisLock implements LockProvider {
  readonly #service: RedisService;
  readonly #times: RedisTimes;
  readonly #clock: Clock;
  readonly #line = new WaitingLine();
  readonly #closed = new AbortController();
  readonly #undoing = new UndoQueue();
  readonly #session = randomBytes(12).toString("base64url");
  #grants = 0;

  constructor(service: RedisService, times: RedisTimes, clock: Clock) {
    this.#service = service;
    this.#times = times;
    this.#clock = clock;
  }

  async tryAcquire(keys: readonly string[], owner: LockOwner, ttlMs: number): Promise<Grant | undefined> {
    this.#refuseIfClosed();
    invariant(ttlMs <= this.#times.maxTtlMs, `a lock of ${ttlMs} ms is longer than the longest`);
    invariant(keys.length <= MOST_KEYS, `${keys.length} keys are more than one grant may have`);
    const token = this.#newToken();
    const value = valueOf(owner, token);
    const names = keys.map((key) => this.#service.nameOf(key));
    const until = validUntil(this.#clock.monotonic(), ttlMs);
    try {
      if (!(await this.#take(names, value, ttlMs))) return undefined;
    } catch (error) {
      if (!(error instanceof LockUnavailable) || error.maybeDone) this.#undo(names, value, ttlMs);
      throw error;
    }
    const grant: Grant = { keys, owner, token, fence: undefined, validUntil: until };
    if (this.#clock.monotonic() < until) return grant;
    this.#undo(names, value, ttlMs);
    throw new LockUnavailable("lock service redis granted what had expired by then", true);
  }

  async tryAcquireEach(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
  ): Promise<readonly (Grant | undefined)[]> {
    this.#refuseIfClosed();
    invariant(ttlMs <= this.#times.maxTtlMs, `a lock of ${ttlMs} ms is longer than the longest`);
    invariant(keys.length <= MOST_AT_ONCE, `${keys.length} keys are more than may be asked for at once`);
    const until = validUntil(this.#clock.monotonic(), ttlMs);
    const names = keys.map((key) => this.#service.nameOf(key));
    const tokens = keys.map(() => this.#newToken());
    const values = tokens.map((token) => valueOf(owner, token));
    const undo = (): void => {
      const removeAll = (): Promise<unknown> =>
        Promise.all(names.map((name, index) => this.#delete([name], values[index] ?? "")));
      this.#undoing.start(removeAll, ttlMs + this.#times.timeoutMs);
    };
    let answer: unknown;
    try {
      answer = await this.#service.on(this.#service.slotOf(names[0] ?? ""), (server) =>
        server.trusted().run(ACQUIRE_EACH, names, [ttlMs, ...values]),
      );
    } catch (error) {
      if (!(error instanceof LockUnavailable) || error.maybeDone) undo();
      throw error;
    }
    invariant(Array.isArray(answer), "Redis answers a request for several grants with a list");
    if (this.#clock.monotonic() >= until) {
      undo();
      throw new LockUnavailable("lock service redis granted what had expired by then", true);
    }
    const isGranted: readonly unknown[] = answer;
    return keys.map((key, index) =>
      isGranted[index] === 1
        ? { keys: [key], owner, token: tokens[index] ?? "", fence: undefined, validUntil: until }
        : undefined,
    );
  }

  acquire(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
    limits: WaitLimits,
  ): Promise<Grant | undefined> {
    const giveBack = ({ keys: granted, token }: Grant): void =>
      this.#undo(
        granted.map((key) => this.#service.nameOf(key)),
        valueOf(owner, token),
        ttlMs,
      );
    return this.#line.wait(keys, limits, () => this.tryAcquire(keys, owner, ttlMs), giveBack);
  }

  async extend(grants: readonly Grant[], ttlMs: number): Promise<readonly (Grant | undefined)[]> {
    this.#refuseIfClosed();
    const now = this.#clock.monotonic();
    const until = validUntil(now, ttlMs);
    const live = grants.filter(({ validUntil: end }) => end > now);
    const extended = new Set<Grant>();
    const calls = this.#batches(live).map(async ({ slot, batch }) => {
      const names = batch.flatMap(({ keys }) => keys.map((key) => this.#service.nameOf(key)));
      const values = batch.flatMap(({ owner, token, keys }) => [valueOf(owner, token), keys.length]);
      const answer = await this.#service.on(slot, (server) => server.run(EXTEND, names, [ttlMs, ...values]));
      invariant(Array.isArray(answer), "Redis answers an extension with a list");
      for (const [index, grant] of batch.entries()) if (answer[index] === 1) extended.add(grant);
    });
    await Promise.all(calls);
    const isInTime = this.#clock.monotonic() < until;
    return grants.map((grant) =>
      extended.has(grant) && isInTime ? { ...grant, validUntil: until } : undefined,
    );
  }

  async release({ keys, owner, token }: Grant): Promise<void> {
    this.#refuseIfClosed();
    const names = keys.map((key) => this.#service.nameOf(key));
    await this.#delete(names, valueOf(owner, token));
    this.#line.released(keys);
  }

  async ping(): Promise<void> {
    this.#refuseIfClosed();
    await this.#service.ping();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#line.close();
    await this.#undoing.close();
    this.#service.close();
  }

  #newToken(): string {
    this.#grants += 1;
    return `${this.#session}.${this.#grants}`;
  }

  /** One key that is free costs no script; whose a key is that somebody has, only the script tells. */
  async #take(names: readonly string[], value: string, ttlMs: number): Promise<boolean> {
    const [first = ""] = names;
    const slot = this.#service.slotOf(first);
    if (names.length === 1) {
      const set = await this.#service.on(slot, (server) => server.trusted().setIfFree(first, value, ttlMs));
      if (set === "OK") return true;
    }
    const taken = await this.#service.on(slot, (server) =>
      server.trusted().run(ACQUIRE, names, [value, ttlMs]),
    );
    return taken === names.length;
  }

  /** Grants that one script may extend together. */
  #batches(grants: readonly Grant[]): readonly Batch[] {
    const batches: Batch[] = [];
    const open = new Map<number, Batch>();
    for (const grant of grants) {
      const slot = this.#service.slotOf(this.#service.nameOf(grant.keys[0] ?? ""));
      let current = open.get(slot);
      if (!current || current.keys + grant.keys.length > MOST_KEYS) {
        current = { slot, batch: [], keys: 0 };
        open.set(slot, current);
        batches.push(current);
      }
      current.batch.push(grant);
      current.keys += grant.keys.length;
    }
    return batches;
  }

  #undo(names: readonly string[], value: string, ttlMs: number): void {
    this.#undoing.start(() => this.#delete(names, value), ttlMs + this.#times.timeoutMs);
  }

  #delete(names: readonly string[], value: string): Promise<unknown> {
    const slot = this.#service.slotOf(names[0] ?? "");
    return this.#service.on(slot, (server) => server.run(RELEASE, names, [value]));
  }

  #refuseIfClosed(): void {
    if (this.#closed.signal.aborted) throw closedLock();
  }
}

/** Whose lock it is, and which of its grants: what stands in Redis. */
function valueOf({ fleet, epoch }: LockOwner, token: string): string {
  return `${fleet} ${epoch} ${token}`;
}
