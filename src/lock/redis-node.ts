/** One connection to one Redis server, hardened for locks: nothing waits in a queue, nothing is sent twice. */
import { Redis } from "ioredis";
import type { RedisOptions } from "ioredis";
import { judgeServer, parseInfo } from "./redis-info.ts";
import type { RedisScript } from "./redis-scripts.ts";
import { SCRIPTS } from "./redis-scripts.ts";
import { LockUnavailable, reasonOf } from "./unavailable.ts";

export interface RedisNodeOptions {
  /** Where it is, and who we are there. */
  readonly connection: RedisOptions;
  /** Names it in messages; holds no secret. */
  readonly name: string;
  /** After it a command counts as unanswered. */
  readonly timeoutMs: number;
  /** The longest time that any lock may be held without being extended. */
  readonly maxTtlMs: number;
  /** For how long the first server grants nothing although it is old enough, ms: it took over from another one. */
  readonly quarantineMs?: number;
}

/** What is known of the server at the other end of the present connection. */
interface Session {
  /** Local monotonic ms before which it grants nothing, and why. */
  readonly grantsFrom: number;
  readonly reason: string;
  /** True once that time was seen to be over: the clock need not be asked again. */
  isTrusted: boolean;
}

const LONGEST_RETRY_MS = 1_000;
/** No connection has this id. */
const NO_CLIENT_ID = String(2n ** 63n - 1n);

/**
 * What was sent on one connection is carried out in its order, and nothing of it any more once the next connection is
 * in use: so a deletion that is answered ends everything that was sent before it.
 */
export class RedisNode {
  readonly name: string;
  readonly #options: RedisNodeOptions;
  readonly #redis: Redis;
  readonly #whenJudged: (() => void)[] = [];
  #session: Session | undefined;
  /** Why there is no session. */
  #trouble = "not connected yet";
  #lastRunId: string | undefined;
  #clientId = NO_CLIENT_ID;
  #connections = 0;
  #unanswered = 0;
  #suspected: NodeJS.Timeout | undefined;

  constructor(options: RedisNodeOptions) {
    const { connection, name, timeoutMs, maxTtlMs } = options;
    this.name = name;
    this.#options = options;
    this.#redis = new Redis({
      ...connection,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: timeoutMs,
      connectTimeout: Math.max(timeoutMs, LONGEST_RETRY_MS),
      keepAlive: maxTtlMs,
      retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_RETRY_MS),
    });
    this.#redis.on("error", (error: unknown) => {
      this.#trouble = reasonOf(error);
    });
    this.#redis.on("close", () => {
      this.#connections += 1;
      this.#session = undefined;
      for (const done of this.#whenJudged.splice(0)) done();
    });
    this.#redis.on("ready", () => void this.#judge());
  }

  /** Resolves once the first connection was judged or refused, or after `limitMs`; either way calls tell the truth from then on. */
  async opened(limitMs: number): Promise<void> {
    if (this.#session) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#whenJudged.push(resolve);
      timer = setTimeout(resolve, limitMs);
    });
    clearTimeout(timer);
  }

  /** Throws where the server may not grant: it is away, or too young to know what it granted in an earlier life. */
  #refuseIfNotTrusted(): void {
    const session = this.#connected();
    if (session.isTrusted) return;
    const left = session.grantsFrom - performance.now();
    session.isTrusted = left <= 0;
    if (left > 0) {
      const { reason } = session;
      throw this.#unavailable(`grants nothing for another ${Math.ceil(left / 1000)} s: ${reason}`, false);
    }
  }

  /** The node itself, if it may grant what nobody held; throws otherwise. */
  trusted(): this {
    this.#refuseIfNotTrusted();
    return this;
  }

  /**
   * Sets a key that is free; null where somebody has it. Throws LockUnavailable, at once where the server cannot be
   * asked: no promise more than needed stands in the way of the most frequent calls.
   */
  setIfFree(key: string, value: string, ttlMs: number): Promise<"OK" | null> {
    this.#connected();
    this.#writeTogether();
    return this.#answerTo(this.#redis.set(key, value, "PX", ttlMs, "NX"));
  }

  /** Runs a script once. Throws as `setIfFree` does. */
  run(script: RedisScript, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    this.#connected();
    this.#writeTogether();
    return this.#answerTo(this.#redis.evalsha(script.sha, keys.length, ...keys, ...args));
  }

  async ping(): Promise<void> {
    this.#refuseIfNotTrusted();
    await this.#answerTo(this.#redis.ping());
  }

  /** The slots of the cluster that the server belongs to. */
  clusterSlots(): Promise<unknown> {
    this.#connected();
    return this.#answerTo(this.#redis.cluster("SLOTS"));
  }

  close(): void {
    this.#trouble = "the connection is closed";
    this.#session = undefined;
    clearTimeout(this.#suspected);
    this.#redis.disconnect();
  }

  /** Learns who the server is, and ends the connection before, before anything is asked of it. */
  async #judge(): Promise<void> {
    const connection = this.#connections;
    try {
      const redis = this.#redis;
      await redis.client("KILL", "ID", this.#clientId);
      await Promise.all(SCRIPTS.map(({ text }) => redis.script("LOAD", text)));
      const clientId = String(await redis.client("ID"));
      const verdict = judgeServer(parseInfo(await redis.info()), this.#options.maxTtlMs);
      if (connection !== this.#connections) return;
      this.#clientId = clientId;
      if (verdict.kind === "unfit") throw new Error(verdict.reason);
      const quarantineMs = this.#quarantineMs(verdict.runId);
      this.#lastRunId = verdict.runId;
      this.#session = {
        grantsFrom: performance.now() + Math.max(verdict.waitMs, quarantineMs),
        reason:
          verdict.waitMs >= quarantineMs
            ? "the server is younger than the longest lock, and may have forgotten locks that are still held"
            : "the server took over from another one, and may not know every lock that is still held",
        isTrusted: false,
      };
    } catch (error) {
      if (connection !== this.#connections) return;
      this.#trouble = reasonOf(error);
      // Looked at again on the next connection; until then nothing is granted.
      this.#redis.disconnect(true);
    } finally {
      for (const done of this.#whenJudged.splice(0)) done();
    }
  }

  /** How long to wait where another server answers now than before; locks may not have come with it. */
  #quarantineMs(runId: string): number {
    const { maxTtlMs, quarantineMs = 0 } = this.#options;
    if (this.#lastRunId === undefined) return quarantineMs;
    return this.#lastRunId === runId ? 0 : maxTtlMs;
  }

  async #answerTo<Reply>(reply: Promise<Reply>): Promise<Reply> {
    this.#unanswered += 1;
    try {
      return await reply;
    } catch (error) {
      throw this.#failure(error);
    } finally {
      this.#unanswered -= 1;
    }
  }

  /** What many callers ask in one turn of the event loop leaves in one write; one who is alone does not wait for it. */
  #writeTogether(): void {
    const { stream } = this.#redis;
    if (this.#unanswered === 0 || stream.writableCorked > 0) return;
    stream.cork();
    process.nextTick(() => stream.uncork());
  }

  #connected(): Session {
    if (!this.#session) throw this.#unavailable(this.#trouble, false);
    return this.#session;
  }

  #failure(error: unknown): LockUnavailable {
    const reason = reasonOf(error);
    if (reason.startsWith(NOT_WRITABLE)) return this.#unavailable("not connected", false, error);
    const isRefusal = REFUSALS.some((begin) => reason.startsWith(begin));
    // A server that lost its role, its scripts or its memory is looked at again.
    if (isRefusal && !reason.startsWith("MOVED")) this.#redis.disconnect(true);
    if (reason === TIMED_OUT) this.#suspectConnection();
    return this.#unavailable(reason, !isRefusal, error);
  }

  /** A connection that died without a word would never say one: it is given up where nothing is heard any more. */
  #suspectConnection(): void {
    if (this.#suspected) return;
    const { stream } = this.#redis;
    const heard = stream.bytesRead;
    this.#suspected = setTimeout(() => {
      this.#suspected = undefined;
      if (this.#redis.stream === stream && stream.bytesRead === heard) this.#redis.disconnect(true);
    }, this.#options.maxTtlMs);
  }

  #unavailable(reason: string, maybeDone: boolean, cause?: unknown): LockUnavailable {
    return new LockUnavailable(`lock service redis ${this.name}: ${reason}`, maybeDone, cause);
  }
}

/** What ioredis says of a command that it did not send, as there is no connection. */
const NOT_WRITABLE = "Stream isn't writeable";

/** What ioredis says of a command whose time is over. */
const TIMED_OUT = "Command timed out";

/** Answers and failures after which it is certain that a command has done nothing. */
const REFUSALS = [
  "NOSCRIPT",
  "READONLY",
  "LOADING",
  "MASTERDOWN",
  "CLUSTERDOWN",
  "MOVED",
  "ASK ",
  "TRYAGAIN",
  "NOAUTH",
  "NOPERM",
  "OOM",
  "MISCONF",
  "BUSY ",
];
