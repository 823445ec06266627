/** The storage contract on every database, and what only a file can do: survive its process. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createStorage } from "../../src/storage/create-storage.ts";
import { parseDsn } from "../../src/storage/dsn.ts";
import type { DatabaseServer } from "../support/servers/database-server.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import type { ServerProgram } from "../support/servers/private-server.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import { describeStorage } from "./describe-storage.ts";
import { partFillRecords, sampleBot, sampleFill, sampleIntent, sampleTerms } from "./storage-samples.ts";

describeStorage("sqlite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-storage-"));
  return {
    open: () => createStorage({ type: "sqlite", file: join(folder, "quantmesh.sqlite") }),
    end: async () => rmSync(folder, { recursive: true }),
  };
});

describeOnServer("postgres", "postgresql", startPostgres);
describeOnServer("mariadbd", "mariadb", startMariadb);

const EMPTY_TABLES = [
  "reservations",
  "balances",
  "locks",
  "delivered_fills",
  "daily_totals",
  "events",
  "trades",
  "fills",
  "orders",
  "slots",
  "bots",
  "claims",
  "meta",
].map((table) => `delete from ${table}`);

/** One server and one schema for all cases: each leaves its tables empty. */
function describeOnServer(program: ServerProgram, name: string, start: () => Promise<DatabaseServer>): void {
  describeWithServers([program], `on a private ${name} server`, () => {
    let server: DatabaseServer;
    let dsn: string;
    beforeAll(async () => {
      server = await start();
      dsn = await server.createDatabase();
    });
    afterAll(() => server.stop());

    describeStorage(name, async () => ({
      open: () => createStorage(parseDsn(dsn)),
      end: () => server.run(EMPTY_TABLES, dsn),
    }));
  });
}

describe("an SQLite file whose process was killed", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-storage-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("opens with every intent and fill that the process was told is stored", async () => {
    const file = join(folder, "quantmesh.sqlite");
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", WRITER, file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    expect(await exited).toEqual([null, "SIGKILL"]);

    const bot = sampleBot();
    const storage = await createStorage({ type: "sqlite", file });

    const ledger = await storage.loadLedger(bot);
    expect(ledger.working.map(({ order }) => [order.terms.id, order.kind])).toEqual([
      [sampleTerms(bot, 1).id, "open"],
      [sampleTerms(bot, 2).id, "pending"],
    ]);
    expect(await storage.fillsOf(bot)).toEqual([sampleFill(sampleTerms(bot, 1), "t1")]);
    const claim = await storage.claim(bot.market, "successor");
    expect(claim.epoch).toBe(2);
    expect(await storage.insertIntent(claim, bot, sampleIntent(bot, 2, "buy", 2))).toBe("taken");
    expect(await storage.commit(claim, bot, partFillRecords(sampleTerms(bot, 1), "t1"))).toBe("duplicate");
    await storage.close();
  });
});

/** Stores two intents and a fill, says so, and lives on with the database open. */
const WRITER = `
  import { createStorage } from ${source("../../src/storage/create-storage.ts")};
  import { partFillRecords, sampleBot, sampleIntent, sampleTerms } from ${source("./storage-samples.ts")};
  const bot = sampleBot();
  const storage = await createStorage({ type: "sqlite", file: process.argv[1] });
  const claim = await storage.claim(bot.market, "victim");
  await storage.createBot(claim, bot);
  await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
  await storage.commit(claim, bot, partFillRecords(sampleTerms(bot, 1), "t1"));
  await storage.insertIntent(claim, bot, sampleIntent(bot, 2));
  console.log("stored");
  setInterval(() => {}, 1_000);
`;

function source(path: string): string {
  return JSON.stringify(new URL(path, import.meta.url).href);
}
