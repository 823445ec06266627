/** The lock contract on the lock table of all three databases. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { createStorage } from "../../src/storage/create-storage.ts";
import { parseDsn } from "../../src/storage/dsn.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { realLockService } from "../support/lock-service.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import { describeLock } from "./describe-lock.ts";

/** A quarter of it is the limit of a call: long enough for a busy machine. */
const TTL_MS = 20_000;
const LAG_MS = 100;

describe("locks in an SQLite file", () => {
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-locks-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  describeLocks("sqlite", () => createStorage({ type: "sqlite", file: join(folder, "locks.sqlite") }));
});

describeWithServers(["postgres"], "locks in a private postgresql", () => {
  let dsn = "";
  const ends: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    const server = await startPostgres();
    ends.push(() => server.stop());
    dsn = await server.createDatabase();
  });
  afterAll(() => Promise.all(ends.map((end) => end())));

  describeLocks("postgresql", () => createStorage(parseDsn(dsn)));
});

describeWithServers(["mariadbd"], "locks in a private mariadb", () => {
  let dsn = "";
  const ends: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    const server = await startMariadb();
    ends.push(() => server.stop());
    dsn = await server.createDatabase();
  });
  afterAll(() => Promise.all(ends.map((end) => end())));

  describeLocks("mariadb", () => createStorage(parseDsn(dsn)));
});

/** The storage is shared by all cases, as it is by all bots of an instance. */
function describeLocks(name: string, open: () => Promise<Storage>): void {
  let storage: Storage;
  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage.close());

  describeLock(`${name} table`, async () =>
    realLockService((prefix) => ({ type: "database", storage, prefix, maxTtlMs: TTL_MS }), LAG_MS),
  );
}
