/** A bot on a real database and a real simulated exchange whose answers get lost: nothing twice, nothing lost. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PortWrappers } from "../../src/cli/run-instance.ts";
import type { Config } from "../../src/config/schema.ts";
import { QuantmeshError } from "../../src/domain/errors.ts";
import type { Generation, Instant } from "../../src/domain/ids.ts";
import type { ExchangeOrder, PlaceOutcome } from "../../src/exchange/exchange.ts";
import type { LockProvider } from "../../src/lock/lock.ts";
import { decodeClientOrderId, encodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import { expectSound, withoutGeneration } from "../support/expect-sound.ts";
import { everyNth, override } from "../support/override.ts";
import { writeCandles } from "../support/replay-lab.ts";
import type { BacktestEnd, Replay, ReplayEnd } from "../support/replay-run.ts";
import { backtest, replay, replayConfig } from "../support/replay-run.ts";
import { freshSeed } from "../support/scale.ts";

const LOST: PlaceOutcome = { kind: "unknown", message: "connection reset" };
const WINDOW_MS = 1_000;
const SETTLE_MS = 2_000;
const POINT_MS = 15_000;
const CANDLES = 500;
const FIRST_AT = 1_700_000_000_000;

const seed = freshSeed();
describe(`a bot with faults in its ports (seed ${seed})`, () => {
  const candleFolder = mkdtempSync(join(tmpdir(), "quantmesh-runner-"));
  const candleFile = writeCandles(candleFolder, CANDLES, seed);
  let folder = "";
  let config: Config;
  /** What an exchange without faults gives. */
  let expected: BacktestEnd;

  beforeAll(async () => {
    [expected] = (await backtest(await configIn(candleFolder))) as [BacktestEnd];
  });
  afterAll(() => rmSync(candleFolder, { recursive: true, force: true }));
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-runner-"));
    config = await configIn(folder);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function configIn(where: string): Promise<Config> {
    const grid = { symbol: "BTC/USDT", candleFile, lower: 26_000, upper: 28_000, grids: 20 };
    return replayConfig(where, [grid]);
  }

  it("finds an order by its id where the answer was lost after acceptance, and sends no second", async () => {
    const isLost = everyNth(3, 20);
    const sent: string[] = [];
    const { end, bot } = await replayOne({
      exchange: (real) =>
        override(real, {
          placeOrder: async (request) => {
            sent.push(request.terms.id);
            const outcome = await real.placeOrder(request);
            return isLost() ? LOST : outcome;
          },
        }),
    });

    expect(isLost.count).toBeGreaterThan(6);
    expect(bot.fills).toEqual(expected.fills);
    expect(bot.totals).toEqual(expected.totals);
    expect(end.audit.map(({ id }) => id).sort()).toEqual([...new Set(sent)].sort());
    expect(sent).toHaveLength(end.audit.length);
  });

  it("takes 'duplicate' for an order to look up, not for a refusal", async () => {
    const isDuplicate = everyNth(3, 20);
    const lookedUp = new Set<string>();
    const asked = new Set<string>();
    const { bot } = await replayOne({
      exchange: (real) =>
        override(real, {
          placeOrder: async (request) => {
            const outcome = await real.placeOrder(request);
            if (!isDuplicate()) return outcome;
            asked.add(request.terms.id);
            return { kind: "duplicate" };
          },
          findOrder: async (symbol, id) => {
            lookedUp.add(id);
            return real.findOrder(symbol, id);
          },
        }),
    });

    expect(isDuplicate.count).toBeGreaterThan(6);
    expect(lookedUp).toEqual(asked);
    expect(bot.fills).toEqual(expected.fills);
    expect(bot.totals).toEqual(expected.totals);
  });

  it("proves an order absent only after its request is dead, and then sends the next generation", async () => {
    const isLost = everyNth(3, 20);
    const lost = new Map<string, Instant>();
    const once = new Set<string>();
    const asks: { readonly about: string; readonly at: Instant }[] = [];
    const { end, bot } = await replayOne({
      exchange: (real) =>
        override(real, {
          placeOrder: async (request) => {
            const { id, slot, side, type } = request.terms;
            if (type === "market" || once.has(`${slot} ${side}`) || !isLost())
              return real.placeOrder(request);
            once.add(`${slot} ${side}`);
            lost.set(id, request.validUntil);
            return LOST;
          },
          findOrder: async (symbol, id) => {
            asks.push({ about: id, at: await real.time() });
            return real.findOrder(symbol, id);
          },
          ordersSince: async (symbol, since) => {
            asks.push({ about: "history", at: await real.time() });
            return real.ordersSince(symbol, since);
          },
        }),
    });

    expect(lost.size).toBeGreaterThan(0);
    const accepted = new Map(end.audit.map(({ id, time }) => [String(id), time]));
    for (const [id, validUntil] of lost) {
      const successorAt = accepted.get(successorOf(id)) ?? Number.NaN;
      expect(accepted.has(id)).toBe(false);
      expect(successorAt).toBeGreaterThan(validUntil + SETTLE_MS);
      for (const about of [id, "history"]) {
        const proof = asks.find((ask) => ask.about === about && ask.at > validUntil + SETTLE_MS);
        expect(proof?.at, `${about} was not asked for in time`).toBeLessThanOrEqual(successorAt);
      }
    }
    expect(bot.fills.map(withoutGeneration)).toEqual(expected.fills.map(withoutGeneration));
    expect(bot.totals).toEqual(expected.totals);
  });

  it("counts a fill that is told before the answer to its order", async () => {
    const tell = new Map<string, () => void>();
    const early: string[] = [];
    const { bot } = await replayOne({
      exchange: (real) =>
        override(real, {
          placeOrder: async (request) => {
            if (request.terms.type !== "market") return real.placeOrder(request);
            const { id } = request.terms;
            const stored = new Promise<void>((resolve) => tell.set(id, resolve));
            const outcome = await real.placeOrder(request);
            await stored;
            early.push(id);
            return outcome;
          },
        }),
      storage: (real) =>
        override(real, {
          commit: async (claim, of, records) => {
            const outcome = await real.commit(claim, of, records);
            for (const record of records) if (record.kind === "fill") tell.get(record.fill.id)?.();
            return outcome;
          },
        }),
    });

    expect(early).toHaveLength(1);
    expect(bot.fills).toEqual(expected.fills);
    expect(bot.totals).toEqual(expected.totals);
  });

  it("counts a fill once that is told twice, and again when its order is long closed", async () => {
    let repeated = 0;
    const { bot } = await replayOne({
      exchange: (real) =>
        override(real, {
          subscribe: (symbol, listen) => {
            let last: Parameters<typeof listen>[0] | undefined;
            return real.subscribe(symbol, (hint) => {
              listen(hint);
              if (hint.kind !== "fill") return;
              listen(hint);
              if (last) listen(last);
              last = hint;
              repeated += 1;
            });
          },
        }),
    });

    expect(repeated).toBe(expected.totals.fills);
    expect(bot.fills).toEqual(expected.fills);
    expect(bot.totals).toEqual(expected.totals);
  });

  it("finds every fill in the exchange's lists where no hint of any arrives", async () => {
    let unheard = 0;
    const deaf: PortWrappers = {
      exchange: (real) =>
        override(real, {
          subscribe: (symbol, listen) =>
            real.subscribe(symbol, (hint) => {
              if (hint.kind === "tick") listen(hint);
              if (hint.kind === "fill") unheard += 1;
            }),
        }),
    };
    const first = await replay(config, deaf);
    // The last fills came after the last comparison: the next start has to find them.
    const { bot } = await replayOne(deaf);

    expect(unheard).toBeGreaterThan(10);
    expect(first.bots[0]?.totals.trades).toBeGreaterThan(0);
    expect(bot.totals.fills).toBe(unheard);
  });

  it.each([
    { moment: "before", doneFirst: false },
    { moment: "after", doneFirst: true },
  ])(
    "goes on with a fresh claim where the database fails $moment it stored records",
    async ({ doneFirst }) => {
      const fails = everyNth(11, 8);
      const { end, bot } = await replayOne({
        storage: (real) =>
          override(real, {
            commit: async (claim, of, records) => {
              if (!fails()) return real.commit(claim, of, records);
              if (doneFirst) await real.commit(claim, of, records);
              throw storageGone();
            },
          }),
      });

      expect(fails.count).toBeGreaterThan(2);
      expect(lostSessions(end)).toBeGreaterThan(2);
      expect(bot.fills.map(withoutGeneration)).toEqual(expected.fills.map(withoutGeneration));
      expect(bot.totals).toEqual(expected.totals);
    },
  );

  it.each([
    { moment: "before", doneFirst: false },
    { moment: "after", doneFirst: true },
  ])("sends nothing where the database fails $moment it stored an intent", async ({ doneFirst }) => {
    const fails = everyNth(9, 8);
    const failed = new Set<string>();
    const sent: string[] = [];
    const { end, bot } = await replayOne({
      storage: (real) =>
        override(real, {
          insertIntent: async (claim, of, intent) => {
            if (!fails()) return real.insertIntent(claim, of, intent);
            if (doneFirst) await real.insertIntent(claim, of, intent);
            failed.add(`${intent.terms.id} ${claim.epoch}`);
            throw storageGone();
          },
        }),
      exchange: (real) =>
        override(real, {
          placeOrder: async (request) => {
            sent.push(request.terms.id);
            return real.placeOrder(request);
          },
        }),
    });

    expect(fails.count).toBeGreaterThan(2);
    expect(lostSessions(end)).toBeGreaterThan(2);
    // An intent that was stored is never sent by anybody; one that was not may be sent by the next session, once.
    if (doneFirst) for (const one of failed) expect(sent).not.toContain(one.split(" ")[0]);
    expect(new Set(sent).size).toBe(sent.length);
    expect(bot.fills.map(withoutGeneration)).toEqual(expected.fills.map(withoutGeneration));
    expect(bot.totals).toEqual(expected.totals);
  });

  it("looks no further for an order that does not work and that the exchange does not know", async () => {
    const isShown = everyNth(2, 1);
    let ghost: ExchangeOrder | undefined;
    let asked = 0;
    const { bot } = await replayOne({
      exchange: (real) =>
        override(real, {
          openOrders: async (symbol) => {
            const orders = await real.openOrders(symbol);
            const [one] = orders;
            const name = one?.id === undefined ? undefined : decodeClientOrderId(one.id);
            if (!one || !name || !isShown()) return orders;
            const { bot: code, slot, side } = name;
            const id = encodeClientOrderId(code, slot, side, 900 as Generation);
            ghost = { ...one, id, exchangeOrderId: "999999" };
            return [...orders, ghost];
          },
          cancelOrder: async (request) =>
            request.id === ghost?.id ? { kind: "not_found" } : real.cancelOrder(request),
          findOrder: async (symbol, id) => {
            if (id === ghost?.id) asked += 1;
            return real.findOrder(symbol, id);
          },
        }),
    });

    expect(asked).toBe(1);
    expect(bot.totals.fills).toBeGreaterThan(0);
  });

  it("stores no intent under a claim that another holder has taken, and claims anew", async () => {
    const intrudes = everyNth(8, 5);
    const stored = new Set<string>();
    const sent: string[] = [];
    const stale: string[] = [];
    let newest = 0;
    const { end, bot } = await replayOne({
      storage: (real) =>
        override(real, {
          claim: async (market, holder) => {
            const claim = await real.claim(market, holder);
            newest = claim.epoch;
            return claim;
          },
          insertIntent: async (claim, of, intent) => {
            if (intrudes()) newest = (await real.claim(of.market, "intruder")).epoch;
            const outcome = await real.insertIntent(claim, of, intent);
            if (claim.epoch < newest) stale.push(outcome);
            if (outcome === "stored") stored.add(intent.terms.id);
            return outcome;
          },
        }),
      exchange: (real) =>
        override(real, {
          placeOrder: async (request) => {
            sent.push(request.terms.id);
            return real.placeOrder(request);
          },
        }),
    });

    expect(intrudes.count).toBeGreaterThan(2);
    expect(new Set(stale)).toEqual(new Set(["stale"]));
    expect(lostSessions(end)).toBeGreaterThan(0);
    expect(sent.filter((id) => !stored.has(id))).toEqual([]);
    expect(bot.fills.map(withoutGeneration)).toEqual(expected.fills.map(withoutGeneration));
    expect(bot.totals).toEqual(expected.totals);
  });

  it("stores nothing under a claim that another holder took before a commit", async () => {
    const intrudes = everyNth(11, 5);
    const outcomes: string[] = [];
    const refused = new Set<number>();
    let triedAgain = 0;
    const { end, bot } = await replayOne({
      storage: (real) =>
        override(real, {
          commit: async (claim, of, records) => {
            if (refused.has(claim.epoch)) triedAgain += 1;
            if (!intrudes()) return real.commit(claim, of, records);
            await real.claim(of.market, "intruder");
            const outcome = await real.commit(claim, of, records);
            refused.add(claim.epoch);
            outcomes.push(outcome);
            return outcome;
          },
        }),
    });

    expect(outcomes.length).toBeGreaterThan(1);
    expect(new Set(outcomes)).toEqual(new Set(["stale"]));
    expect(triedAgain).toBe(0);
    expect(lostSessions(end)).toBe(outcomes.length);
    expect(bot.fills.map(withoutGeneration)).toEqual(expected.fills.map(withoutGeneration));
    expect(bot.totals).toEqual(expected.totals);
  });

  it("sends nothing under a grant that ends before the request does", async () => {
    const isShort = everyNth(3, 6);
    let intents = 0;
    const { end, bot } = await replayOne({
      lock: (real) =>
        override(real, {
          tryAcquireEach: async (keys, owner, ttlMs) => {
            const grants = await real.tryAcquireEach(keys, owner, ttlMs);
            return grants.map((grant) => {
              if (!grant || !isShort()) return grant;
              return { ...grant, validUntil: grant.validUntil - ttlMs + WINDOW_MS };
            });
          },
        }),
      storage: (real) =>
        override(real, {
          insertIntent: async (claim, of, intent) => {
            intents += 1;
            return real.insertIntent(claim, of, intent);
          },
        }),
    });

    expect(isShort.count).toBe(6);
    // Stored, and then given up without a request.
    expect(end.audit).toHaveLength(intents - isShort.count);
    expect(reasonsOf("order_rejected", end)).toEqual(
      Array.from({ length: isShort.count }, () => "not_permitted"),
    );
    expect(bot.resting.length).toBe(20);
  });

  it("places nothing on a level that another fleet holds, until it is released", async () => {
    const FREE_AFTER_MS = 600_000;
    const key = "order:sim:main:BTC/USDT:26500";
    const other = { fleet: "another", epoch: 1 };
    let held: ReturnType<LockProvider["tryAcquire"]> | undefined;
    let lock: LockProvider | undefined;
    const end = await replay(
      config,
      {
        lock: (real) => {
          lock = real;
          held = real.tryAcquire([key], other, 86_400_000);
          return real;
        },
      },
      ({ market }) => {
        market.clock.after(FREE_AFTER_MS, () => {
          void held?.then((grant) => grant && lock?.release(grant));
        });
      },
    );

    const bot = expectSound(end);
    const busy = reasonsOf("order_not_sent", end).filter((reason) => reason === "level_busy");
    expect(busy.length).toBeGreaterThan(1);
    const onLevel = end.audit.filter(({ price }) => price === 2_650_000);
    const free = FIRST_AT + FREE_AFTER_MS;
    expect(onLevel[0]?.time).toBeGreaterThanOrEqual(free);
    // The longest pause between two attempts is a minute.
    expect(onLevel[0]?.time).toBeLessThan(free + 60_000 + POINT_MS);
    expect(bot.resting.length).toBe(20);
  });

  it("takes the levels of all orders that it decides on together in one request", async () => {
    const asked: number[] = [];
    const { end } = await replayOne({
      lock: (real) =>
        override(real, {
          tryAcquireEach: async (keys, owner, ttlMs) => {
            asked.push(keys.length);
            return real.tryAcquireEach(keys, owner, ttlMs);
          },
        }),
    });

    const placed = asked.reduce((sum, keys) => sum + keys, 0);
    expect(placed).toBeGreaterThanOrEqual(end.audit.length);
    // Of twenty levels, the buys at first and the sells once their lots are bought.
    expect(Math.max(...asked)).toBeGreaterThanOrEqual(10);
  });

  it("sends nothing while the lock service cannot be asked, and everything afterwards", async () => {
    const OUTAGE_MS = 300_000;
    let refused = 0;
    let isGone = false;
    const end = await replay(
      config,
      {
        lock: (real) =>
          override(real, {
            tryAcquireEach: async (keys, owner, ttlMs) => {
              if (!isGone) return real.tryAcquireEach(keys, owner, ttlMs);
              refused += 1;
              throw new QuantmeshError("LOCK_UNAVAILABLE", "the lock service is away");
            },
          }),
      },
      ({ market }) => {
        isGone = true;
        market.clock.after(OUTAGE_MS, () => {
          isGone = false;
        });
      },
    );

    const bot = expectSound(end);
    expect(refused).toBeGreaterThan(1);
    expect(end.audit.filter(({ time }) => time > FIRST_AT && time < FIRST_AT + OUTAGE_MS)).toEqual([]);
    expect(bot.resting.length).toBe(20);
  });

  /** Replays with faults; what is left must be sound. */
  async function replayOne(wrappers: PortWrappers): Promise<{ end: Replay; bot: ReplayEnd }> {
    const end = await replay(config, wrappers);
    return { end, bot: expectSound(end) };
  }
});

/** The id of the same slot and side, one generation on. */
function successorOf(id: string): string {
  const next = (decodeClientOrderId(id)?.generation ?? Number.NaN) + 1;
  return id.slice(0, -7) + next.toString(36).padStart(7, "0");
}

function lostSessions({ log }: Replay): number {
  return log.filter(({ event }) => event === "bot.session_lost").length;
}

/** The reasons of a kind of event, one for each time that it happened. */
function reasonsOf(type: string, { log }: Replay): readonly unknown[] {
  return log.filter(({ event }) => event === `event.${type}`).map(({ fields }) => fields["reason"]);
}

function storageGone(): QuantmeshError {
  return new QuantmeshError("STORAGE_UNAVAILABLE", "the database is away");
}
