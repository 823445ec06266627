/** What every lock must do, whatever stands behind it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LockProvider } from "../../src/lock/lock.ts";

/** One lock service, with as many providers connected to it as a test wants. */
export interface LockService {
  connect(): Promise<LockProvider>;
  /** Monotonic ms on the clock of the providers. */
  monotonic(): number;
  /** Lets time pass: on a virtual clock at once. */
  pass(ms: number): Promise<void>;
  /** Ends the service and every provider. */
  end(): Promise<void>;
}

const TTL_MS = 1_000;
const OLD = { fleet: "fleet-a", epoch: 4 };
const OURS = { fleet: "fleet-a", epoch: 5 };
const NEXT = { fleet: "fleet-a", epoch: 6 };
const OTHER_FLEET = { fleet: "fleet-b", epoch: 9 };
const patient = () => ({ timeoutMs: 60_000, signal: new AbortController().signal });

export function describeLock(name: string, start: () => Promise<LockService>): void {
  describe(`the ${name} lock`, () => {
    let service: LockService;
    let lock: LockProvider;
    let other: LockProvider;

    beforeEach(async () => {
      service = await start();
      lock = await service.connect();
      other = await service.connect();
    });
    afterEach(() => service.end());

    it("grants free keys until the time counted from before the request", async () => {
      const asked = service.monotonic();

      const grant = await lock.tryAcquire(["a", "b"], OURS, TTL_MS);

      expect(grant?.keys).toEqual(["a", "b"]);
      expect(grant?.owner).toEqual(OURS);
      expect(grant?.validUntil).toBeGreaterThanOrEqual(asked + TTL_MS);
      expect(grant?.validUntil).toBeLessThanOrEqual(service.monotonic() + TTL_MS);
    });

    it("gives no key to another fleet, however high its epoch", async () => {
      await lock.tryAcquire(["a"], OURS, TTL_MS);

      expect(await other.tryAcquire(["a"], OTHER_FLEET, TTL_MS)).toBeUndefined();
      expect(await other.tryAcquire(["b"], OTHER_FLEET, TTL_MS)).toBeDefined();
    });

    it("gives a key at once to a newer epoch of the same fleet, and never back to the older one", async () => {
      const lost = await lock.tryAcquire(["a"], OURS, TTL_MS);

      expect(await other.tryAcquire(["a"], NEXT, TTL_MS)).toBeDefined();
      expect(await lock.tryAcquire(["a"], OURS, TTL_MS)).toBeUndefined();
      expect(await lock.tryAcquire(["a"], OLD, TTL_MS)).toBeUndefined();
      expect(lost && (await lock.extend(lost, TTL_MS))).toBeUndefined();
    });

    it("takes all keys or none", async () => {
      await other.tryAcquire(["b"], OTHER_FLEET, TTL_MS);

      expect(await lock.tryAcquire(["a", "b", "c"], OURS, TTL_MS)).toBeUndefined();

      expect(await other.tryAcquire(["a", "c"], OTHER_FLEET, TTL_MS)).toBeDefined();
    });

    it("lets the same owner take its keys again, for a longer time", async () => {
      const first = await lock.tryAcquire(["a"], OURS, TTL_MS);
      await service.pass(TTL_MS / 2);

      const second = await lock.tryAcquire(["a"], OURS, TTL_MS);

      expect(second?.validUntil).toBeGreaterThan(first?.validUntil ?? Number.POSITIVE_INFINITY);
    });

    it("frees a key when its time is over, and not before", async () => {
      await lock.tryAcquire(["a"], OURS, TTL_MS);
      await service.pass(TTL_MS / 2);
      expect(await other.tryAcquire(["a"], OTHER_FLEET, TTL_MS)).toBeUndefined();

      await service.pass(TTL_MS / 2);

      expect(await other.tryAcquire(["a"], OTHER_FLEET, TTL_MS)).toBeDefined();
    });

    it("extends all keys of a grant beyond their first expiry", async () => {
      const grant = await lock.tryAcquire(["a", "b"], OURS, TTL_MS);
      await service.pass(TTL_MS / 2);

      const longer = grant && (await lock.extend(grant, TTL_MS));
      await service.pass(TTL_MS / 2);

      expect(longer?.keys).toEqual(["a", "b"]);
      expect(longer?.validUntil).toBeGreaterThan(service.monotonic());
      expect(await other.tryAcquire(["a"], OTHER_FLEET, TTL_MS)).toBeUndefined();
      expect(await other.tryAcquire(["b"], OTHER_FLEET, TTL_MS)).toBeUndefined();
    });

    it("extends nothing where one key of the grant was lost", async () => {
      const grant = await lock.tryAcquire(["a", "b"], OURS, TTL_MS);
      await other.tryAcquire(["b"], NEXT, TTL_MS);
      await service.pass(TTL_MS / 2);

      expect(grant && (await lock.extend(grant, TTL_MS))).toBeUndefined();

      await service.pass(TTL_MS / 2);
      expect(await other.tryAcquire(["a"], OTHER_FLEET, TTL_MS)).toBeDefined();
    });

    it("does not extend a grant that expired", async () => {
      const grant = await lock.tryAcquire(["a"], OURS, TTL_MS);
      await service.pass(TTL_MS);

      expect(grant && (await lock.extend(grant, TTL_MS))).toBeUndefined();
    });

    it("frees released keys at once", async () => {
      const grant = await lock.tryAcquire(["a", "b"], OURS, TTL_MS);

      if (grant) await lock.release(grant);

      expect(await other.tryAcquire(["a", "b"], OTHER_FLEET, TTL_MS)).toBeDefined();
    });

    it("releases nothing that somebody else holds by now", async () => {
      const lost = await lock.tryAcquire(["a"], OURS, TTL_MS);
      await other.tryAcquire(["a"], NEXT, TTL_MS);

      if (lost) await lock.release(lost);

      expect(await lock.tryAcquire(["a"], OTHER_FLEET, TTL_MS)).toBeUndefined();
    });

    it("gives keys to one who waits as soon as they are released", async () => {
      const grant = await other.tryAcquire(["a"], OTHER_FLEET, TTL_MS);
      const waiting = lock.acquire(["a", "b"], OURS, TTL_MS, patient());

      if (grant) await other.release(grant);

      expect(await waiting).toMatchObject({ keys: ["a", "b"], owner: OURS });
    });

    it("gives keys to one who waits as soon as the last of them expires", async () => {
      await other.tryAcquire(["a"], OTHER_FLEET, TTL_MS);
      await service.pass(TTL_MS / 2);
      await other.tryAcquire(["b"], OTHER_FLEET, TTL_MS);
      const waiting = lock.acquire(["a", "b"], OURS, TTL_MS, patient());

      await service.pass(TTL_MS / 2);
      expect(await other.tryAcquire(["b"], NEXT, TTL_MS)).toBeUndefined();
      await service.pass(TTL_MS / 2);

      expect(await waiting).toMatchObject({ keys: ["a", "b"], owner: OURS });
    });

    it("gives a key to only one of those who wait, and to the next when it is free again", async () => {
      const held = await other.tryAcquire(["a"], OTHER_FLEET, TTL_MS);
      const first = lock.acquire(["a"], OURS, TTL_MS, patient());
      const second = other.acquire(["a"], { fleet: "fleet-c", epoch: 1 }, TTL_MS, patient());

      if (held) await other.release(held);
      const winner = await Promise.race([first, second]);
      expect(await lock.tryAcquire(["a"], OTHER_FLEET, TTL_MS)).toBeUndefined();
      if (winner) await lock.release(winner);

      const owners = (await Promise.all([first, second])).map((grant) => grant?.owner.fleet);
      expect(owners).toEqual(["fleet-a", "fleet-c"]);
    });

    it("stops waiting after the time limit and holds nothing then", async () => {
      await other.tryAcquire(["b"], OTHER_FLEET, TTL_MS);
      const limits = { timeoutMs: TTL_MS / 2, signal: new AbortController().signal };
      const waiting = lock.acquire(["a", "b"], OURS, TTL_MS, limits);

      await service.pass(TTL_MS / 2);

      expect(await waiting).toBeUndefined();
      expect(await other.tryAcquire(["a"], OTHER_FLEET, TTL_MS)).toBeDefined();
    });

    it("stops waiting at once when it is aborted, before or while it waits", async () => {
      const held = await other.tryAcquire(["a"], OTHER_FLEET, TTL_MS);
      const abort = new AbortController();
      const waiting = lock.acquire(["a"], OURS, TTL_MS, { timeoutMs: 60_000, signal: abort.signal });

      abort.abort();

      expect(await waiting).toBeUndefined();
      if (held) await other.release(held);
      const limits = { timeoutMs: 60_000, signal: abort.signal };
      expect(await lock.acquire(["a"], OURS, TTL_MS, limits)).toBeUndefined();
      expect(await other.tryAcquire(["a"], OTHER_FLEET, TTL_MS)).toBeDefined();
    });

    it("fails closed once it is closed: those who wait and those who ask learn that it is unavailable", async () => {
      await lock.tryAcquire(["a"], OURS, TTL_MS);
      const waiting = lock.acquire(["a"], OTHER_FLEET, TTL_MS, patient());
      const refused = expect(waiting).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE" });

      await lock.close();

      await refused;
      await expect(lock.tryAcquire(["b"], OURS, TTL_MS)).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE" });
      await expect(lock.ping()).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE" });
    });
  });
}
