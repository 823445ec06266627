/** Locks on three or five independent Redis servers: granted by a majority, by the algorithm of the redlock package. */
import type { Redis } from "ioredis";
import Redlock, { ExecutionError, Lock, ResourceLockedError } from "redlock";
import type { Clock } from "../domain/clock.ts";
import { invariant } from "../domain/assert.ts";
import { allGrants } from "./all-grants.ts";
import type { Grant, LockOwner, LockProvider, WaitLimits } from "./lock.ts";
import type { RedisNode } from "./redis-node.ts";
import { ACQUIRE, EXTEND, MOST_KEYS, RELEASE, SCRIPTS } from "./redis-scripts.ts";
import type { RedisScript } from "./redis-scripts.ts";
import type { RedisTimes } from "./redis-service.ts";
import { UndoQueue } from "./undo-queue.ts";
import { LockUnavailable, closedLock } from "./unavailable.ts";
import { validUntil } from "./validity.ts";
import { WaitingLine } from "./waiting-line.ts";

/** One attempt each: who tries again decides here, with a limit; and the margin for clocks is ours. */
const ONCE = { retryCount: 0, retryDelay: 0, retryJitter: 0, driftFactor: 0 };
const OWNERS_KEPT = 256;

export class RedisQuorum implements LockProvider {
  readonly #nodes: readonly RedisNode[];
  readonly #prefix: string;
  readonly #times: RedisTimes;
  readonly #clock: Clock;
  readonly #line = new WaitingLine();
  readonly #undoing = new UndoQueue();
  /** By fleet and epoch, which redlock knows nothing of. */
  readonly #redlocks = new Map<string, Redlock>();
  #isClosed = false;

  /** `nodes`: an odd number, as with an even one neither side may ever have a majority. */
  constructor(nodes: readonly RedisNode[], prefix: string, times: RedisTimes, clock: Clock) {
    invariant(nodes.length === 3 || nodes.length === 5, "a quorum has three or five servers");
    this.#nodes = nodes;
    this.#prefix = prefix;
    this.#times = times;
    this.#clock = clock;
  }

  async tryAcquire(keys: readonly string[], owner: LockOwner, ttlMs: number): Promise<Grant | undefined> {
    this.#refuseIfClosed();
    invariant(ttlMs <= this.#times.maxTtlMs, `a lock of ${ttlMs} ms is longer than the longest`);
    invariant(keys.length <= MOST_KEYS, `${keys.length} keys are more than one grant may have`);
    const until = validUntil(this.#clock.monotonic(), ttlMs);
    const redlock = this.#redlockOf(owner);
    try {
      const { value: token } = await redlock.acquire(this.#namesOf(keys), ttlMs);
      const grant: Grant = { keys, owner, token, fence: undefined, validUntil: until };
      // redlock resolves also with a lock that is over by then.
      if (this.#clock.monotonic() < until) return grant;
      await this.#release(grant);
      throw new LockUnavailable("lock service redis quorum granted what had expired by then", true);
    } catch (error) {
      if (!(error instanceof ExecutionError)) throw error;
      if (await isMajorityAnswering(error)) return undefined;
      throw await this.#unavailable(error);
    }
  }

  /** Side by side, so that what they ask of a server leaves in one write: redlock knows no grant of a part of its keys. */
  async tryAcquireEach(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
  ): Promise<readonly (Grant | undefined)[]> {
    return allGrants(
      keys.map((key) => this.tryAcquire([key], owner, ttlMs)),
      (grant) => this.#giveBack(grant, ttlMs),
    );
  }

  acquire(
    keys: readonly string[],
    owner: LockOwner,
    ttlMs: number,
    limits: WaitLimits,
  ): Promise<Grant | undefined> {
    const giveBack = (grant: Grant): void => this.#giveBack(grant, ttlMs);
    return this.#line.wait(keys, limits, () => this.tryAcquire(keys, owner, ttlMs), giveBack);
  }

  async extend(grants: readonly Grant[], ttlMs: number): Promise<readonly (Grant | undefined)[]> {
    this.#refuseIfClosed();
    const now = this.#clock.monotonic();
    const live = grants.filter(({ validUntil: end }) => end > now);
    const longer = new Map<Grant, Grant | undefined>();
    await Promise.all(
      batchesOf(live).map(async (batch) => {
        const all = await this.#extend(batch, ttlMs);
        for (const [index, grant] of batch.entries()) longer.set(grant, all?.[index]);
        // A majority refuses as a whole: whose grant is lost is asked one by one.
        if (all || batch.length === 1) return;
        await Promise.all(
          batch.map(async (grant) => longer.set(grant, (await this.#extend([grant], ttlMs))?.[0])),
        );
      }),
    );
    return grants.map((grant) => longer.get(grant));
  }

  async release(grant: Grant): Promise<void> {
    this.#refuseIfClosed();
    await this.#release(grant);
    this.#line.released(grant.keys);
  }

  async ping(): Promise<void> {
    this.#refuseIfClosed();
    const answers = await Promise.allSettled(this.#nodes.map((node) => node.ping()));
    const failures = answers.filter((answer) => answer.status === "rejected");
    if (failures.length > this.#nodes.length / 2) throw failures[0]?.reason;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#line.close();
    await this.#undoing.close();
    for (const node of this.#nodes) node.close();
  }

  #giveBack(grant: Grant, ttlMs: number): void {
    this.#undoing.start(() => this.#release(grant), ttlMs);
  }

  /** All of `grants` longer, or undefined where a majority did not agree to all of them. */
  async #extend(grants: readonly Grant[], ttlMs: number): Promise<readonly Grant[] | undefined> {
    const [first] = grants;
    if (!first) return [];
    const until = validUntil(this.#clock.monotonic(), ttlMs);
    const redlock = this.#redlockOf(first.owner);
    const names = grants.flatMap(({ keys }) => this.#namesOf(keys));
    const values = grants.map(({ owner, token, keys }) => [valueOf(owner, token), keys.length]);
    // redlock looks at its own expiry on the wall clock; ours was looked at on the one that does not jump.
    const all = new Lock(redlock, names, JSON.stringify(values.flat()), [], Number.POSITIVE_INFINITY);
    try {
      await redlock.extend(all, ttlMs);
    } catch (error) {
      if (!(error instanceof ExecutionError)) throw error;
      if (await isMajorityAnswering(error)) return undefined;
      throw await this.#unavailable(error);
    }
    return this.#clock.monotonic() < until
      ? grants.map((grant) => ({ ...grant, validUntil: until }))
      : undefined;
  }

  async #release({ keys, owner, token }: Grant): Promise<void> {
    const redlock = this.#redlockOf(owner);
    try {
      await redlock.release(new Lock(redlock, this.#namesOf(keys), token, [], 0));
    } catch (error) {
      if (!(error instanceof ExecutionError)) throw error;
      throw await this.#unavailable(error);
    }
  }

  #namesOf(keys: readonly string[]): string[] {
    return keys.map((key) => this.#prefix + key);
  }

  #redlockOf(owner: LockOwner): Redlock {
    const name = `${owner.fleet} ${owner.epoch}`;
    const known = this.#redlocks.get(name);
    if (known) return known;
    for (const oldest of this.#redlocks.keys()) {
      if (this.#redlocks.size < OWNERS_KEPT) break;
      this.#redlocks.delete(oldest);
    }
    const scripts = {
      acquireScript: () => ACQUIRE.text,
      extendScript: () => EXTEND.text,
      releaseScript: () => RELEASE.text,
    };
    const redlock = new Redlock(
      this.#nodes.map((node) => this.#voterOf(node, owner)),
      ONCE,
      scripts,
    );
    this.#redlocks.set(name, redlock);
    return redlock;
  }

  /** One server as redlock sees it: it votes for what it did to all keys, and does it under the owner's name. */
  #voterOf(node: RedisNode, owner: LockOwner): Redis {
    const vote = async (script: RedisScript, count: number, rest: readonly string[]): Promise<number> => {
      const keys = rest.slice(0, count);
      const [token = "", ttlMs = 0] = rest.slice(count);
      if (script === EXTEND) return this.#voteOnExtension(node, keys, token, Number(ttlMs));
      const value = valueOf(owner, token);
      const remove = (): Promise<unknown> => node.run(RELEASE, keys, [value]);
      const undo = (error: unknown): never => {
        if (!(error instanceof LockUnavailable) || error.maybeDone) {
          this.#undoing.start(remove, this.#times.maxTtlMs + this.#times.timeoutMs);
        }
        throw error;
      };
      if (script === RELEASE) {
        await remove().catch(undo);
        return count;
      }
      const [only = ""] = keys;
      // One key that is free costs no script; whose a key is that somebody has, only the script tells.
      const set = count === 1 ? await node.trusted().setIfFree(only, value, Number(ttlMs)).catch(undo) : null;
      if (set === "OK") return 1;
      return Number(
        await node
          .trusted()
          .run(ACQUIRE, keys, [value, Number(ttlMs)])
          .catch(undo),
      );
    };
    return new Voter(vote) as unknown as Redis;
  }

  async #voteOnExtension(
    node: RedisNode,
    keys: readonly string[],
    values: string,
    ttlMs: number,
  ): Promise<number> {
    const list = JSON.parse(values) as readonly (string | number)[];
    const answer = await node.run(EXTEND, keys, [ttlMs, ...list]);
    return Array.isArray(answer) && answer.every((one) => one === 1) ? keys.length : 0;
  }

  async #unavailable(error: ExecutionError): Promise<LockUnavailable> {
    const [stats] = await Promise.all(error.attempts);
    const reasons = [...(stats?.votesAgainst.values() ?? [])].map(({ message }) => message);
    return new LockUnavailable(`no majority of the lock servers: ${reasons.join("; ")}`, true, error);
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw closedLock();
  }
}

type Vote = (script: RedisScript, count: number, rest: readonly string[]) => Promise<number>;

/** The two commands that redlock uses. */
class Voter {
  readonly #vote: Vote;

  constructor(vote: Vote) {
    this.#vote = vote;
  }

  /** Every script is there: the connection loads them before anything is asked. */
  async evalsha(hash: string, count: number, rest: readonly string[]): Promise<number> {
    const script = BY_SHA.get(hash);
    invariant(script !== undefined, "redlock asks for a script of ours");
    return this.#vote(script, count, rest);
  }
}

const BY_SHA = new Map(SCRIPTS.map((script) => [script.sha, script]));

function batchesOf(grants: readonly Grant[]): readonly (readonly Grant[])[] {
  const batches: Grant[][] = [];
  let keys = 0;
  for (const grant of grants) {
    keys += grant.keys.length;
    const last = batches.at(-1);
    if (last && keys <= MOST_KEYS) last.push(grant);
    else {
      batches.push([grant]);
      keys = grant.keys.length;
    }
  }
  return batches;
}

/** True where most servers said something, so that it is known that somebody else is in the way. */
async function isMajorityAnswering(error: ExecutionError): Promise<boolean> {
  const [stats] = await Promise.all(error.attempts);
  if (!stats) return false;
  const locked = [...stats.votesAgainst.values()].filter((one) => one instanceof ResourceLockedError).length;
  return locked > 0 && locked + stats.votesFor.size >= stats.quorumSize;
}

function valueOf({ fleet, epoch }: LockOwner, token: string): string {
  return `${fleet} ${epoch} ${token}`;
}
