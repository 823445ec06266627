/** Locks in etcd: keys on one lease of the instance, taken and taken over by transactions; the revision is the fence. */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { ICompare, IKeyValue, IRequestOp, ITxnRequest } from "etcd3";
import { EtcdLeaseInvalidError } from "etcd3";
import { invariant } from "../domain/assert.ts";
import type { Clock } from "../domain/clock.ts";
import type { HeldLease } from "./etcd-lease.ts";
import { EtcdLease } from "./etcd-lease.ts";
import type { EtcdAccess } from "./etcd-nodes.ts";
import { EtcdNodes } from "./etcd-nodes.ts";
import type { Grant, LockOwner, LockProvider, WaitLimits } from "./lock.ts";
import { LockUnavailable, closedLock } from "./unavailable.ts";
import { validUntil } from "./validity.ts";
import { WaitingLine } from "./waiting-line.ts";

export interface EtcdLockOptions extends EtcdAccess {
  readonly type: "etcd";
  readonly prefix: string;
  readonly maxTtlMs: number;
}

/** A grant as etcd knows it. */
interface Held {
  readonly names: readonly string[];
  readonly value: string;
  /** Local monotonic ms; then its keys are deleted, unless it was extended. */
  until: number;
}

/** etcd refuses transactions of more than 128 operations. */
const MOST_KEYS = 100;
const RETRY_MS = 200;
const TIMEOUT_SHARE = 4;

export class EtcdLock implements LockProvider {
  readonly #nodes: EtcdNodes;
  readonly #lease: EtcdLease;
  readonly #options: EtcdLockOptions;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #line = new WaitingLine();
  readonly #closed = new AbortController();
  readonly #session = randomBytes(12).toString("base64url");
  /** By token. */
  readonly #held = new Map<string, Held>();
  readonly #background = new Set<Promise<void>>();
  #sweeper: NodeJS.Timeout | undefined;
  #sweepAt = Number.POSITIVE_INFINITY;
  #grants = 0;

  constructor(options: EtcdLockOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#timeoutMs = Math.floor(options.maxTtlMs / TIMEOUT_SHARE);
    this.#nodes = new EtcdNodes(options, this.#timeoutMs);
    this.#lease = new EtcdLease(this.#nodes, options.prefix, options.maxTtlMs);
  }

  async tryAcquire(keys: readonly string[], owner: LockOwner, ttlMs: number): Promise<Grant | undefined> {
    this.#refuseIfClosed();
    const { maxTtlMs, prefix } = this.#options;
    invariant(ttlMs <= maxTtlMs, `a lock of ${ttlMs} ms is longer than the longest`);
    invariant(keys.length <= MOST_KEYS, `${keys.length} keys are more than one grant may have`);
    this.#grants += 1;
    const token = `${this.#session}.${this.#grants}`;
    const names = keys.map((key) => prefix + key);
    const value = `${owner.fleet} ${owner.epoch} ${token}`;
    const lease = await this.#lease.lasting(ttlMs);
    const until = this.#untilOf(lease, ttlMs);
    let fence: bigint | undefined;
    try {
      fence = await this.#take(lease, names, owner, value);
    } catch (error) {
      this.#undo(lease, names, value);
      if (!(error instanceof EtcdLeaseInvalidError)) throw error;
      lease.validUntil = Number.NEGATIVE_INFINITY;
      throw new LockUnavailable("lock service etcd: the lease has ended", false, error);
    }
    if (fence === undefined) return undefined;
    if (this.#clock.monotonic() >= until) {
      this.#undo(lease, names, value);
      throw new LockUnavailable("lock service etcd granted what had expired by then", true);
    }
    this.#hold(token, { names, value, until: performance.now() + ttlMs });
    return { keys, owner, token, fence, validUntil: until };
  }

  acquire(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
    limits: WaitLimits,
  ): Promise<Grant | undefined> {
    const giveBack = (grant: Grant): void => this.#inBackground(this.#free([grant.token]));
    return this.#line.wait(keys, limits, () => this.tryAcquire(keys, owner, ttlMs), giveBack);
  }

  async extend(grants: readonly Grant[], ttlMs: number): Promise<readonly (Grant | undefined)[]> {
    this.#refuseIfClosed();
    const now = this.#clock.monotonic();
    const before = this.#lease.held;
    if (!before || grants.length === 0) return grants.map(() => undefined);
    const [lease, attached] = await Promise.all([this.#lease.renew(), this.#lease.keys(before)]);
    const until = this.#untilOf(lease, ttlMs, now);
    return grants.map((grant) => {
      const held = this.#held.get(grant.token);
      const isOurs = lease === before && held?.names.every((name) => attached.has(name)) === true;
      if (!held || !isOurs || grant.validUntil <= now || this.#clock.monotonic() >= until) return undefined;
      held.until = performance.now() + ttlMs;
      return { ...grant, validUntil: until };
    });
  }

  async release({ keys, token }: Grant): Promise<void> {
    this.#refuseIfClosed();
    await this.#free([token]);
    this.#line.released(keys);
  }

  async ping(): Promise<void> {
    this.#refuseIfClosed();
    // A read that needs the quorum: who only reads its own copy may be cut off.
    const key = Buffer.from(`${this.#options.prefix}ping`);
    await this.#nodes.call((client, options) => client.kv.range({ key, count_only: true }, options));
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#line.close();
    clearTimeout(this.#sweeper);
    await Promise.all(this.#background);
    // Where it cannot be revoked now, it ends by itself: nobody keeps it alive.
    await this.#lease.revoke().catch(() => undefined);
    this.#nodes.close();
  }

  #untilOf(lease: HeldLease, ttlMs: number, now = this.#clock.monotonic()): number {
    return Math.min(validUntil(now, ttlMs), now + lease.validUntil - performance.now());
  }

  /** The revision of the grant; undefined where somebody else holds a key. */
  async #take(
    lease: HeldLease,
    names: readonly string[],
    owner: LockOwner,
    value: string,
  ): Promise<bigint | undefined> {
    const keys = names.map((name) => Buffer.from(name));
    let seen: readonly (IKeyValue | undefined)[] = keys.map(() => undefined);
    const over = performance.now() + this.#timeoutMs;
    while (performance.now() < over) {
      const guardRevision = lease.guardRevision;
      const answer = await this.#nodes.call((client, options) =>
        client.kv.txn(takeTransaction(lease, guardRevision, keys, seen, value), options),
      );
      if (answer.succeeded) return BigInt(answer.header.revision);
      const found = answer.responses.map(({ response_range: { kvs } }) => kvs[0]);
      // A repeated request finds what its first copy has done.
      if (found.every((held) => held?.value.toString() === value)) return BigInt(found[0]?.mod_revision ?? 0);
      if (found.some((held) => held && !isFreeFor(held.value.toString(), owner))) return undefined;
      const isSeen = found.every((held, i) => held?.mod_revision === seen[i]?.mod_revision);
      // Nothing has changed but the guard: somebody here gave up on another request.
      if (isSeen && guardRevision === lease.guardRevision) await this.#lease.bumpGuard(lease);
      seen = found;
    }
    throw new LockUnavailable("lock service etcd: the keys changed too often to be taken", true);
  }

  #hold(token: string, held: Held): void {
    this.#held.set(token, held);
    if (held.until < this.#sweepAt) this.#sweepAfter(held.until);
  }

  #sweepAfter(until: number): void {
    clearTimeout(this.#sweeper);
    this.#sweepAt = until;
    if (!this.#closed.signal.aborted && until < Number.POSITIVE_INFINITY) {
      this.#sweeper = setTimeout(
        () => this.#inBackground(this.#sweep()),
        Math.max(0, until - performance.now()),
      );
    }
  }

  /** The lease may live on long after a grant: the keys of what nobody extended are deleted. */
  async #sweep(): Promise<void> {
    const now = performance.now();
    const over = [...this.#held].filter(([, { until }]) => until <= now).map(([token]) => token);
    let next = Number.POSITIVE_INFINITY;
    try {
      await this.#free(over);
    } catch (error) {
      if (!(error instanceof LockUnavailable)) throw error;
      next = now + RETRY_MS;
    }
    for (const { until } of this.#held.values()) next = Math.min(next, Math.max(until, now + 1));
    this.#sweepAfter(next);
  }

  /** Deletes the keys of grants, as far as they still are theirs. */
  async #free(tokens: readonly string[]): Promise<void> {
    let batch: Held[] = [];
    let freed: string[] = [];
    const flush = async (): Promise<void> => {
      await this.#delete(batch);
      for (const token of freed) this.#held.delete(token);
      batch = [];
      freed = [];
    };
    for (const token of tokens) {
      const held = this.#held.get(token);
      if (!held) continue;
      const keys = batch.reduce((sum, { names }) => sum + names.length, held.names.length);
      if (keys > MOST_KEYS) await flush();
      batch.push(held);
      freed.push(token);
    }
    if (batch.length > 0) await flush();
  }

  async #delete(grants: readonly Pick<Held, "names" | "value">[]): Promise<void> {
    await this.#nodes.call((client, options) => client.kv.txn(deleteTransaction(grants), options));
  }

  /** What was not answered may still be carried out: first it is made void, then what it did is deleted. */
  #undo(lease: HeldLease, names: readonly string[], value: string): void {
    this.#inBackground(this.#undoUntilAnswered(lease, names, value));
  }

  async #undoUntilAnswered(lease: HeldLease, names: readonly string[], value: string): Promise<void> {
    while (this.#lease.held === lease && !this.#closed.signal.aborted) {
      try {
        await this.#lease.bumpGuard(lease);
        await this.#delete([{ names, value }]);
        return;
      } catch (error) {
        // With the lease every key of it is gone.
        if (error instanceof EtcdLeaseInvalidError) return;
        if (!(error instanceof LockUnavailable)) throw error;
      }
      await delay(RETRY_MS, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    }
  }

  #inBackground(work: Promise<void>): void {
    const running = work
      .catch((error: unknown) => {
        if (!(error instanceof LockUnavailable)) throw error;
      })
      .finally(() => this.#background.delete(running));
    this.#background.add(running);
  }

  #refuseIfClosed(): void {
    if (this.#closed.signal.aborted) throw closedLock();
  }
}

/** Takes all keys if they still are as they were seen, and nothing of ours was made void meanwhile; else reads them. */
function takeTransaction(
  lease: HeldLease,
  guardRevision: string,
  keys: readonly Buffer[],
  seen: readonly (IKeyValue | undefined)[],
  value: string,
): ITxnRequest {
  const isAsSeen = keys.map((key, i): ICompare => {
    const held = seen[i];
    return held
      ? { key, target: "Mod", result: "Equal", mod_revision: held.mod_revision }
      : { key, target: "Create", result: "Equal", create_revision: "0" };
  });
  const isValid: ICompare = { key: lease.guard, target: "Mod", result: "Equal", mod_revision: guardRevision };
  const bytes = Buffer.from(value);
  return {
    compare: [isValid, ...isAsSeen],
    success: keys.map((key): IRequestOp => ({ request_put: { key, value: bytes, lease: lease.id } })),
    failure: keys.map((key): IRequestOp => ({ request_range: { key } })),
  };
}

/** Deletes each key of the grants whose value still is its grant's. */
function deleteTransaction(grants: readonly Pick<Held, "names" | "value">[]): ITxnRequest {
  const each = grants.flatMap(({ names, value }) =>
    names.map((name): ITxnRequest => {
      const key = Buffer.from(name);
      return {
        compare: [{ key, target: "Value", result: "Equal", value: Buffer.from(value) }],
        success: [{ request_delete_range: { key } }],
        failure: [],
      };
    }),
  );
  const [only] = each;
  if (only && each.length === 1) return only;
  return { compare: [], success: each.map((one) => ({ request_txn: one })), failure: [] };
}

/** Of this owner, or of an older epoch of its fleet. */
function isFreeFor(value: string, { fleet, epoch }: LockOwner): boolean {
  const [heldBy, since] = value.split(" ");
  return heldBy === fleet && Number(since) <= epoch;
}
