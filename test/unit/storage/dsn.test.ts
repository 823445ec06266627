/** Addresses of databases in all their forms, and what is said of wrong ones. */
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import type { DatabaseAddress, DatabaseType } from "../../../src/storage/dsn.ts";
import { describeAddress, parseDsn } from "../../../src/storage/dsn.ts";

const PASSWORD = "p@ss:w/o'rd";

/** The address with its password in clear. */
function plain(address: DatabaseAddress): unknown {
  return address.type === "sqlite" ? address : { ...address, password: address.password.reveal() };
}

const NO_TLS = { verify: "off", rootCertificate: undefined, certificate: undefined, key: undefined };
const BASE = { user: "bot", password: PASSWORD, database: "fleet", tls: NO_TLS, searchPath: undefined };

describe("parseDsn", () => {
  it.each<[string, DatabaseType, object]>([
    ["./data/quantmesh.db", "sqlite", { type: "sqlite", file: "./data/quantmesh.db" }],
    [":memory:", "sqlite", { type: "sqlite", file: ":memory:" }],
    ["file:./data/q.db", "sqlite", { type: "sqlite", file: "./data/q.db" }],
    ["sqlite:///var/q.db", "sqlite", { type: "sqlite", file: "/var/q.db" }],
    [
      "postgres://bot:p%40ss:w%2Fo'rd@db.example.org/fleet",
      "postgres",
      { ...BASE, type: "postgres", hosts: [{ host: "db.example.org", port: 5432 }] },
    ],
    [
      "postgresql://bot:p%40ss%3Aw%2Fo'rd@a:6000,b,[::1]:7000/fleet?sslmode=disable&application_name=x",
      "postgres",
      {
        ...BASE,
        type: "postgres",
        hosts: [
          { host: "a", port: 6000 },
          { host: "b", port: 5432 },
          { host: "::1", port: 7000 },
        ],
      },
    ],
    [
      "host=a,b port=6000,6001 user=bot password='p@ss:w/o\\'rd' dbname=fleet sslmode=disable TimeZone=UTC",
      "postgres",
      {
        ...BASE,
        type: "postgres",
        hosts: [
          { host: "a", port: 6000 },
          { host: "b", port: 6001 },
        ],
      },
    ],
    [
      "host=/run/postgresql user=bot dbname=fleet search_path=bots",
      "postgres",
      {
        ...BASE,
        type: "postgres",
        password: "",
        hosts: [{ host: "/run/postgresql", port: 5432 }],
        searchPath: "bots",
      },
    ],
    [
      "mysql://bot:p%40ss:w%2Fo'rd@db:3307/fleet",
      "mysql",
      { ...BASE, type: "mysql", hosts: [{ host: "db", port: 3307 }] },
    ],
    [
      `bot:${PASSWORD}@tcp(db:3307)/fleet?charset=utf8mb4&parseTime=True&loc=Local`,
      "mysql",
      { ...BASE, type: "mysql", hosts: [{ host: "db", port: 3307 }] },
    ],
    [
      `bot:${PASSWORD}@tcp(a,b:1)/fleet`,
      "mysql",
      {
        ...BASE,
        type: "mysql",
        hosts: [
          { host: "a", port: 3306 },
          { host: "b", port: 1 },
        ],
      },
    ],
    [
      `bot:${PASSWORD}@unix(/run/mysqld/mysqld.sock)/fleet`,
      "mysql",
      { ...BASE, type: "mysql", hosts: [{ host: "/run/mysqld/mysqld.sock", port: 3306 }] },
    ],
  ])("reads %s", (dsn, type, expected) => {
    expect(plain(parseDsn(dsn))).toEqual(expected);
    expect(parseDsn(dsn, type).type).toBe(type);
  });

  it.each([
    ["postgres://u@h/d?sslmode=require", "unverified"],
    ["postgres://u@h/d?sslmode=verify-ca", "authority"],
    ["postgres://u@h/d?sslmode=verify-full", "full"],
    ["postgres://u@h/d?sslrootcert=ca.pem", "full"],
    ["mysql://u@h/d?tls=skip-verify", "unverified"],
    ["u:p@tcp(h)/d?tls=true", "full"],
    ["u:p@tcp(h)/d?tls=false", "off"],
  ])("takes from %s how the server proves itself: %s", (dsn, verify) => {
    expect(parseDsn(dsn)).toMatchObject({ tls: { verify } });
  });

  it("keeps the password out of everything that shows the address", () => {
    const address = parseDsn("postgres://bot:canary@a,b:6000/fleet");

    expect(describeAddress(address)).toBe('postgres database "fleet" on a:5432, b:6000');
    expect(JSON.stringify(address) + inspect(address) + String(Object.values(address))).not.toContain(
      "canary",
    );
  });

  it.each<[string, DatabaseType | undefined, string]>([
    ["oracle://u:canary@h/d", undefined, '"oracle://" is no known kind of database'],
    ["./canary.db", "postgres", "this is a file path, and database.type is postgres: write postgres://user"],
    ["postgres://u:canary@h/d", "mysql", "this is an address of postgres, and database.type is mysql"],
    ["mysql://u:canary@h/d", "sqlite", "this is an address of mysql, and database.type is sqlite"],
    ["postgres://u:canary/x@h/d", undefined, "in a password write @ as %40"],
    ["postgres://u:p@canary@h/d", undefined, "in a password write @ as %40"],
    ["postgres://:canary@h/d", undefined, "the user is missing"],
    ["postgres://u:canary@h", undefined, "the name of the database is missing"],
    ["postgres://u:canary@h:99999/d", undefined, "99999 is not a port"],
    ["postgres://u:canary@h:x/d", undefined, "and its port a number, like db:5432"],
    ["postgres://u:canary@h/d?sslmode=prefer", undefined, "it may end up in clear unnoticed"],
    ["postgres://u:canary@h/d?ssl=1", undefined, '"ssl" is not an option of postgres; known: sslmode'],
    ["host=h user=u password=canary dbname=d sslmod=require", undefined, '"sslmod" is not an option'],
    ["host=h user=u password=canary 'x'", undefined, "not of the form host=… user=…"],
    [
      "u:canary@tcp(h)/d?tls=custom",
      undefined,
      'tls must be false, skip-verify, verify-ca or true, not "custom"',
    ],
    ["u:canary@tcp(10.0.0.1)/d?tls=true", undefined, "tls=true needs the host's name"],
    ["file:canary.db?mode=ro", undefined, 'options after "?" have no effect on SQLite'],
  ])("refuses %s (as %s), without repeating it", (dsn, type, reason) => {
    let thrown: unknown;
    try {
      parseDsn(dsn, type);
    } catch (error) {
      thrown = error;
    }

    expect(thrown).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining(reason) });
    expect(String(thrown)).toMatch(/database\.dsn: /);
    expect(String(thrown)).not.toContain("canary");
  });
});
