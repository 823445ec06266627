/** Keeps the level locks of all bots of an instance alive: all of them in one round trip, each third of their TTL. */
import type { Clock } from "../domain/clock.ts";
import { hasCode } from "../domain/errors.ts";
import type { Log } from "../domain/log.ts";
import type { Grant, LockProvider } from "../lock/lock.ts";
import type { Activity } from "./activity.ts";

/** Whoever holds grants that are to be kept. */
export interface GrantHolder {
  /** Those that it holds now. */
  grants(): readonly Grant[];
  /** What became of `grant`; undefined where it is lost. */
  extended(grant: Grant, longer: Grant | undefined): void;
  /** Takes again what was lost or could not be had. Throws LOCK_UNAVAILABLE. */
  retake(): Promise<void>;
}

export interface LockKeeperPorts {
  readonly lock: LockProvider;
  readonly lockTtlMs: number;
  readonly clock: Clock;
  readonly activity: Activity;
  readonly log: Log;
}

export class LockKeeper {
  readonly #ports: LockKeeperPorts;
  readonly #holders = new Set<GrantHolder>();
  #cancelTimer: (() => void) | undefined;

  constructor(ports: LockKeeperPorts) {
    this.#ports = ports;
  }

  /** Keeps what `holder` holds until the returned function is called; after that its grants expire by themselves. */
  keep(holder: GrantHolder): () => void {
    this.#holders.add(holder);
    this.#setTimer();
    return () => {
      this.#holders.delete(holder);
      if (this.#holders.size > 0) return;
      this.#cancelTimer?.();
      this.#cancelTimer = undefined;
    };
  }

  /** Extends every grant now. Throws LOCK_UNAVAILABLE. */
  async extendAll(): Promise<void> {
    const { lock, lockTtlMs } = this.#ports;
    const held = [...this.#holders].flatMap((holder) => holder.grants().map((grant) => ({ holder, grant })));
    if (held.length > 0) {
      const longer = await lock.extend(
        held.map(({ grant }) => grant),
        lockTtlMs,
      );
      for (const [index, { holder, grant }] of held.entries()) holder.extended(grant, longer[index]);
    }
    await Promise.all([...this.#holders].map((holder) => holder.retake()));
  }

  #setTimer(): void {
    const { clock, lockTtlMs, activity, log } = this.#ports;
    this.#cancelTimer ??= clock.after(lockTtlMs / 3, () => {
      this.#cancelTimer = undefined;
      this.#setTimer();
      activity
        .run(() => this.extendAll())
        .catch((error: unknown) => {
          // Grants end by themselves, and nothing is sent without one; the next turn comes soon.
          if (!hasCode(error, "LOCK_UNAVAILABLE")) log.error({ error }, "lock.extension_failed");
        });
    });
  }
}
