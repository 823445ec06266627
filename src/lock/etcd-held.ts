/** What an instance holds in etcd, by grant: deletes what expired, takes back what was not answered. */
import { setTimeout as delay } from "node:timers/promises";
import type { EtcdNodes } from "./etcd-nodes.ts";
import type { EtcdSession, Session } from "./etcd-session.ts";
import { deleteKeys, readKeys } from "./etcd-transactions.ts";
import { LockUnavailable } from "./unavailable.ts";

/** A grant as etcd knows it. */
export interface Held {
  readonly session: Session;
  readonly names: readonly string[];
  readonly value: string;
  readonly fence: bigint;
  /** Local monotonic ms; then its keys are deleted, unless it was extended. */
  until: number;
  /** It is given up, or of a key of it somebody else, or a later grant, is the holder: it is never extended again. */
  isLost: boolean;
}

/** etcd refuses transactions of more than 128 operations. */
export const MOST_KEYS = 100;
const RETRY_MS = 200;

export class EtcdHeld {
  readonly #nodes: EtcdNodes;
  readonly #session: EtcdSession;
  readonly #closed = new AbortController();
  /** By token. */
  readonly #held = new Map<string, Held>();
  /** Up to which of the revisions that tell of taken keys it is known which they were. */
  #takenSeen = "0";
  readonly #background = new Set<Promise<void>>();
  #sweeper: NodeJS.Timeout | undefined;
  #sweepAt = Number.POSITIVE_INFINITY;
  /** Requests whose keys may be there although nobody knows of them. */
  #undoing = 0;

  constructor(nodes: EtcdNodes, session: EtcdSession) {
    this.#nodes = nodes;
    this.#session = session;
  }

  get(token: string): Held | undefined {
    return this.#held.get(token);
  }

  /** Ends what goes on in the background, gives up all keys, and the session. */
  async close(): Promise<void> {
    this.#closed.abort();
    clearTimeout(this.#sweeper);
    await Promise.all(this.#background);
    await this.#end();
  }

  /** Where another instance of the fleet took a key: asks of all which it was. */
  async learnWhatWasTaken(session: Session): Promise<void> {
    const { takenRevision } = session;
    const isKnown = takenRevision === this.#takenSeen;
    if (isKnown) return;
    const all = this.#ofSession(session);
    const keys = all.flatMap((held) => held.names.map((name) => ({ held, key: Buffer.from(name) })));
    for (let from = 0; from < keys.length; from += MOST_KEYS) {
      const some = keys.slice(from, from + MOST_KEYS);
      const { responses } = await this.#nodes.call((client, options) =>
        client.kv.txn(readKeys(some.map(({ key }) => key)), options),
      );
      for (const [index, { held }] of some.entries()) {
        const found = responses[index]?.response_range.kvs[0]?.value.toString();
        if (found !== held.value) held.isLost = true;
      }
    }
    this.#takenSeen = takenRevision;
  }

  /**
   * True where what was granted last is not there and nobody took it: etcd was restored to an earlier state, or has lost
   * what it had answered. Where the last one is there, all are. What was taken is learnt before.
   */
  async isForgotten(session: Session): Promise<boolean> {
    const [first, ...more] = this.#ofSession(session);
    if (!first) return false;
    const last = more.reduce((newest, held) => (held.fence > newest.fence ? held : newest), first);
    const keys = [Buffer.from(last.names[0] ?? ""), session.keys.taken];
    const { responses } = await this.#nodes.call((client, options) => client.kv.txn(readKeys(keys), options));
    const [found, taken] = responses.map(({ response_range: { kvs } }) => kvs[0]);
    const isThere = found?.value.toString() === last.value;
    // It may have been given up, or taken, since it was learnt what was.
    return !isThere && !last.isLost && (taken?.mod_revision ?? "0") === this.#takenSeen;
  }

  #ofSession(session: Session): readonly Held[] {
    return [...this.#held.values()].filter((held) => held.session === session && !held.isLost);
  }

  hold(token: string, held: Held): void {
    this.#held.set(token, held);
    if (held.until < this.#sweepAt) this.#sweepAfter(held.until);
  }

  #sweepAfter(until: number): void {
    clearTimeout(this.#sweeper);
    this.#sweepAt = until;
    if (!this.#closed.signal.aborted && until < Number.POSITIVE_INFINITY) {
      this.#sweeper = setTimeout(
        () => this.inBackground(this.#sweep()),
        Math.max(0, until - performance.now()),
      );
    }
  }

  /** The session may live on long after a grant: the keys of what nobody extended are deleted. */
  async #sweep(): Promise<void> {
    const now = performance.now();
    const over = [...this.#held].filter(([, { until }]) => until <= now).map(([token]) => token);
    let next = Number.POSITIVE_INFINITY;
    try {
      await this.free(over);
    } catch (error) {
      if (!(error instanceof LockUnavailable)) throw error;
      next = now + RETRY_MS;
    }
    for (const { until } of this.#held.values()) next = Math.min(next, Math.max(until, now + 1));
    this.#sweepAfter(next);
  }

  /** Deletes the keys of grants, as far as they still are theirs. */
  async free(tokens: readonly string[]): Promise<void> {
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
      held.isLost = true;
      batch.push(held);
      freed.push(token);
    }
    if (batch.length > 0) await flush();
  }

  async #delete(grants: readonly Pick<Held, "names" | "value">[]): Promise<void> {
    const keys = grants.flatMap(({ names, value }) =>
      names.map((name) => ({ key: Buffer.from(name), value: Buffer.from(value) })),
    );
    await this.#nodes.call((client, options) => client.kv.txn(deleteKeys(keys), options));
  }

  /** What was not answered may still be carried out: first it is made void, then what it did is deleted. */
  undo(session: Session, grants: readonly Pick<Held, "names" | "value">[]): void {
    this.#undoing += 1;
    this.inBackground(this.#undoUntilAnswered(session, grants));
  }

  /** A session that was ended can do nothing any more, and whoever ended it frees its keys. */
  async #undoUntilAnswered(
    session: Session,
    grants: readonly Pick<Held, "names" | "value">[],
  ): Promise<void> {
    while (!this.#closed.signal.aborted) {
      try {
        await this.#session.voidEarlier(session);
        await this.#delete(grants);
        this.#undoing -= 1;
        return;
      } catch (error) {
        if (!(error instanceof LockUnavailable)) throw error;
      }
      await delay(RETRY_MS, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    }
  }

  inBackground(work: Promise<void>): void {
    const running = work
      .catch((error: unknown) => {
        if (!(error instanceof LockUnavailable)) throw error;
      })
      .finally(() => this.#background.delete(running));
    this.#background.add(running);
  }

  /** What cannot be ended now is ended by others, and its keys freed, as nobody renews it any more. */
  async #end(): Promise<void> {
    try {
      await this.free([...this.#held.keys()]);
      if (this.#undoing === 0) await this.#session.end();
    } catch (error) {
      if (!(error instanceof LockUnavailable)) throw error;
    }
  }
}
