/** Requests for level locks that are made together leave together. */
import { describe, expect, it } from "vitest";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import { MOST_AT_ONCE } from "../../../src/lock/lock.ts";
import { MemoryLock } from "../../../src/lock/memory-lock.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import { instant } from "../../../src/domain/ids.ts";
import { GroupedRequests } from "../../../src/runner/grouped-requests.ts";

const OURS = { fleet: "ours", epoch: 1 };
const TTL_MS = 1_000;

function open() {
  const lock = new MemoryLock(new VirtualClock(instant(0)));
  const asked: (readonly string[])[] = [];
  const tryAcquireEach: typeof lock.tryAcquireEach = (keys, owner, ttlMs) => {
    asked.push(keys);
    return lock.tryAcquireEach(keys, owner, ttlMs);
  };
  return { lock, asked, requests: new GroupedRequests({ tryAcquireEach }, OURS, TTL_MS) };
}

describe("requests for level locks", () => {
  it("of one turn of the event loop are one, and each is answered by itself", async () => {
    const { lock, asked, requests } = open();
    await lock.tryAcquire(["m:2"], { fleet: "another", epoch: 1 }, TTL_MS);
    const afterOthers = Promise.resolve().then(() => requests.acquire("m:3"));

    const grants = await Promise.all([requests.acquire("m:1"), requests.acquire("m:2"), afterOthers]);

    expect(asked).toEqual([["m:1", "m:2", "m:3"]]);
    expect(grants.map((grant) => grant?.keys)).toEqual([["m:1"], undefined, ["m:3"]]);
    await requests.acquire("m:4");
    expect(asked).toHaveLength(2);
  });

  it("are as many as a lock service answers at once, and no more", async () => {
    const { asked, requests } = open();
    const keys = Array.from({ length: MOST_AT_ONCE + 1 }, (_, index) => `m:${index}`);

    const grants = await Promise.all(keys.map((key) => requests.acquire(key)));

    expect(grants.map((grant) => grant?.keys)).toEqual(keys.map((key) => [key]));
    expect(asked.map(({ length }) => length)).toEqual([MOST_AT_ONCE, 1]);
  });

  it("fail together where the lock service is away", async () => {
    const away = new QuantmeshError("LOCK_UNAVAILABLE", "away");
    const requests = new GroupedRequests({ tryAcquireEach: () => Promise.reject(away) }, OURS, TTL_MS);

    const answers = await Promise.allSettled([requests.acquire("m:1"), requests.acquire("m:2")]);

    expect(answers.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });
});
