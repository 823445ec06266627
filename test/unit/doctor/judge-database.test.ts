/** What is said of a database server that keeps intents and fills. */
import { describe, expect, it } from "vitest";
import type { ServerFacts } from "../../../src/storage/judge-database.ts";
import { judgeServer } from "../../../src/storage/judge-database.ts";

const TRIP = { sent: 1_000, received: 1_002, told: 1_001 };
const POSTGRES: ServerFacts = {
  type: "postgres",
  trips: [TRIP],
  settings: new Map([
    ["server_version", "15.6 (Debian 15.6-0)"],
    ["fsync", "on"],
    ["synchronous_commit", "on"],
    ["full_page_writes", "on"],
    ["default_transaction_isolation", "read committed"],
    ["default_transaction_read_only", "off"],
    ["max_connections", "100"],
    ["superuser_reserved_connections", "3"],
  ]),
  connections: 4,
  foreignTables: [],
};
const MARIADB: ServerFacts = {
  ...POSTGRES,
  type: "mysql",
  settings: new Map([
    ["version", "10.11.6-MariaDB-0+deb12u1"],
    ["innodb_flush_log_at_trx_commit", "1"],
    ["innodb_flush_method", "O_DIRECT"],
    ["innodb_doublewrite", "ON"],
    ["log_bin", "OFF"],
    ["sync_binlog", "0"],
    ["max_connections", "151"],
  ]),
};
const NEEDS = { instances: 2, poolSize: 10 };

function changed(facts: ServerFacts, changes: Readonly<Record<string, string>>): ServerFacts {
  return { ...facts, settings: new Map([...facts.settings, ...Object.entries(changes)]) };
}

function worst(facts: ServerFacts, needs = NEEDS): string[] {
  return judgeServer(facts, needs)
    .filter(({ level }) => level !== "ok")
    .map(({ check, level }) => `${level} ${check}`);
}

describe("a PostgreSQL server", () => {
  it("is good with its own defaults, with what was measured", () => {
    expect(judgeServer(POSTGRES, NEEDS)).toEqual([
      { check: "database.reach", level: "ok", says: "postgres 15.6, answers in 2.0 ms" },
      { check: "database.durability", level: "ok", says: "fsync on, synchronous_commit on" },
      { check: "database.isolation", level: "ok", says: "default_transaction_isolation is read committed" },
      { check: "database.connections", level: "ok", says: "2 × 10 of 97 (4 are open now)" },
      { check: "database.clock", level: "ok", says: "0 ms ahead of this computer's (± 1.0 ms)" },
    ]);
  });

  it.each([
    ["does not sync", { fsync: "off" }, "fault database.durability"],
    ["answers before the disk has it", { synchronous_commit: "off" }, "fault database.durability"],
    ["may tear pages", { full_page_writes: "off" }, "fault database.durability"],
    ["isolates more", { default_transaction_isolation: "repeatable read" }, "fault database.isolation"],
    ["takes no writes by default", { default_transaction_read_only: "on" }, "fault database.reach"],
    ["has too few connections", { max_connections: "22" }, "fault database.connections"],
    ["is too old", { server_version: "12.18" }, "fault database.reach"],
  ])("that %s is told of", (_, changes, expected) => {
    expect(worst(changed(POSTGRES, changes))).toEqual([expected]);
  });

  it("whose clock is off by more than the answer took is told of, but is no fault", () => {
    const trip = { sent: 1_000, received: 1_400, told: 2_399 };
    expect(worst({ ...POSTGRES, trips: [trip, { ...trip, received: 9_000 }] })).toEqual([
      "warn database.reach",
    ]);
    expect(worst({ ...POSTGRES, trips: [{ ...trip, told: 2_500 }] })).toEqual([
      "warn database.reach",
      "warn database.clock",
    ]);
  });

  it("needs room for the pool of each instance", () => {
    expect(worst(POSTGRES, { instances: 9, poolSize: 10 })).toEqual([]);
    const finding = judgeServer(POSTGRES, { instances: 10, poolSize: 10 }).find(
      ({ level }) => level === "fault",
    );
    expect(finding).toMatchObject({
      remedy: "raise the server's max_connections to 113, or lower database.max_open_conns to 9",
    });
  });
});

describe("a MariaDB server", () => {
  it("is good with its own defaults", () => {
    expect(worst(MARIADB)).toEqual([]);
    expect(judgeServer(MARIADB, NEEDS)[0]?.says).toBe("mariadb 10.11.6, answers in 2.0 ms");
  });

  it.each([
    ["syncs once a second", { innodb_flush_log_at_trx_commit: "2" }],
    ["never syncs", { innodb_flush_method: "nosync" }],
    ["may tear pages", { innodb_doublewrite: "OFF" }],
    ["writes a binary log that it does not sync", { log_bin: "ON" }],
  ])("that %s is told of", (_, changes) => {
    expect(worst(changed(MARIADB, changes))).toEqual(["fault database.durability"]);
  });

  it("that keeps tables without transactions is told of, and which", () => {
    const findings = judgeServer({ ...MARIADB, foreignTables: ["fills", "orders"] }, NEEDS);
    expect(findings.filter(({ level }) => level === "fault")).toMatchObject([
      {
        says: expect.stringContaining("fills, orders"),
        remedy: expect.stringContaining("alter table fills engine = InnoDB"),
      },
    ]);
  });

  it.each([
    ["10.5.9-MariaDB", "fault database.reach"],
    ["5.7.44", "fault database.reach"],
  ])("of version %s is too old", (version, expected) => {
    expect(worst(changed(MARIADB, { version }))).toEqual([expected]);
  });

  it.each(["10.6.1-MariaDB", "11.4.2-MariaDB", "8.0.36"])("of version %s is new enough", (version) => {
    expect(worst(changed(MARIADB, { version }))).toEqual([]);
  });
});
