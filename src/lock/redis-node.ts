/** One connection to one Redis server, hardened for locks: nothing waits in a queue, nothing is sent twice. */
import { createHash } from "node:crypto";
import { Redis } from "ioredis";
import type { RedisOptions } from "ioredis";
import type { RedisScript } from "./redis-scripts.ts";
import { ACQUIRE, EXTEND, RELEASE } from "./redis-scripts.ts";
import { judgeServer, parseInfo } from "./redis-info.ts";
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
  /** For how long the server grants nothing although it is old enough, ms: it took over from another one. */
  readonly quarantineMs?: number;
}

/** What is known of the server at the other end of the present connection. */
interface Session {
  /** Local monotonic ms before which it grants nothing, and why. */
  readonly grantsFrom: number;
  readonly reason: string;
  /** Server time in ms minus local monotonic ms, not above the truth. */
  readonly offsetMs: number;
  /** When the offset was measured, in local monotonic ms: the two clocks drift apart. */
  readonly measuredAt: number;
}

const LONGEST_RETRY_MS = 1_000;
const MEASURE_EVERY_MS = 60_000;
const SHA = new Map([ACQUIRE, EXTEND, RELEASE].map((script) => [script, sha1(script.text)]));

export class RedisNode {
  readonly name: string;
  readonly #options: RedisNodeOptions;
  readonly #redis: Redis;
  #session: Session | undefined;
  /** Why there is no session. */
  #trouble = "not connected yet";
  #lastRunId: string | undefined;
  #connections = 0;
  readonly #whenJudged: (() => void)[] = [];

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
      socketTimeout: maxTtlMs,
      keepAlive: maxTtlMs,
      retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_RETRY_MS),
    });
    this.#redis.on("error", (error: unknown) => {
      this.#trouble = reasonOf(error);
    });
    this.#redis.on("close", () => {
      this.#connections += 1;
      this.#session = undefined;
    });
    this.#redis.on("ready", () => void this.#judge());
  }

  /** Resolves once the first connection was judged, or after `limitMs`; either way calls tell the truth from then on. */
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
  refuseIfNotTrusted(): void {
    const { grantsFrom, reason } = this.#connected();
    const left = grantsFrom - performance.now();
    if (left > 0) {
      throw this.#unavailable(`grants nothing for another ${Math.ceil(left / 1000)} s: ${reason}`, false);
    }
  }

  /** `localMs` on the server's clock, or a little before it; text, for a script. */
  serverTime(localMs: number): string {
    return String(Math.floor(localMs + this.#connected().offsetMs));
  }

  /** Runs a script once. Throws LockUnavailable where it was not run, or where nobody knows. */
  async run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const { measuredAt } = this.#connected();
    if (performance.now() - measuredAt > MEASURE_EVERY_MS) this.remeasureClock();
    try {
      return await this.#redis.evalsha(SHA.get(script) ?? sha1(script.text), keys.length, ...keys, ...args);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Measures the server's clock anew, in the background. */
  remeasureClock(): void {
    const before = this.#session;
    if (!before) return;
    // Until it answers, the old measure counts as new: one question at a time.
    this.#session = { ...before, measuredAt: performance.now() };
    const asked = this.#session;
    this.#redis.time().then(
      (time) => {
        if (this.#session === asked) this.#session = { ...asked, ...clockOf(time) };
      },
      (error: unknown) => this.#failure(error),
    );
  }

  async ping(): Promise<void> {
    this.refuseIfNotTrusted();
    try {
      await this.#redis.ping();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** The slots of the cluster that the server belongs to. */
  async clusterSlots(): Promise<unknown> {
    this.#connected();
    try {
      return await this.#redis.cluster("SLOTS");
    } catch (error) {
      throw this.#failure(error);
    }
  }

  close(): void {
    this.#trouble = "the connection is closed";
    this.#session = undefined;
    this.#redis.disconnect();
  }

  /** Learns who the server is before anything is asked of it. */
  async #judge(): Promise<void> {
    const connection = this.#connections;
    try {
      await Promise.all([...SHA.keys()].map(({ text }) => this.#redis.script("LOAD", text)));
      const info = parseInfo(await this.#redis.info());
      const clock = clockOf(await this.#redis.time());
      const verdict = judgeServer(info, this.#options.maxTtlMs);
      if (verdict.kind === "unfit") throw new Error(verdict.reason);
      if (connection !== this.#connections) return;
      const waitMs = Math.max(verdict.waitMs, this.#quarantineMs(verdict.runId));
      this.#lastRunId = verdict.runId;
      this.#session = {
        grantsFrom: clock.measuredAt + waitMs,
        reason:
          verdict.waitMs >= waitMs
            ? "the server is younger than the longest lock, and may have forgotten locks that are still held"
            : "the server took over from another one, and may not know every lock that is still held",
        ...clock,
      };
      for (const done of this.#whenJudged.splice(0)) done();
    } catch (error) {
      if (connection !== this.#connections) return;
      this.#trouble = reasonOf(error);
      for (const done of this.#whenJudged.splice(0)) done();
      // Asked again on the next connection; until then nothing is granted.
      this.#redis.disconnect(true);
    }
  }

  /** How long to wait where another server answers now than before; locks may not have come with it. */
  #quarantineMs(runId: string): number {
    const { maxTtlMs, quarantineMs = 0 } = this.#options;
    if (this.#lastRunId === undefined) return quarantineMs;
    return this.#lastRunId === runId ? 0 : maxTtlMs;
  }

  #connected(): Session {
    if (!this.#session) throw this.#unavailable(this.#trouble, false);
    return this.#session;
  }

  #failure(error: unknown): LockUnavailable {
    const reason = reasonOf(error);
    const isRefusal = REFUSALS.some((begin) => reason.startsWith(begin));
    // A server that lost its role, its scripts or its memory is looked at again.
    if (isRefusal && !reason.startsWith("MOVED")) this.#redis.disconnect(true);
    return this.#unavailable(reason, !isRefusal, error);
  }

  #unavailable(reason: string, maybeDone: boolean, cause?: unknown): LockUnavailable {
    return new LockUnavailable(`lock service redis ${this.name}: ${reason}`, maybeDone, cause);
  }
}

/** Answers and failures after which it is certain that a script has done nothing. */
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
  "Stream isn't writeable",
];

/** `time`: Redis' answer to TIME, seconds and microseconds. */
function clockOf([seconds, micros]: readonly (string | number)[]): Pick<Session, "offsetMs" | "measuredAt"> {
  const measuredAt = performance.now();
  return { offsetMs: Number(seconds) * 1000 + Math.floor(Number(micros) / 1000) - measuredAt, measuredAt };
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
