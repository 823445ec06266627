/** The part of the storage contract about leases: claims that end by themselves. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Claim } from "../../src/domain/claim.ts";
import type { Bot } from "../../src/domain/grid.ts";
import type { ClaimAnswer, Storage } from "../../src/storage/storage.ts";
import { sampleBot, sampleIntent, sampleMarket } from "./storage-samples.ts";

interface Opened {
  readonly storage: Storage;
  readonly bot: Bot;
  readonly open: () => Promise<Storage>;
}

const LONG_MS = 60_000;
const market = sampleMarket("XRP/USDT");

export function describeStorageLeases(opened: () => Opened): void {
  describe("leases", () => {
    let storage: Storage;
    beforeEach(() => {
      storage = opened().storage;
    });

    const request = (holder: string, ttlMs = LONG_MS, replaces?: number): Promise<ClaimAnswer> =>
      storage.requestClaim({ market, holder, ttlMs, ...(replaces === undefined ? {} : { replaces }) });
    const take = async (holder: string, ttlMs = LONG_MS): Promise<Claim> =>
      claimOf(await request(holder, ttlMs));

    it("give a market that nobody holds to the first who asks, and tell the others who has it", async () => {
      const claim = await take("one");

      const answer = await request("two");

      expect(claim).toMatchObject({ market, epoch: 1, holder: "one" });
      expect(answer).toMatchObject({ kind: "held", holder: "one", epoch: 1 });
      const { expiresInMs } = answer as { readonly expiresInMs: number };
      expect(expiresInMs).toBeGreaterThan(0);
      expect(expiresInMs).toBeLessThanOrEqual(LONG_MS);
    });

    it("give a market to exactly one of many who ask at once, over two connections", async () => {
      const second = await opened().open();
      const asked = Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? storage : second).requestClaim({ market, holder: `h${index}`, ttlMs: LONG_MS }),
      );

      const answers = await Promise.all(asked);

      expect(answers.filter(({ kind }) => kind === "claimed")).toHaveLength(1);
      await second.close();
    });

    it("end by the database's clock, and the next one has a higher epoch", async () => {
      await take("one", 50);

      let answer = await request("two");
      while (answer.kind === "held") answer = await request("two");

      expect(answer.claim).toMatchObject({ epoch: 2, holder: "two" });
    });

    it("can be replaced before their end by who names their epoch, and by nobody else", async () => {
      await take("one");

      const guess = await request("two", LONG_MS, 7);
      const proof = await request("two", LONG_MS, 1);
      const late = await request("three", LONG_MS, 1);

      expect(guess).toMatchObject({ kind: "held", epoch: 1 });
      expect(claimOf(proof)).toMatchObject({ epoch: 2, holder: "two" });
      expect(late).toMatchObject({ kind: "held", holder: "two", epoch: 2 });
    });

    it("last longer once they are renewed; those that were replaced are not", async () => {
      const kept = await take("one", 5_000);
      const other = sampleMarket("DOGE/USDT");
      const lost = claimOf(await storage.requestClaim({ market: other, holder: "one", ttlMs: 5_000 }));
      await storage.requestClaim({ market: other, holder: "two", ttlMs: 5_000, replaces: 1 });

      expect(await storage.renewClaims([kept, lost], LONG_MS)).toEqual([kept]);
      expect(await storage.renewClaims([kept], LONG_MS)).toEqual([kept]);
      expect(await storage.renewClaims([], LONG_MS)).toEqual([]);

      const { expiresInMs } = (await request("two")) as { readonly expiresInMs: number };
      expect(expiresInMs).toBeGreaterThan(5_000);
      expect(await storage.requestClaim({ market: other, holder: "one", ttlMs: 1 })).toMatchObject({
        kind: "held",
        holder: "two",
      });
    });

    it("are held again when they are renewed after their end and nobody was quicker", async () => {
      const claim = await take("one", 1);

      expect(await storage.renewClaims([claim], LONG_MS)).toEqual([claim]);
      expect(await request("two")).toMatchObject({ kind: "held", holder: "one", epoch: 1 });
    });

    it("renew 450 at once, and say which of them were replaced", async () => {
      const names = Array.from({ length: 450 }, (_, index) => sampleMarket(`C${index}/USDT`));
      const claims: Claim[] = [];
      for (const name of names)
        claims.push(claimOf(await storage.requestClaim({ market: name, holder: "one", ttlMs: LONG_MS })));
      const replaced = claims.filter((_, index) => index % 100 === 3);
      for (const claim of replaced) await storage.claim(claim.market, "two");

      const held = await storage.renewClaims(claims, LONG_MS);

      expect(held).toEqual(claims.filter((claim) => !replaced.includes(claim)));
    });

    it("are free at once when they are released, and nothing can be written under them", async () => {
      const bot = sampleBot("bot0000002", market.symbol);
      const claim = await take("one");
      await storage.createBot(claim, bot);

      await storage.releaseClaim(claim);

      expect(await storage.insertIntent(claim, bot, sampleIntent(bot, 1))).toBe("stale");
      expect(await storage.commit(claim, bot, [{ kind: "initialDone" }])).toBe("stale");
      expect(await storage.renewClaims([claim], LONG_MS)).toEqual([]);
      expect(claimOf(await request("two"))).toMatchObject({ epoch: 2, holder: "two" });
    });

    it("stay as they are when a claim is released that they replaced", async () => {
      const old = await take("one");
      await request("two", LONG_MS, 1);

      await storage.releaseClaim(old);

      expect(await request("three")).toMatchObject({ kind: "held", holder: "two", epoch: 2 });
    });

    it("can be taken over by an instance that is alone, whose own claim is no lease", async () => {
      const leased = await take("one");

      const alone = await storage.claim(market, "solo");
      const next = claimOf(await request("two"));

      expect([leased.epoch, alone.epoch, next.epoch]).toEqual([1, 2, 3]);
    });
  });
}

function claimOf(answer: ClaimAnswer): Claim {
  expect(answer.kind).toBe("claimed");
  if (answer.kind === "held") throw new Error("unreachable");
  return answer.claim;
}
