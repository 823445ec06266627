/** Contenders that take, hold, extend, release and forget locks for a while; their history is judged afterwards. */
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "../../src/domain/errors.ts";
import type { Grant, LockOwner, LockProvider } from "../../src/lock/lock.ts";

/** A time, in monotonic ms, for which a contender believed that a key was its own. */
interface Hold {
  readonly key: string;
  readonly contender: number;
  readonly from: number;
  until: number;
}

export interface LockHistory {
  readonly holds: readonly Hold[];
  /** The longest time that one call took, ms. */
  readonly longestCallMs: number;
  readonly granted: number;
  readonly extended: number;
  readonly unavailable: number;
}

export interface Contention {
  readonly providers: readonly LockProvider[];
  readonly keys: readonly string[];
  readonly ttlMs: number;
}

/** Runs the contenders for as long as `meanwhile` takes, and until each is done. */
export async function contend(
  { providers, keys, ttlMs }: Contention,
  meanwhile: () => Promise<void>,
): Promise<LockHistory> {
  const holds: Hold[] = [];
  const counts = { longestCallMs: 0, granted: 0, extended: 0, unavailable: 0 };
  let isOver = false;
  const call = async <Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> => {
    const started = performance.now();
    try {
      return await ask();
    } catch (error) {
      if (!hasCode(error, "LOCK_UNAVAILABLE")) throw error;
      counts.unavailable += 1;
      await delay(20);
      return undefined;
    } finally {
      counts.longestCallMs = Math.max(counts.longestCallMs, performance.now() - started);
    }
  };
  const turn = async (contender: number, lock: LockProvider): Promise<void> => {
    const key = keys[Math.floor(Math.random() * keys.length)] ?? "";
    const owner = { fleet: `fleet-${contender}`, epoch: 1 };
    // Who asks anew gives up what it had.
    const asked = performance.now();
    for (const hold of holds) {
      if (hold.contender === contender && hold.key === key) hold.until = Math.min(hold.until, asked);
    }
    let grant: Grant | undefined = await call(() => acquire(lock, key, owner, ttlMs));
    if (!grant) return delay(5 + Math.random() * 10);
    counts.granted += 1;
    const hold: Hold = { key, contender, from: performance.now(), until: grant.validUntil };
    holds.push(hold);
    while (grant && Math.random() < 0.7) {
      await delay(Math.random() * 0.6 * ttlMs);
      const held: Grant = grant;
      grant = (await call(() => lock.extend([held], ttlMs)))?.[0];
      if (!grant) return;
      counts.extended += 1;
      hold.until = grant.validUntil;
    }
    // Some forget to release, as those do who die.
    if (!grant || Math.random() < 0.2) return;
    const held: Grant = grant;
    hold.until = Math.min(hold.until, performance.now());
    await call(() => lock.release(held));
  };
  const running = providers.map(async (lock, contender) => {
    while (!isOver) await turn(contender, lock);
  });
  try {
    await meanwhile();
  } finally {
    isOver = true;
  }
  await Promise.all(running);
  return { holds, ...counts };
}

/** By one of the two ways to ask for it. */
async function acquire(
  lock: LockProvider,
  key: string,
  owner: LockOwner,
  ttlMs: number,
): Promise<Grant | undefined> {
  if (Math.random() < 0.5) return lock.tryAcquire([key], owner, ttlMs);
  return (await lock.tryAcquireEach([key], owner, ttlMs))[0];
}

/** Every moment at which two contenders believed that they had the same key. */
export function overlaps({ holds }: LockHistory): readonly string[] {
  const inOrder = [...holds].sort((a, b) => a.from - b.from);
  return inOrder.flatMap((hold, index) =>
    inOrder
      .slice(index + 1)
      .filter(
        ({ key, contender, from }) => key === hold.key && contender !== hold.contender && from < hold.until,
      )
      .map(
        (later) =>
          `${hold.key}: ${hold.contender} until ${hold.until}, ${later.contender} from ${later.from}`,
      ),
  );
}
