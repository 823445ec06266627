/** What every lock must do, whatever stands behind it. */
import { describe, expect, it } from "vitest";
import type { Grant, LockProvider, WaitLimits } from "../../src/lock/lock.ts";
import { MOST_AT_ONCE } from "../../src/lock/lock.ts";
import { scaled } from "../support/scale.ts";

/** Keys of one test's own on a lock service, with as many providers connected to them as the test wants. */
export interface LockService {
  connect(): Promise<LockProvider>;
  /** Monotonic ms on the clock of the providers. */
  monotonic(): number;
  /** Lets time pass: on a virtual clock at once. */
  pass(ms: number): Promise<void>;
  /** How much later than the grant the backend itself frees a key at most. */
  readonly lagMs: number;
  /** Ends the service and every provider. */
  end(): Promise<void>;
}

/** Cases that a backend cannot show, by title, each with its reason; they are skipped by name. */
export type SkippedCases = Readonly<Record<string, string>>;

type OnFinished = (end: () => Promise<void>) => void;

/** Of what is to be held for a whole case, on a busy machine as well. */
const TTL_MS = 4_000;
/** Of what is to expire within a case; half of it is what a busy machine may take for a few calls. */
const BRIEF_MS = 2_000;
const OLD = { fleet: "fleet-a", epoch: 4 };
const OURS = { fleet: "fleet-a", epoch: 5 };
const NEXT = { fleet: "fleet-a", epoch: 6 };
const OTHER_FLEET = { fleet: "fleet-b", epoch: 9 };
const patient = (): WaitLimits => ({ timeoutMs: 60_000, signal: new AbortController().signal });

export function describeLock(
  name: string,
  start: () => Promise<LockService>,
  {
    skipped = {},
    startInRealTime = start,
  }: { readonly skipped?: SkippedCases; readonly startInRealTime?: () => Promise<LockService> } = {},
): void {
  const begin = async (finished: OnFinished, open = start) => {
    const service = await open();
    finished(() => service.end());
    return { service, lock: await service.connect(), other: await service.connect() };
  };
  type Case = Awaited<ReturnType<typeof begin>>;
  const test = (title: string, body: (one: Case) => Promise<void>): void => {
    const reason = skipped[title];
    if (reason !== undefined) it.skip(`${title} (skipped: ${reason})`, () => undefined);
    // Most cases wait for an expiry: together they wait once.
    else it.concurrent(title, async ({ onTestFinished }) => body(await begin(onTestFinished)));
  };

  describe(`the ${name} lock`, () => {
    test("grants free keys until a time counted from before the request", async ({ service, lock }) => {
      const asked = service.monotonic();

      const grant = await lock.tryAcquire(["m:a", "m:b"], OURS, TTL_MS);

      expect(grant?.keys).toEqual(["m:a", "m:b"]);
      expect(grant?.owner).toEqual(OURS);
      expect(grant?.validUntil).toBeGreaterThanOrEqual(asked + 0.98 * TTL_MS);
      expect(grant?.validUntil).toBeLessThanOrEqual(service.monotonic() + TTL_MS);
    });

    test("gives each grant a token of its own, and a fence that grows where it has one", async ({ lock }) => {
      const first = await lock.tryAcquire(["m:a"], OURS, TTL_MS);
      const second = await lock.tryAcquire(["m:a"], NEXT, TTL_MS);

      expect(first?.token).not.toBe(second?.token);
      expect(typeof first?.fence).toBe(typeof second?.fence);
      if (first?.fence !== undefined) expect(second?.fence).toBeGreaterThan(first.fence);
    });

    test("gives no key to another fleet, however high its epoch", async ({ lock, other }) => {
      await lock.tryAcquire(["m:a"], OURS, TTL_MS);

      expect(await other.tryAcquire(["m:a"], OTHER_FLEET, TTL_MS)).toBeUndefined();
      expect(await other.tryAcquire(["m:b"], OTHER_FLEET, TTL_MS)).toBeDefined();
    });

    test("gives a key at once to a newer epoch of the same fleet, and never back to the older one", async ({
      lock,
      other,
    }) => {
      const lost = required(await lock.tryAcquire(["m:a"], OURS, TTL_MS));

      expect(await other.tryAcquire(["m:a"], NEXT, TTL_MS)).toBeDefined();
      expect(await lock.tryAcquire(["m:a"], OURS, TTL_MS)).toBeUndefined();
      expect(await lock.tryAcquire(["m:a"], OLD, TTL_MS)).toBeUndefined();
      expect(await lock.extend([lost], TTL_MS)).toEqual([undefined]);
    });

    test("takes all keys or none", async ({ lock, other }) => {
      await other.tryAcquire(["m:b"], OTHER_FLEET, TTL_MS);

      expect(await lock.tryAcquire(["m:a", "m:b", "m:c"], OURS, TTL_MS)).toBeUndefined();

      expect(await other.tryAcquire(["m:a", "m:c"], OTHER_FLEET, TTL_MS)).toBeDefined();
    });

    test("gives a batch of a hundred keys to one of two who ask at once, whole", async ({ lock, other }) => {
      const keys = Array.from({ length: 100 }, (_, index) => `m:${index}`);

      const both = await Promise.all([
        lock.tryAcquire(keys, OURS, TTL_MS),
        other.tryAcquire(keys.toReversed(), OTHER_FLEET, TTL_MS),
      ]);

      // Who asks for the same keys at the same moment may keep each other away, but neither gets a part.
      expect(both.filter((grant) => grant !== undefined).length).toBeLessThanOrEqual(1);
      for (const grant of both) if (grant) expect(grant.keys).toHaveLength(100);
      const winner = both.find((grant) => grant !== undefined);
      const free = await lock.tryAcquire(["m:0"], { fleet: "fleet-c", epoch: 1 }, TTL_MS);
      expect(free === undefined).toBe(winner !== undefined);
    });

    test("grants each of many keys by itself, where another fleet has some of them", async ({
      lock,
      other,
    }) => {
      await other.tryAcquire(["m:b"], OTHER_FLEET, TTL_MS);

      const [first, busy, last] = await lock.tryAcquireEach(["m:c", "m:b", "m:a"], OURS, TTL_MS);

      expect(busy).toBeUndefined();
      expect([first, last]).toMatchObject([
        { keys: ["m:c"], owner: OURS },
        { keys: ["m:a"], owner: OURS },
      ]);
      await lock.release(required(first));
      expect(await lock.extend([required(last)], TTL_MS)).toMatchObject([{ keys: ["m:a"] }]);
      const rest = await other.tryAcquireEach(["m:a", "m:b", "m:c"], OTHER_FLEET, TTL_MS);
      expect(rest.map((grant) => grant?.keys)).toEqual([undefined, ["m:b"], ["m:c"]]);
    });

    test("gives each of many keys at once to a newer epoch of the same fleet, and never back", async ({
      lock,
      other,
    }) => {
      const keys = ["m:a", "m:b", "m:c"];
      const lost = (await lock.tryAcquireEach(keys, OURS, TTL_MS)).map(required);

      const taken = (await other.tryAcquireEach(keys, NEXT, TTL_MS)).map(required);

      expect(new Set([...lost, ...taken].map(({ token }) => token)).size).toBe(6);
      expect(await lock.tryAcquireEach(keys, OURS, TTL_MS)).toEqual([undefined, undefined, undefined]);
      expect(await lock.extend(lost, TTL_MS)).toEqual([undefined, undefined, undefined]);
      for (const [index, grant] of taken.entries()) {
        const before = lost[index]?.fence;
        expect(typeof grant.fence).toBe(typeof before);
        if (before !== undefined) expect(grant.fence).toBeGreaterThan(before);
      }
    });

    test("gives each of a hundred keys to one at most of two who ask for all at once", async ({
      lock,
      other,
    }) => {
      const keys = Array.from({ length: MOST_AT_ONCE }, (_, index) => `m:${index}`);

      const [ours, theirs] = await Promise.all([
        lock.tryAcquireEach(keys, OURS, TTL_MS),
        other.tryAcquireEach(keys.toReversed(), OTHER_FLEET, TTL_MS),
      ]);

      const granted = [...ours, ...theirs].flatMap((grant) => grant?.keys ?? []);
      expect(granted.length).toBe(new Set(granted).size);
      expect(granted.length).toBeGreaterThan(0);
    });

    test("lets the same owner take its keys again, for a longer time", async ({ service, lock, other }) => {
      const first = required(await lock.tryAcquire(["m:a"], OURS, BRIEF_MS));
      await service.pass(BRIEF_MS / 2);

      const second = required(await lock.tryAcquire(["m:a"], OURS, BRIEF_MS));

      expect(second.validUntil).toBeGreaterThan(first.validUntil);
      await lock.release(first);
      expect(await other.tryAcquire(["m:a"], OTHER_FLEET, BRIEF_MS)).toBeUndefined();
    });

    test("frees a key when its time is over, and not before", async ({ service, lock, other }) => {
      await lock.tryAcquire(["m:a"], OURS, BRIEF_MS);
      await service.pass(BRIEF_MS / 2);
      expect(await other.tryAcquire(["m:a"], OTHER_FLEET, BRIEF_MS)).toBeUndefined();

      await service.pass(BRIEF_MS / 2 + service.lagMs);

      expect(await other.tryAcquire(["m:a"], OTHER_FLEET, BRIEF_MS)).toBeDefined();
    });

    test("counts a time to live in milliseconds", async ({ service, lock, other }) => {
      const grant = required(await lock.tryAcquire(["m:a"], OURS, 300));
      expect(grant.validUntil).toBeLessThanOrEqual(service.monotonic() + 300);

      await service.pass(300 + service.lagMs);

      expect(await other.tryAcquire(["m:a"], OTHER_FLEET, TTL_MS)).toBeDefined();
    });

    test("extends all keys of all grants beyond their first expiry", async ({ service, lock, other }) => {
      const first = required(await lock.tryAcquire(["m:a", "m:b"], OURS, BRIEF_MS));
      const second = required(await lock.tryAcquire(["n:a"], NEXT, BRIEF_MS));
      await service.pass(BRIEF_MS / 2);

      const longer = await lock.extend([first, second], BRIEF_MS);
      await service.pass(BRIEF_MS / 2 + 50);

      expect(longer.map((grant) => grant?.keys)).toEqual([["m:a", "m:b"], ["n:a"]]);
      for (const grant of longer) expect(grant?.validUntil).toBeGreaterThan(service.monotonic());
      for (const key of ["m:a", "m:b", "n:a"]) {
        expect(await other.tryAcquire([key], OTHER_FLEET, BRIEF_MS)).toBeUndefined();
      }
    });

    test("extends the grants that are left where others were lost", async ({ service, lock, other }) => {
      const grant = required(await lock.tryAcquire(["m:a", "m:b"], OURS, BRIEF_MS));
      const kept = required(await lock.tryAcquire(["m:c"], OURS, BRIEF_MS));
      await other.tryAcquire(["m:b"], NEXT, BRIEF_MS);
      await service.pass(BRIEF_MS / 2);

      expect(await lock.extend([grant, kept], BRIEF_MS)).toMatchObject([undefined, { keys: ["m:c"] }]);

      await service.pass(BRIEF_MS / 2 + service.lagMs);
      expect(await other.tryAcquire(["m:a"], OTHER_FLEET, BRIEF_MS)).toBeDefined();
    });

    test("does not extend a grant that expired", async ({ service, lock }) => {
      const grant = required(await lock.tryAcquire(["m:a"], OURS, BRIEF_MS));
      await service.pass(BRIEF_MS);

      expect(await lock.extend([grant], BRIEF_MS)).toEqual([undefined]);
    });

    test("frees released keys at once", async ({ lock, other }) => {
      const grant = required(await lock.tryAcquire(["m:a", "m:b"], OURS, TTL_MS));

      await lock.release(grant);

      expect(await other.tryAcquire(["m:a", "m:b"], OTHER_FLEET, TTL_MS)).toBeDefined();
    });

    test("releases nothing that somebody else holds by now", async ({ lock, other }) => {
      const lost = required(await lock.tryAcquire(["m:a"], OURS, TTL_MS));
      await other.tryAcquire(["m:a"], NEXT, TTL_MS);

      await lock.release(lost);

      expect(await lock.tryAcquire(["m:a"], OTHER_FLEET, TTL_MS)).toBeUndefined();
    });

    test("gives keys to one who waits as soon as they are released", async ({ lock, other }) => {
      const grant = required(await other.tryAcquire(["m:a"], OTHER_FLEET, TTL_MS));
      const waiting = lock.acquire(["m:a", "m:b"], OURS, TTL_MS, patient());

      await other.release(grant);

      expect(await waiting).toMatchObject({ keys: ["m:a", "m:b"], owner: OURS });
    });

    test("gives keys to one who waits as soon as the last of them expires", async ({
      service,
      lock,
      other,
    }) => {
      await other.tryAcquire(["m:a"], OTHER_FLEET, BRIEF_MS);
      await service.pass(BRIEF_MS / 2);
      await other.tryAcquire(["m:b"], OTHER_FLEET, BRIEF_MS);
      const asked = service.monotonic();
      const waiting = lock.acquire(["m:a", "m:b"], OURS, BRIEF_MS, patient());

      await service.pass(BRIEF_MS / 2);
      await service.pass(BRIEF_MS / 2 + service.lagMs);

      const grant = required(await waiting);
      expect(grant).toMatchObject({ keys: ["m:a", "m:b"], owner: OURS });
      // Counted from the attempt that succeeded, not from the first.
      expect(grant.validUntil - asked).toBeGreaterThan(1.4 * BRIEF_MS);
    });

    test("gives a key to only one of those who wait, and to the next when it is free again", async ({
      lock,
      other,
    }) => {
      const held = required(await other.tryAcquire(["m:a"], OTHER_FLEET, TTL_MS));
      const first = lock.acquire(["m:a"], OURS, TTL_MS, patient());
      const second = other.acquire(["m:a"], { fleet: "fleet-c", epoch: 1 }, TTL_MS, patient());

      await other.release(held);
      const winner = required(await Promise.race([first, second]));
      expect(await lock.tryAcquire(["m:a"], OTHER_FLEET, TTL_MS)).toBeUndefined();
      await lock.release(winner);

      const owners = (await Promise.all([first, second])).map((grant) => grant?.owner.fleet);
      expect(owners).toEqual(["fleet-a", "fleet-c"]);
    });

    test("stops waiting after the time limit and holds nothing then", async ({ service, lock, other }) => {
      await other.tryAcquire(["m:b"], OTHER_FLEET, TTL_MS);
      const limits = { timeoutMs: BRIEF_MS / 10, signal: new AbortController().signal };
      const waiting = lock.acquire(["m:a", "m:b"], OURS, TTL_MS, limits);

      await service.pass(BRIEF_MS / 10);

      expect(await waiting).toBeUndefined();
      expect(await other.tryAcquire(["m:a"], OTHER_FLEET, TTL_MS)).toBeDefined();
    });

    test("stops waiting at once when it is aborted, before or while it waits", async ({ lock, other }) => {
      const held = required(await other.tryAcquire(["m:a"], OTHER_FLEET, TTL_MS));
      const abort = new AbortController();
      const waiting = lock.acquire(["m:a"], OURS, TTL_MS, { timeoutMs: 60_000, signal: abort.signal });

      abort.abort();

      expect(await waiting).toBeUndefined();
      await other.release(held);
      const limits = { timeoutMs: 60_000, signal: abort.signal };
      expect(await lock.acquire(["m:a"], OURS, TTL_MS, limits)).toBeUndefined();
      expect(await other.acquire(["m:a"], OTHER_FLEET, TTL_MS, patient())).toBeDefined();
    });

    test("fails closed once it is closed: those who wait and those who ask learn that it is unavailable", async ({
      lock,
    }) => {
      await lock.tryAcquire(["m:a"], OURS, TTL_MS);
      const waiting = lock.acquire(["m:a"], OTHER_FLEET, TTL_MS, patient());
      const refused = expect(waiting).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE" });

      await lock.close();

      await refused;
      await expect(lock.tryAcquire(["m:b"], OURS, TTL_MS)).rejects.toMatchObject({
        code: "LOCK_UNAVAILABLE",
      });
      await expect(lock.tryAcquireEach(["m:b"], OURS, TTL_MS)).rejects.toMatchObject({
        code: "LOCK_UNAVAILABLE",
      });
      await expect(lock.ping()).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE" });
    });
  });

  describe(`the ${name} lock under contention`, () => {
    it("never grants one key to two of a hundred contenders at a time", async ({ onTestFinished }) => {
      const { service, lock, other } = await begin(onTestFinished, startInRealTime);
      const providers = [lock, other, await service.connect(), await service.connect()];
      const holds = Array.from({ length: 100 }, async (_, index) => {
        const owner = { fleet: `fleet-${index}`, epoch: 1 };
        const provider = providers[index % providers.length] ?? lock;
        const grant = required(await provider.acquire(["m:a"], owner, TTL_MS, patient()));
        const from = performance.now();
        await new Promise((done) => setTimeout(done, 1));
        const until = performance.now();
        await provider.release(grant);
        return { from, until, isValid: until < grant.validUntil };
      });

      const history = (await Promise.all(holds)).sort((a, b) => a.from - b.from);

      expect(history.every(({ isValid }) => isValid)).toBe(true);
      const overlaps = history.filter(({ until }, index) => until > (history[index + 1]?.from ?? Infinity));
      expect(overlaps).toEqual([]);
    });

    it("lets nobody wait for more than a second where ten take turns of 10 ms", async ({
      onTestFinished,
    }) => {
      const { service } = await begin(onTestFinished, startInRealTime);
      const rounds = scaled(100);
      const started = performance.now();
      let [ticked, standstill] = [started, 0];
      const ticking = setInterval(() => {
        standstill = Math.max(standstill, performance.now() - ticked);
        ticked = performance.now();
      }, 10);
      const waits = Array.from({ length: 10 }, async (_, index) => {
        const provider = await service.connect();
        const owner = { fleet: `fleet-${index}`, epoch: 1 };
        let longest = 0;
        for (let round = 0; round < rounds; round++) {
          const asked = performance.now();
          const grant = required(await provider.acquire(["m:a"], owner, TTL_MS, patient()));
          longest = Math.max(longest, performance.now() - asked);
          await new Promise((done) => setTimeout(done, 10));
          await provider.release(grant);
        }
        return longest;
      });

      const longest = Math.max(...(await Promise.all(waits)));
      clearInterval(ticking);
      // On a machine that is busy with other things a turn takes longer than its 10 ms, for everybody,
      // and this process itself may stand still.
      const fairShare = (performance.now() - started) / rounds;
      expect(longest).toBeLessThan(Math.max(1_000, 5 * fairShare) + standstill);
    });
  });
}

function required(grant: Grant | undefined): Grant {
  if (!grant) throw new Error("nothing was granted");
  return grant;
}
