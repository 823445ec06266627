/** A database server that goes away, freezes or comes back as another one: what the storage says, and when. */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Claim } from "../../src/domain/claim.ts";
import { createStorage, openDatabase } from "../../src/storage/create-storage.ts";
import { parseDsn } from "../../src/storage/dsn.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { partFillRecords, sampleBot, sampleIntent, sampleTerms } from "../contract/storage-samples.ts";
import { startCutProxy } from "../support/cut-proxy.ts";
import type { DatabaseServer } from "../support/servers/database-server.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import type { ServerProgram } from "../support/servers/private-server.ts";
import { describeWithServers, freePort } from "../support/servers/private-server.ts";

/** Of a server that is frozen. */
const LIMIT_MS = 3_000;
/** Where nothing is frozen, a slow machine is no outage. */
const LONG_LIMIT_MS = 30_000;
const bot = sampleBot();

describeOutages("postgres", startPostgres);
describeOutages("mariadbd", startMariadb);

function describeOutages(program: ServerProgram, start: () => Promise<DatabaseServer>): void {
  describeWithServers([program], `a storage whose ${program} server`, () => {
    let server: DatabaseServer;
    let dsn: string;
    let storage: Storage;
    let claim: Claim;

    beforeEach(async () => {
      server = await start();
      dsn = await server.createDatabase();
      storage = await createStorage(parseDsn(dsn), { limitMs: LONG_LIMIT_MS });
      claim = await storage.claim(bot.market, "me");
      await storage.createBot(claim, bot);
      await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
    });
    afterEach(async () => {
      await storage.close();
      await server.stop();
    });

    const intent = (slot: number) => storage.insertIntent(claim, bot, sampleIntent(bot, slot));
    const useBriefLimit = async (): Promise<void> => {
      await storage.close();
      storage = await createStorage(parseDsn(dsn), { limitMs: LIMIT_MS });
      await storage.loadLedger(bot);
    };

    it("is killed says so at once, knows that nothing was stored, and works again under a new claim", async () => {
      await server.crash();
      await expect(intent(2)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
      await expect(intent(2)).rejects.toMatchObject({
        code: "STORAGE_UNAVAILABLE",
        isOutcomeUnknown: false,
        message: expect.stringContaining(`127.0.0.1:${server.port}`),
      });
      await expect(storage.loadLedger(bot)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });

      await server.restart();

      claim = await storage.claim(bot.market, "me");
      expect(claim.epoch).toBe(2);
      expect(await intent(2)).toBe("stored");
      expect((await storage.loadLedger(bot)).working).toHaveLength(2);
    });

    it("was restarted while nobody asked refuses every write under the claims of before", async () => {
      await server.restart();
      // The first calls may still meet the dead connections.
      await untilAnswered(() => storage.ping());

      for (const write of [() => intent(2), () => storage.commit(claim, bot, [{ kind: "initialDone" }])]) {
        await expect(write()).rejects.toMatchObject({
          code: "STORAGE_UNAVAILABLE",
          isOutcomeUnknown: false,
          message: expect.stringContaining("claimed anew"),
        });
      }
      claim = await storage.claim(bot.market, "me");
      expect(await intent(2)).toBe("stored");
    });

    it("was restarted while nobody asked renews the claims that were taken since, and tells of the others", async () => {
      const idle = await storage.claim(sampleBot("bot0000002", "ETH/USDT").market, "me");
      await server.restart();
      await untilAnswered(() => storage.ping());
      expect(await storage.renewClaims([claim, idle], 60_000)).toEqual([]);

      claim = await storage.claim(bot.market, "me");

      expect(await storage.renewClaims([claim, idle], 60_000)).toEqual([claim]);
    });

    it("freezes is given up after the limit, and what was asked of it counts as unknown", async () => {
      await useBriefLimit();
      server.signal("SIGSTOP");
      const asked = performance.now();

      const write = await intent(2).catch((error: unknown) => error);
      const took = performance.now() - asked;
      const next = await storage.ping().catch((error: unknown) => error);
      server.signal("SIGCONT");

      expect(write).toMatchObject({ code: "STORAGE_UNAVAILABLE", isOutcomeUnknown: true });
      expect(next).toMatchObject({ code: "STORAGE_UNAVAILABLE", isOutcomeUnknown: false });
      expect(took).toBeLessThan(LIMIT_MS + 5_000);
      claim = await untilAnswered(() => storage.claim(bot.market, "me"));
      expect(["stored", "taken"]).toContain(await intent(2));
    });

    it("freezes within a step stores nothing of it, and says that for certain", async () => {
      await useBriefLimit();
      const before = await storage.loadLedger(bot);
      const records = partFillRecords(sampleTerms(bot, 1), "t1");

      // Frozen while the transaction waits for the claim's row: long before its end was asked for.
      server.signal("SIGSTOP");
      const failure = await storage.commit(claim, bot, records).catch((error: unknown) => error);
      server.signal("SIGCONT");

      expect(failure).toMatchObject({ code: "STORAGE_UNAVAILABLE", isOutcomeUnknown: false });
      claim = await untilAnswered(() => storage.claim(bot.market, "me"));
      expect(await storage.loadLedger(bot)).toEqual(before);
      expect(await storage.commit(claim, bot, records)).toBe("stored");
    });

    it("was put back to an older copy is noticed: nothing is written before a new claim", async () => {
      await server.crash();
      const [data, copy] = [join(server.folder, "data"), join(server.folder, "copy")];
      copyFolder(data, copy);
      await server.restart();
      claim = await untilAnswered(() => storage.claim(bot.market, "me"));
      expect(await intent(2)).toBe("stored");

      await server.crash();
      rmSync(data, { recursive: true });
      copyFolder(copy, data);
      await server.restart();

      const failure = await untilDifferent(() => intent(3));
      expect(failure).toMatchObject({ code: "STORAGE_UNAVAILABLE", isOutcomeUnknown: false });
      claim = await storage.claim(bot.market, "me");
      expect(claim.epoch).toBe(2);
      expect((await storage.loadLedger(bot)).working).toHaveLength(1);
    });

    it("is left at the close, also by one who asked it for nothing", async () => {
      const proxy = await startCutProxy(server.port);
      const database = await openDatabase(parseDsn(dsn.replace(/:\d+\//, `:${proxy.port}/`)));

      await database.close();

      await proxy.left();
      await proxy.close();
    });

    it("takes a COMMIT whose answer is lost leaves its outcome unknown; who claims anew reads it", async () => {
      const proxy = await startCutProxy(server.port);
      const cut = await createStorage(parseDsn(dsn.replace(/:\d+\//, `:${proxy.port}/`)), {
        limitMs: LONG_LIMIT_MS,
      });
      const records = partFillRecords(sampleTerms(bot, 1), "t1");
      claim = await cut.claim(bot.market, "me");

      proxy.cutAfter("commit");
      const failure = await cut.commit(claim, bot, records).catch((error: unknown) => error);

      expect(failure).toMatchObject({ code: "STORAGE_UNAVAILABLE", isOutcomeUnknown: true });
      claim = await cut.claim(bot.market, "me");
      expect((await cut.fillsOf(bot)).map(({ tradeId }) => tradeId)).toEqual(["t1"]);
      expect(await cut.commit(claim, bot, records)).toBe("duplicate");

      proxy.cutAfter("insert into");
      expect(
        await cut.insertIntent(claim, bot, sampleIntent(bot, 2)).catch((error: unknown) => error),
      ).toMatchObject({
        code: "STORAGE_UNAVAILABLE",
        isOutcomeUnknown: true,
      });
      await cut.close();
      await proxy.close();
    });

    it("is not the first of the address's hosts is found behind those that do not answer", async () => {
      const away = await freePort();
      const address = dsn.replace("@127.0.0.1:", `@127.0.0.1:${away},127.0.0.1:`);

      const other = await createStorage(parseDsn(address), { limitMs: LONG_LIMIT_MS });

      expect(await other.findBot(bot.market)).toEqual(bot);
      await other.close();
    });
  });
}

/** With its owner, whom the servers insist on. */
function copyFolder(from: string, to: string): void {
  execFileSync("cp", ["-a", from, to]);
}

/** Tries until the server answers again; dead connections fail first. */
async function untilAnswered<Result>(work: () => Promise<Result>): Promise<Result> {
  const deadline = performance.now() + LONG_LIMIT_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

/** The first failure that is not of a dead connection: of those whether something was written is unknown. */
async function untilDifferent(work: () => Promise<unknown>): Promise<unknown> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const failure = await work().then(
      (result) => {
        throw new Error(`answered ${String(result)}`);
      },
      (error: unknown) => error,
    );
    if (String(failure).includes("claimed anew")) return failure;
  }
  throw new Error("no failure told of another server");
}

describe("a storage on an address where nobody listens", () => {
  it.each(["postgres", "mysql"])("names the %s host and the database, and no password", async (scheme) => {
    const port = await freePort();

    const opening = createStorage(parseDsn(`${scheme}://bot:canary@127.0.0.1:${port}/fleet`));

    const error: unknown = await opening.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "STORAGE_UNAVAILABLE", isOutcomeUnknown: false });
    expect(String(error)).toContain(`${scheme} database "fleet" on 127.0.0.1:${port}`);
    expect(String(error)).toContain("ECONNREFUSED");
    expect(String(error)).not.toContain("canary");
  });
});
