/** Locks in etcd: keys of one session of the instance, taken and taken over by transactions; the revision is the fence. */
import type { IKeyValue, ITxnRequest, ITxnResponse } from "etcd3";
import { invariant } from "../domain/assert.ts";
import type { Clock } from "../domain/clock.ts";
import { allGrants } from "./all-grants.ts";
import type { Held } from "./etcd-held.ts";
import { EtcdHeld, MOST_KEYS } from "./etcd-held.ts";
import type { EtcdAccess } from "./etcd-nodes.ts";
import { EtcdNodes } from "./etcd-nodes.ts";
import type { Session } from "./etcd-session.ts";
import { EtcdSession } from "./etcd-session.ts";
import type { SessionKeys } from "./etcd-transactions.ts";
import { holderOf, sessionKeys, takeFree, takeKeys } from "./etcd-transactions.ts";
import type { Grant, LockOwner, LockProvider, WaitLimits } from "./lock.ts";
import { MOST_AT_ONCE } from "./lock.ts";
import { LockUnavailable, closedLock } from "./unavailable.ts";
import { validUntil } from "./validity.ts";
import { WaitingLine } from "./waiting-line.ts";

export interface EtcdLockOptions extends EtcdAccess {
  readonly type: "etcd";
  readonly prefix: string;
  readonly maxTtlMs: number;
}

/** An answer, and to how many members the transaction was sent for it. */
interface Sent {
  readonly answer: ITxnResponse;
  readonly copies: number;
}

const TIMEOUT_SHARE = 4;

export class EtcdLock implements LockProvider {
  readonly #nodes: EtcdNodes;
  readonly #session: EtcdSession;
  readonly #options: EtcdLockOptions;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #line = new WaitingLine();
  readonly #held: EtcdHeld;
  #grants = 0;
  #isClosed = false;

  constructor(options: EtcdLockOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#timeoutMs = Math.floor(options.maxTtlMs / TIMEOUT_SHARE);
    this.#nodes = new EtcdNodes(options, this.#timeoutMs);
    this.#session = new EtcdSession(this.#nodes, options.prefix, options.maxTtlMs);
    this.#held = new EtcdHeld(this.#nodes, this.#session);
  }

  async tryAcquire(keys: readonly string[], owner: LockOwner, ttlMs: number): Promise<Grant | undefined> {
    this.#refuseIfClosed();
    const { maxTtlMs, prefix } = this.#options;
    invariant(ttlMs <= maxTtlMs, `a lock of ${ttlMs} ms is longer than the longest`);
    invariant(keys.length <= MOST_KEYS, `${keys.length} keys are more than one grant may have`);
    const session = await this.#session.lasting(ttlMs);
    const token = this.#newToken(session);
    const names = keys.map((key) => prefix + key);
    const value = valueOf(owner, token);
    const until = this.#untilOf(session, ttlMs);
    let fence: bigint | undefined;
    try {
      fence = await this.#take(session, names, owner, value);
    } catch (error) {
      this.#held.undo(session, [{ names, value }]);
      throw error;
    }
    if (fence === undefined) return undefined;
    if (this.#clock.monotonic() >= until) {
      this.#held.undo(session, [{ names, value }]);
      throw new LockUnavailable("lock service etcd granted what had expired by then", true);
    }
    this.#held.hold(token, { session, names, value, fence, until: performance.now() + ttlMs, isLost: false });
    return { keys, owner, token, fence, validUntil: until };
  }

  /** Those that nobody holds in one transaction; each of the others, which may be our own of before, by itself. */
  async tryAcquireEach(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
  ): Promise<readonly (Grant | undefined)[]> {
    this.#refuseIfClosed();
    const { maxTtlMs, prefix } = this.#options;
    invariant(ttlMs <= maxTtlMs, `a lock of ${ttlMs} ms is longer than the longest`);
    invariant(keys.length <= MOST_AT_ONCE, `${keys.length} keys are more than may be asked for at once`);
    const session = await this.#session.lasting(ttlMs);
    const until = this.#untilOf(session, ttlMs);
    const locks = keys.map((key) => {
      const token = this.#newToken(session);
      return { key, token, names: [prefix + key], value: valueOf(owner, token) };
    });
    const { answer, copies } = await this.#takeFree(session, locks);
    const isLate = this.#clock.monotonic() >= until;
    // The other copy of a request that was repeated may find free what this one did not.
    if (copies > 1 || isLate) this.#held.undo(session, locks);
    if (isLate) throw new LockUnavailable("lock service etcd granted what had expired by then", true);
    const taken = copies === 1 ? answer.responses : [];
    const fence = BigInt(answer.header.revision);
    const requests = locks.map(async ({ key, token, names, value }, index) => {
      if (!taken[index]?.response_txn.succeeded) return this.tryAcquire([key], owner, ttlMs);
      this.#held.hold(token, {
        session,
        names,
        value,
        fence,
        until: performance.now() + ttlMs,
        isLost: false,
      });
      return { keys: [key], owner, token, fence, validUntil: until };
    });
    return allGrants(requests, (grant) => this.#giveBack(grant));
  }

  acquire(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
    limits: WaitLimits,
  ): Promise<Grant | undefined> {
    const giveBack = (grant: Grant): void => this.#giveBack(grant);
    return this.#line.wait(keys, limits, () => this.tryAcquire(keys, owner, ttlMs), giveBack);
  }

  async extend(grants: readonly Grant[], ttlMs: number): Promise<readonly (Grant | undefined)[]> {
    this.#refuseIfClosed();
    const now = this.#clock.monotonic();
    if (!this.#session.held || grants.length === 0) return grants.map(() => undefined);
    const session = await this.#session.renew();
    await this.#held.learnWhatWasTaken(session);
    if (await this.#held.isForgotten(session)) this.#session.giveUp(session);
    const isOver = this.#session.held !== session;
    const until = this.#untilOf(session, ttlMs, now);
    this.#held.inBackground(this.#session.endTheDead([]));
    // The keys of what has expired meanwhile are being deleted.
    const answered = this.#clock.monotonic();
    return grants.map((grant) => {
      const held = this.#held.get(grant.token);
      const isOurs = !isOver && held?.session === session && !held.isLost;
      if (!isOurs || grant.validUntil <= answered || until <= answered) return undefined;
      held.until = performance.now() + ttlMs;
      return { ...grant, validUntil: until };
    });
  }

  async release({ keys, token }: Grant): Promise<void> {
    this.#refuseIfClosed();
    await this.#held.free([token]);
    this.#line.released(keys);
  }

  async ping(): Promise<void> {
    this.#refuseIfClosed();
    // A read that needs the quorum: who only reads its own copy may be cut off.
    const key = Buffer.from(`${this.#options.prefix}ping`);
    await this.#nodes.call((client, options) => client.kv.range({ key, count_only: true }, options));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#line.close();
    await this.#held.close();
    this.#nodes.close();
  }

  #newToken(session: Session): string {
    this.#grants += 1;
    return `${session.id}.${this.#grants}`;
  }

  #giveBack({ token }: Grant): void {
    this.#held.inBackground(this.#held.free([token]));
  }

  #untilOf(session: Session, ttlMs: number, now = this.#clock.monotonic()): number {
    return Math.min(validUntil(now, ttlMs), now + session.validUntil - performance.now());
  }

  /** The revision of the grant; undefined where somebody else holds a key. */
  async #take(
    session: Session,
    names: readonly string[],
    owner: LockOwner,
    value: string,
  ): Promise<bigint | undefined> {
    const keys = names.map((name) => Buffer.from(name));
    let seen: readonly (IKeyValue | undefined)[] = keys.map(() => undefined);
    const over = performance.now() + this.#timeoutMs;
    let isRepeated = false;
    while (performance.now() < over) {
      const { keys: ours, guardRevision } = session;
      const robbed = this.#robbed(session, seen);
      const order = { session: ours, guardRevision, keys, seen, robbed, value };
      const { answer, copies } = await this.#send(takeKeys(order));
      isRepeated ||= copies > 1;
      if (answer.succeeded) return this.#onlyOnce(session, isRepeated, BigInt(answer.header.revision));
      const found = answer.responses.map(({ response_range: { kvs } }) => kvs[0]);
      // A repeated request finds what its first copy has done.
      if (found.every((held) => held?.value.toString() === value)) {
        return this.#onlyOnce(session, isRepeated, BigInt(found[0]?.mod_revision ?? 0));
      }
      const foreign = found.flatMap((held) => (held && !isFreeFor(held, owner) ? [held] : []));
      if (foreign.length > 0) {
        // The other copy of a request that was repeated may find the keys free.
        if (isRepeated) this.#held.undo(session, [{ names, value }]);
        this.#lookAfter(foreign);
        return undefined;
      }
      if (found.every((held, i) => held?.mod_revision === seen[i]?.mod_revision)) {
        await this.#session.findGuard(session);
      }
      seen = found;
    }
    throw new LockUnavailable("lock service etcd: the keys changed too often to be taken", true);
  }

  async #takeFree(session: Session, locks: readonly Pick<Held, "names" | "value">[]): Promise<Sent> {
    const pairs = locks.flatMap(({ names, value }) =>
      names.map((name) => ({ key: Buffer.from(name), value: Buffer.from(value) })),
    );
    try {
      return await this.#send(takeFree(session.keys, session.guardRevision, pairs));
    } catch (error) {
      this.#held.undo(session, locks);
      throw error;
    }
  }

  async #send(transaction: ITxnRequest): Promise<Sent> {
    let copies = 0;
    const answer = await this.#nodes.call((client, options) => {
      copies += 1;
      return client.kv.txn(transaction, options);
    });
    return { answer, copies };
  }

  /** What was asked twice may be done again, when the key has long been released: that is made void. */
  async #onlyOnce(session: Session, isRepeated: boolean, fence: bigint): Promise<bigint> {
    if (isRepeated) await this.#session.voidEarlier(session);
    return fence;
  }

  /** The other sessions from which keys are to be taken; what this one loses to itself is lost from now on. */
  #robbed(session: Session, seen: readonly (IKeyValue | undefined)[]): readonly SessionKeys[] {
    const others = new Set<string>();
    for (const held of seen) {
      if (!held) continue;
      const holder = holderOf(held.value.toString());
      const own = this.#held.get(holder.token);
      if (own) own.isLost = true;
      if (holder.session !== session.id) others.add(holder.session);
    }
    return [...others].map((id) => sessionKeys(this.#options.prefix, id));
  }

  /** Whoever holds what is wanted may be dead. */
  #lookAfter(foreign: readonly IKeyValue[]): void {
    const holders = new Set(foreign.map(({ value }) => holderOf(value.toString()).session));
    this.#held.inBackground(this.#session.endTheDead([...holders]));
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw closedLock();
  }
}

function valueOf({ fleet, epoch }: LockOwner, token: string): string {
  return `${fleet} ${epoch} ${token}`;
}

/** Of this owner, or of an older epoch of its fleet. */
function isFreeFor({ value }: IKeyValue, { fleet, epoch }: LockOwner): boolean {
  const holder = holderOf(value.toString());
  return holder.fleet === fleet && holder.epoch <= epoch;
}
