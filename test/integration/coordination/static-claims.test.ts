/** Mode static: two configs that list the same symbol, and a database that says whose it is and until when. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LeasedClaims } from "../../../src/coordination/leased-claims.ts";
import type { Claim } from "../../../src/domain/claim.ts";
import type { Instant } from "../../../src/domain/ids.ts";
import { realClock } from "../../../src/exchange/sim/real-clock.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import { createStorage } from "../../../src/storage/create-storage.ts";
import { parseDsn } from "../../../src/storage/dsn.ts";
import type { ClaimRequest, Storage } from "../../../src/storage/storage.ts";
import { logInto } from "../../support/kept-log.ts";
import { startPostgres } from "../../support/servers/postgres.ts";
import { describeWithServers, serverFolder } from "../../support/servers/private-server.ts";
import { until } from "./fleet-lab.ts";

/** A third of it goes by between two renewals: the rest is what a busy machine may keep one waiting. */
const TTL_MS = 4200;
/** Where nobody has to renew in time. */
const BRIEF_TTL_MS = 1200;
const BTC = { exchange: "sim", account: "main", symbol: "BTC/USDT" };
const ETH = { ...BTC, symbol: "ETH/USDT" };

describe("claims as leases", () => {
  let folder: string;
  let storage: Storage;
  let opened: LeasedClaims[];
  const signal = new AbortController().signal;

  const claimsOf = (holder: string, of: Storage = storage) => {
    const lost: string[] = [];
    const claims = new LeasedClaims({
      storage: of,
      holder,
      clock: realClock,
      log: logInto([]),
      ttlMs: TTL_MS,
      lost: (symbol) => lost.push(symbol),
    });
    claims.open();
    opened.push(claims);
    return { claims, lost };
  };

  beforeEach(async () => {
    folder = serverFolder("static");
    storage = await createStorage({ type: "sqlite", file: join(folder, "q.db") });
    opened = [];
  });
  afterEach(async () => {
    for (const claims of opened) claims.close();
    await storage.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("belong to whoever asked first, for as long as it renews them", async () => {
    const one = claimsOf("one 1");
    const two = claimsOf("two 1");
    const claim = await one.claims.take(BTC, signal);
    const waiting = two.claims.take(BTC, signal);
    await two.claims.take(ETH, signal);

    const until2Ttl = performance.now() + 2 * TTL_MS;
    let isTaken = false;
    void waiting.then(() => {
      isTaken = true;
    });
    await until(() => performance.now() > until2Ttl);

    expect(isTaken).toBe(false);
    expect(one.claims.isValid()).toBe(true);
    await one.claims.release(claim);
    expect(await waiting).toMatchObject({ epoch: 2, holder: "two 1" });
    expect([one.lost, two.lost]).toEqual([[], []]);
  });

  it("end by themselves, and the permit of their holder ends before that", async () => {
    let permitEnded: number | undefined;
    // Never opened, as a process that hangs: it renews nothing, and looks at its permit before it sends.
    const hung = new LeasedClaims({
      storage,
      holder: "hung 1",
      clock: realClock,
      log: logInto([]),
      ttlMs: BRIEF_TTL_MS,
      lost: () => undefined,
    });
    await hung.take(ETH, signal);
    const two = claimsOf("two 1");
    const taken = two.claims.take(ETH, signal).then(() => performance.now());

    await until(() => {
      if (!hung.isValid()) permitEnded ??= performance.now();
      return permitEnded !== undefined;
    });

    expect(await taken).toBeGreaterThan(permitEnded ?? Number.POSITIVE_INFINITY);
  });

  it("are told to be lost when somebody else has them, and can be taken again by a process of the same name", async () => {
    const one = claimsOf("one 1");
    await one.claims.take(BTC, signal);
    await storage.claim(BTC, "somebody alone");

    await until(() => one.lost.length > 0);
    expect(one.lost).toEqual(["BTC/USDT"]);

    const first = await one.claims.take(BTC, signal);
    const again = await one.claims.take(BTC, signal);
    expect(again.epoch).toBe(first.epoch + 1);
  });

  it("do not give a permit for longer than the one whose answer came late, and that no renewal knew of", async () => {
    const clock = new VirtualClock(0 as Instant);
    const [answers, renewals] = [gate(), gate()];
    const slow = new Proxy(storage, {
      get: (target, name) => {
        if (name === "requestClaims")
          return async (requests: readonly ClaimRequest[]) => answers.after(target.requestClaims(requests));
        return name === "renewClaims"
          ? async (held: readonly Claim[], ttl: number) => renewals.after(target.renewClaims(held, ttl))
          : (Reflect.get(target, name) as unknown);
      },
    });
    const options = { storage: slow, holder: "one 1", clock, log: logInto([]), ttlMs: TTL_MS };
    const claims = new LeasedClaims({ ...options, lost: () => undefined });
    claims.open();
    opened.push(claims);
    answers.open();
    await claims.take(BTC, signal);
    answers.close();

    const late = claims.take(ETH, signal);
    clock.advanceTo((TTL_MS / 3) as Instant);
    clock.runDueTimer();
    answers.open();
    await late;
    renewals.open();
    await until(() => clock.nextTimerAt() !== undefined);
    renewals.close();

    expect(claims.isValid()).toBe(true);
    clock.advanceTo(((2 * TTL_MS) / 3) as Instant);
    clock.runDueTimer();
    clock.advanceTo((0.7 * TTL_MS) as Instant);
    expect(claims.isValid()).toBe(false);
    renewals.open();
  });

  it("stop being asked for when they are no longer wanted", async () => {
    const one = claimsOf("one 1");
    await one.claims.take(BTC, signal);
    const stopping = new AbortController();
    const waiting = claimsOf("two 1").claims.take(BTC, stopping.signal);

    stopping.abort();

    await expect(waiting).rejects.toThrow("BTC/USDT is no longer wanted");
  });
});

describeWithServers(["postgres"], "claims as leases of a database that restarts", () => {
  it("keep nobody from trading for longer because a bot that has nothing to store does not notice", async () => {
    const server = await startPostgres();
    const storage = await createStorage(parseDsn(await server.createDatabase(), "postgres"));
    const signal = new AbortController().signal;
    const lost: string[] = [];
    const claims = new LeasedClaims({
      storage,
      holder: "one 1",
      clock: realClock,
      log: logInto([]),
      ttlMs: BRIEF_TTL_MS,
      lost: (symbol) => lost.push(symbol),
    });
    try {
      const idle = await claims.take(BTC, signal);
      await claims.take(ETH, signal);
      claims.open();

      await server.restart();
      // The first calls may still meet the dead connections.
      const isBack = (): Promise<boolean> =>
        storage.ping().then(
          () => true,
          () => false,
        );
      while (!(await isBack()));
      await claims.take(ETH, signal);

      await until(() => lost.includes("BTC/USDT"));
      expect((await claims.take(BTC, signal)).epoch).toBe(idle.epoch + 1);
      await until(() => claims.isValid());
    } finally {
      claims.close();
      await storage.close();
      await server.stop();
    }
  });
});

/** Lets nothing through that is not let through. */
function gate() {
  let pass: () => void = () => undefined;
  let passed = new Promise<void>((resolve) => (pass = resolve));
  return {
    open: () => pass(),
    close: () => {
      passed = new Promise<void>((resolve) => (pass = resolve));
    },
    after: async <Answer>(work: Promise<Answer>): Promise<Answer> => {
      const answer = await work;
      await passed;
      return answer;
    },
  };
}
