/** A claim that its holder, who lives and has a seat, did not release: its word that it let go is enough. */
import { rmSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SeatClaims } from "../../../src/coordination/seat-claims.ts";
import type { Claim } from "../../../src/domain/claim.ts";
import { realClock } from "../../../src/exchange/sim/real-clock.ts";
import { createStorage } from "../../../src/storage/create-storage.ts";
import { parseDsn } from "../../../src/storage/dsn.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { serverFolder } from "../../support/servers/private-server.ts";
import { sampleMarket } from "../../contract/storage-samples.ts";

const MARKET = sampleMarket();
/** Less than the time after which a holder that lives is overruled. */
const AT_ONCE_MS = 5000;
const OF_ANOTHER_FLEET = "other 1";

let folder: string;
let storage: Storage;
let heir: SeatClaims;
let held: Claim;
let stopping: AbortController;
beforeEach(async () => {
  folder = serverFolder("let-go");
  storage = await createStorage(parseDsn(`${folder}/claims.db`, "sqlite"));
  stopping = new AbortController();
  const hasSeat = (holder: string): boolean => holder !== OF_ANOTHER_FLEET;
  const fleet = { permit: { isValid: () => true }, owns: () => true, hasSeat };
  heir = new SeatClaims(storage, "heir 1", realClock, fleet);
  held = await new SeatClaims(storage, "old 1", realClock, fleet).take(MARKET, stopping.signal);
});
afterEach(async () => {
  stopping.abort();
  await storage.close();
  rmSync(folder, { recursive: true });
});

/** The claim, or that it was not to be had before the holder would be overruled. */
const taken = async (): Promise<Claim | "waits"> => {
  const late = setTimeout(() => stopping.abort(), AT_ONCE_MS);
  try {
    return await heir.take(MARKET, stopping.signal);
  } catch {
    return "waits";
  } finally {
    clearTimeout(late);
  }
};

it("is void for whoever waits", async () => {
  const waiting = taken();
  heir.released([MARKET.symbol], "old 1");

  expect(await waiting).toMatchObject({ epoch: held.epoch + 1, holder: "heir 1" });
});

it("is void for who begins to wait later", async () => {
  heir.released([MARKET.symbol], "old 1");

  expect(await taken()).toMatchObject({ epoch: held.epoch + 1 });
});

it("is not void on anybody else's word", async () => {
  heir.released([MARKET.symbol], "old 2");
  setTimeout(() => stopping.abort(), 500);

  expect(await taken()).toBe("waits");
});

it("is not void where the symbol was traded again since", async () => {
  heir.released([MARKET.symbol], "old 1");
  heir.traded(MARKET.symbol);
  setTimeout(() => stopping.abort(), 500);

  expect(await taken()).toBe("waits");
});

it("is not void because another fleet's claim is, of the same symbol on another account of this database", async () => {
  const theirs = await storage.claim({ ...MARKET, account: "other" }, OF_ANOTHER_FLEET);
  expect(theirs.epoch).toBe(held.epoch);
  await heir.warm();
  setTimeout(() => stopping.abort(), 500);

  expect(await taken()).toBe("waits");
});
