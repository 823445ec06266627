/** Locks in the database that the storage keeps: guards whoever shares that database, with its time and a durable fence. */
import { randomBytes } from "node:crypto";
import { invariant } from "../domain/assert.ts";
import type { Clock } from "../domain/clock.ts";
import { hasCode } from "../domain/errors.ts";
import type { HeldLocks, Storage } from "../storage/storage.ts";
import type { Grant, LockOwner, LockProvider, WaitLimits } from "./lock.ts";
import { MOST_AT_ONCE } from "./lock.ts";
import { LockUnavailable, closedLock, reasonOf } from "./unavailable.ts";
import { UndoQueue } from "./undo-queue.ts";
import { validUntil } from "./validity.ts";
import { WaitingLine } from "./waiting-line.ts";

export interface DatabaseLockOptions {
  readonly type: "database";
  /** Stays open when the lock is closed. */
  readonly storage: Pick<Storage, "takeLocks" | "takeEachLock" | "extendLocks" | "freeLocks" | "ping">;
  readonly prefix: string;
  readonly maxTtlMs: number;
}

const TIMEOUT_SHARE = 4;

export class DatabaseLock implements LockProvider {
  readonly #options: DatabaseLockOptions;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #line = new WaitingLine();
  readonly #undoing = new UndoQueue();
  readonly #session = randomBytes(12).toString("base64url");
  #grants = 0;
  #isClosed = false;

  constructor(options: DatabaseLockOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#timeoutMs = Math.floor(options.maxTtlMs / TIMEOUT_SHARE);
  }

  async tryAcquire(keys: readonly string[], owner: LockOwner, ttlMs: number): Promise<Grant | undefined> {
    this.#refuseIfClosed();
    const { storage, maxTtlMs } = this.#options;
    invariant(ttlMs <= maxTtlMs, `a lock of ${ttlMs} ms is longer than the longest`);
    const token = this.#newToken();
    const held = { names: this.#namesOf(keys), token };
    const until = validUntil(this.#clock.monotonic(), ttlMs);
    let fence: number | undefined;
    try {
      fence = await this.#within(storage.takeLocks({ ...held, ...owner, ttlMs }));
    } catch (error) {
      if (!(error instanceof LockUnavailable) || error.maybeDone) this.#undo([held], ttlMs);
      throw error;
    }
    if (fence === undefined) return undefined;
    if (this.#clock.monotonic() < until)
      return { keys, owner, token, fence: BigInt(fence), validUntil: until };
    this.#undo([held], ttlMs);
    throw new LockUnavailable("lock service database granted what had expired by then", true);
  }

  async tryAcquireEach(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
  ): Promise<readonly (Grant | undefined)[]> {
    this.#refuseIfClosed();
    const { storage, maxTtlMs, prefix } = this.#options;
    invariant(ttlMs <= maxTtlMs, `a lock of ${ttlMs} ms is longer than the longest`);
    invariant(keys.length <= MOST_AT_ONCE, `${keys.length} keys are more than may be asked for at once`);
    const locks = keys.map((key) => ({ name: prefix + key, token: this.#newToken() }));
    const undo = (): void =>
      this.#undo(
        locks.map(({ name, token }) => ({ names: [name], token })),
        ttlMs,
      );
    const until = validUntil(this.#clock.monotonic(), ttlMs);
    let fences: ReadonlyMap<string, number>;
    try {
      fences = await this.#within(storage.takeEachLock({ locks, ...owner, ttlMs }));
    } catch (error) {
      if (!(error instanceof LockUnavailable) || error.maybeDone) undo();
      throw error;
    }
    if (this.#clock.monotonic() >= until) {
      undo();
      throw new LockUnavailable("lock service database granted what had expired by then", true);
    }
    return keys.map((key, index) => {
      const { token } = locks[index] as (typeof locks)[number];
      const fence = fences.get(token);
      if (fence === undefined) return undefined;
      return { keys: [key], owner, token, fence: BigInt(fence), validUntil: until };
    });
  }

  acquire(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
    limits: WaitLimits,
  ): Promise<Grant | undefined> {
    const giveBack = ({ token }: Grant): void => this.#undo([{ names: this.#namesOf(keys), token }], ttlMs);
    return this.#line.wait(keys, limits, () => this.tryAcquire(keys, owner, ttlMs), giveBack);
  }

  async extend(grants: readonly Grant[], ttlMs: number): Promise<readonly (Grant | undefined)[]> {
    this.#refuseIfClosed();
    const now = this.#clock.monotonic();
    const until = validUntil(now, ttlMs);
    const live = grants.filter(({ validUntil: end }) => end > now);
    const held = live.map(({ keys, token }) => ({ names: this.#namesOf(keys), token }));
    const extended =
      held.length === 0 ? [] : await this.#within(this.#options.storage.extendLocks(held, ttlMs));
    const tokens = new Set(extended);
    const isInTime = this.#clock.monotonic() < until;
    return grants.map((grant) =>
      isInTime && grant.validUntil > now && tokens.has(grant.token)
        ? { ...grant, validUntil: until }
        : undefined,
    );
  }

  async release({ keys, token }: Grant): Promise<void> {
    this.#refuseIfClosed();
    const held = { names: this.#namesOf(keys), token };
    try {
      await this.#within(this.#options.storage.freeLocks(held));
    } catch (error) {
      this.#undo([held], this.#options.maxTtlMs);
      throw error;
    }
    this.#line.released(keys);
  }

  async ping(): Promise<void> {
    this.#refuseIfClosed();
    await this.#within(this.#options.storage.ping());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#line.close();
    await this.#undoing.close();
  }

  #newToken(): string {
    this.#grants += 1;
    return `${this.#session}.${this.#grants}`;
  }

  #namesOf(keys: readonly string[]): readonly string[] {
    return keys.map((key) => this.#options.prefix + key);
  }

  #undo(grants: readonly HeldLocks[], ttlMs: number): void {
    const free = (): Promise<unknown> =>
      Promise.all(grants.map((held) => this.#within(this.#options.storage.freeLocks(held))));
    this.#undoing.start(free, ttlMs + this.#timeoutMs);
  }

  /** The database's own limits are made for writes that must not be lost, and are longer than a lock may wait. */
  async #within<Answer>(answer: Promise<Answer>): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new LockUnavailable(`lock service database: no answer within ${this.#timeoutMs} ms`, true));
      }, this.#timeoutMs);
    });
    try {
      return await Promise.race([answer, silence]);
    } catch (error) {
      if (!hasCode(error, "STORAGE_UNAVAILABLE")) throw error;
      throw new LockUnavailable(`lock service database: ${reasonOf(error)}`, true, error);
    } finally {
      clearTimeout(timer);
    }
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw closedLock();
  }
}
