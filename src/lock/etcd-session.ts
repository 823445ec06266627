/**
 * The session of an instance in etcd: every key that it holds names it, and with its record the keys are free.
 *
 * It does the work of a lease without being one: an etcd leader that was frozen ends leases when it wakes that the next
 * leader has renewed meanwhile (etcd-io/etcd#15247), so that no answer about a lease promises anything. Here all is
 * said by transactions. A record that did not change for its own TTL, on the clock of whoever looks, is deleted if it
 * still is the one that was seen; its owner counts from before it sent the renewal and has stopped by then.
 *
 * A backup of etcd may have the record and not the keys that were taken since: after a restore a session is given up, and
 * every grant with it, as others may hold by then what it says it holds.
 */
import { randomBytes } from "node:crypto";
import type { IKeyValue } from "etcd3";
import type { EtcdNodes } from "./etcd-nodes.ts";
import type { SessionKeys } from "./etcd-transactions.ts";
import {
  SESSIONS,
  allUnder,
  createSession,
  endSession,
  readKeys,
  renewSession,
  sessionKeys,
  voidEarlier,
} from "./etcd-transactions.ts";
import { sweepOrphans } from "./sweep-orphans.ts";
import { LockUnavailable } from "./unavailable.ts";
import { validUntil } from "./validity.ts";

export interface Session {
  readonly id: string;
  readonly keys: SessionKeys;
  /** Of its record: who finds another one there has been ended. */
  readonly createRevision: string;
  /** Of the key that makes every transaction void that was sent before it was written. */
  guardRevision: string;
  /** Changes when an instance of the same fleet has taken a key from this one. */
  takenRevision: string;
  /** Of the record, as it was last known to be written: found older, etcd was restored to an earlier state. */
  recordRevision: string;
  /** How many restores of etcd were known when it began. */
  readonly restores: number;
  /** Local monotonic ms, counted from before the last renewal was sent. */
  validUntil: number;
}

interface Sight {
  readonly revision: string;
  /** Local monotonic ms. */
  readonly since: number;
  readonly ttlMs: number;
}

export class EtcdSession {
  readonly #nodes: EtcdNodes;
  readonly #prefix: string;
  readonly #ttlMs: number;
  #id = newId();
  #held: Session | undefined;
  /** Shared by all who need it at the same time. */
  #renewing: Promise<Session> | undefined;
  /** The records of all sessions, as they were first seen, by id. */
  #seen: ReadonlyMap<string, Sight> = new Map();
  #isLooking = false;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** Lives half as long again as the longest grant, so that a grant seldom needs a renewal first. */
  constructor(nodes: EtcdNodes, prefix: string, maxTtlMs: number) {
    this.#nodes = nodes;
    this.#prefix = prefix;
    this.#ttlMs = Math.ceil(1.5 * maxTtlMs);
  }

  /** The session, where its time is not over and etcd was not restored since it began. */
  get held(): Session | undefined {
    const held = this.#held;
    return held && this.#isCurrent(held) && held.validUntil > performance.now() ? held : undefined;
  }

  /** A session that outlives the next `ttlMs`; a new one where the old one was ended. */
  async lasting(ttlMs: number): Promise<Session> {
    const { held } = this;
    return held && held.validUntil - performance.now() >= ttlMs ? held : this.renew();
  }

  renew(): Promise<Session> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** Makes void what was sent before and not answered: it can no longer be carried out once this is answered. */
  async voidEarlier(session: Session): Promise<void> {
    const { succeeded, header } = await this.#nodes.call((client, options) =>
      client.kv.txn(voidEarlier(session.keys, session.createRevision), options),
    );
    if (succeeded && BigInt(header.revision) > BigInt(session.guardRevision)) {
      session.guardRevision = header.revision;
    }
  }

  /** Why a transaction was void: reads the guard anew. Throws LOCK_UNAVAILABLE where the session is over. */
  async findGuard(session: Session): Promise<void> {
    const { record, guard } = session.keys;
    const { guardRevision } = session;
    const { responses } = await this.#nodes.call((client, options) =>
      client.kv.txn(readKeys([record, guard]), options),
    );
    const [found, mark] = responses.map(({ response_range: { kvs } }) => kvs[0]);
    const isEnded = !mark || found?.create_revision !== session.createRevision;
    const isRestored = !this.#isCurrent(session) || isOlder(mark, guardRevision);
    if (isEnded || isRestored) {
      this.giveUp(session);
      const what = isEnded ? "somebody ended it" : "etcd was restored to an earlier state";
      throw new LockUnavailable(`lock service etcd: the session of this instance is over, ${what}`, false);
    }
    // One that has been raised meanwhile is found by the next transaction.
    session.guardRevision = mark.mod_revision;
  }

  /**
   * Ends the sessions of those who died, and frees their keys. `holders` are those of keys that somebody wants now.
   * Looks only where the last look is old enough for another one to tell something.
   */
  async endTheDead(holders: readonly string[]): Promise<void> {
    const isTooSoon = performance.now() - this.#lookedAt < this.#ttlMs / LOOKS_PER_TTL;
    if (this.#isLooking || (isTooSoon && this.#overdue().length === 0)) return;
    this.#isLooking = true;
    try {
      await this.#endTheDead(holders);
    } finally {
      this.#isLooking = false;
    }
  }

  /** Goes on with a new one: nothing of this one is trusted any more, and whoever looks ends its record. */
  giveUp(session: Session): void {
    if (this.#held === session) this.#forget();
  }

  /** Ends this session; what still hangs on it is free. */
  async end(): Promise<void> {
    const held = this.#held;
    this.#forget();
    if (held) await this.#nodes.call((client, options) => client.kv.txn(endSession(held.keys), options));
  }

  async #endTheDead(holders: readonly string[]): Promise<void> {
    const { kvs } = await this.#nodes.call((client, options) =>
      client.kv.range(allUnder(`${this.#prefix}${SESSIONS}`), options),
    );
    this.#note(kvs);
    const dead = new Set(holders.filter((id) => !this.#seen.has(id)));
    for (const [id, { revision }] of this.#overdue()) {
      const keys = sessionKeys(this.#prefix, id);
      const ended = await this.#nodes.call((client, options) =>
        client.kv.txn(endSession(keys, { revision }), options),
      );
      if (ended.succeeded) dead.add(id);
    }
    if (dead.size > 0)
      await sweepOrphans(this.#nodes, this.#prefix, (id) => this.#seen.has(id) && !dead.has(id));
  }

  async #renew(): Promise<Session> {
    const held = this.#held;
    if (!held || !this.#isCurrent(held)) return this.#createAnew();
    const sentAt = performance.now();
    const { succeeded, header, responses } = await this.#nodes.call((client, options) =>
      client.kv.txn(renewSession(this.#prefix, held, this.#ttlMs), options),
    );
    const [renewed, taken, all] = responses;
    const isRestored = !this.#isCurrent(held) || isOlder(renewed?.response_put.prev_kv, held.recordRevision);
    if (!succeeded || isRestored) return this.#createAnew();
    held.validUntil = validUntil(sentAt, this.#ttlMs);
    held.recordRevision = header.revision;
    held.takenRevision = taken?.response_range.kvs[0]?.mod_revision ?? "0";
    this.#note(all?.response_range.kvs ?? []);
    return held;
  }

  #createAnew(): Promise<Session> {
    if (this.#held) this.#forget();
    return this.#create();
  }

  /** The id is kept until its record is known to be there: one that was made without an answer is found again. */
  async #create(): Promise<Session> {
    const keys = sessionKeys(this.#prefix, this.#id);
    const { restores } = this.#nodes;
    const sentAt = performance.now();
    const answer = await this.#nodes.call((client, options) =>
      client.kv.txn(createSession(keys, this.#ttlMs), options),
    );
    const [found, guard] = answer.succeeded
      ? []
      : answer.responses.map(({ response_range: { kvs } }) => kvs[0]);
    // Found again it may be as old as the first request for it.
    this.#held = {
      id: this.#id,
      keys,
      createRevision: found?.create_revision ?? answer.header.revision,
      guardRevision: guard?.mod_revision ?? answer.header.revision,
      takenRevision: "0",
      recordRevision: found?.mod_revision ?? answer.header.revision,
      restores,
      validUntil: found ? Number.NEGATIVE_INFINITY : validUntil(sentAt, this.#ttlMs),
    };
    return found ? this.#renew() : this.#held;
  }

  /** Sessions of others that were silent for too long. */
  #overdue(): readonly [string, Sight][] {
    const now = performance.now();
    return [...this.#seen].filter(([id, { since, ttlMs }]) => since + ttlMs <= now && id !== this.#held?.id);
  }

  /** False where the revisions of answers have told since it began that etcd was restored. */
  #isCurrent({ restores }: Session): boolean {
    return restores === this.#nodes.restores;
  }

  #forget(): void {
    this.#held = undefined;
    this.#id = newId();
  }

  /** Counted from the answer on: the renewal that it shows was sent before. */
  #note(records: readonly IKeyValue[]): void {
    const now = performance.now();
    this.#lookedAt = now;
    this.#seen = new Map(
      records.map(({ key, value, mod_revision: revision }): [string, Sight] => {
        const id = key.toString().slice(this.#prefix.length + SESSIONS.length);
        const before = this.#seen.get(id);
        const isSame = before?.revision === revision;
        return [id, isSame ? before : { revision, since: now, ttlMs: Number(value.toString()) }];
      }),
    );
  }
}

const LOOKS_PER_TTL = 8;

/** What is not there counts as older than all. */
function isOlder(found: IKeyValue | undefined, revision: string): boolean {
  return BigInt(found?.mod_revision ?? 0) < BigInt(revision);
}

function newId(): string {
  return randomBytes(12).toString("base64url");
}
