/** How checks are run and shown: side by side, each with a limit, without secrets. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { judgeClock } from "../../../src/cli/doctor/check-exchange.ts";
import type { DiskFacts } from "../../../src/cli/doctor/check-disk.ts";
import { judgeDisk } from "../../../src/cli/doctor/check-disk.ts";
import { findingsAsJson, formatFindings } from "../../../src/cli/doctor/format-findings.ts";
import type { Check } from "../../../src/cli/doctor/run-checks.ts";
import { runChecks } from "../../../src/cli/doctor/run-checks.ts";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import { CHECKS, fault, ok, warn } from "../../../src/domain/finding.ts";

const FINDINGS = [
  ok("config", "all is well"),
  warn("machine", "few files", "raise it"),
  fault("database.reach", "postgres://bob:canary@h refuses\npassword=canary", "set database.dsn"),
];

describe("what was found", () => {
  it("is a line each, with the remedy below and the numbers last", () => {
    expect(formatFindings(FINDINGS.slice(0, 2))).toBe(
      [
        "✓ config   all is well",
        "! machine  few files",
        "           → raise it",
        "",
        "0 faults, 1 warning, 2 checks",
      ].join("\n"),
    );
  });

  it("never shows what a message holds of secrets, nor breaks its line", () => {
    const shown = [formatFindings(FINDINGS), findingsAsJson("file", FINDINGS)];
    for (const text of shown) expect(text).not.toContain("canary");
    expect(shown[0]).toContain("✗ database.reach  postgres://[redacted]@h refuses password=[redacted]");
  });

  it("is one object for scripts", () => {
    expect(JSON.parse(findingsAsJson("file", FINDINGS.slice(0, 2)))).toEqual({
      config: "file",
      faults: 0,
      warnings: 1,
      findings: [
        { check: "config", level: "ok", says: "all is well" },
        { check: "machine", level: "warn", says: "few files", remedy: "raise it" },
      ],
    });
  });
});

describe("checks", () => {
  const check = (run: Check["run"], limitMs = 60_000): Check => ({
    check: "config",
    what: "this",
    remedy: "do that",
    limitMs,
    run,
  });

  it("keep their order, and one that fails or hangs keeps no other from its answer", async () => {
    const { findings, isUnfinished } = await runChecks([
      check(async () => new Promise(() => undefined), 1),
      check(async () => {
        throw new QuantmeshError("EXCHANGE_UNAVAILABLE", "nobody there");
      }),
      check(async () => {
        throw new TypeError("x is undefined");
      }),
      check(async () => [ok("config", "fine")]),
    ]);

    expect(isUnfinished).toBe(true);
    expect(findings).toEqual([
      fault("config", "this: no answer within 0.001 s", "do that"),
      fault("config", "this: nobody there", "do that"),
      fault("config", "this: unexpected: x is undefined", "do that"),
      ok("config", "fine"),
    ]);
  });

  it("that all end leave nothing unfinished", async () => {
    expect(await runChecks([check(async () => [])])).toEqual({ findings: [], isUnfinished: false });
  });
});

describe("a clock", () => {
  const trip = (aheadMs: number, tookMs = 20) => ({ sent: 0, received: tookMs, told: tookMs / 2 + aheadMs });

  it.each([
    [trip(100), "ok"],
    [trip(-300), "warn"],
    [trip(1_100), "fault"],
    [trip(-10_000), "fault"],
    // It may as well be the way that took so long.
    [trip(1_100, 4_000), "ok"],
  ])("%o is %s for requests that live a second", (one, level) => {
    expect(judgeClock([one, { ...one, received: 60_000 }], 1_000).level).toBe(level);
  });
});

describe("a disk", () => {
  const good: DiskFacts = { freeBytes: 20 * 2 ** 30, type: 0xef53, syncMs: 1 };
  const place = { what: "database", file: "q.db", key: "database.dsn", isDatabase: true };

  it.each([
    [{}, true, "ok"],
    [{ type: 0x6969 }, true, "fault"],
    [{ type: 0x6969 }, false, "warn"],
    [{ type: 0x01021994 }, true, "warn"],
    [{ freeBytes: 2 ** 29 }, true, "warn"],
    [{ freeBytes: 2 ** 20 }, false, "fault"],
    [{ syncMs: 80 }, true, "warn"],
  ])("with %o is judged (for a database: %s) %s", (changes, isDatabase, level) => {
    expect(judgeDisk({ ...place, isDatabase }, { ...good, ...changes }).level).toBe(level);
  });
});

describe("the list of checks", () => {
  const names = Object.keys(CHECKS);

  it("is what docs/doctor.md has, in its order and words", () => {
    const rows = readFileSync("docs/doctor.md", "utf8").matchAll(/^\| `([a-z.]+)` \| ([^|]+) \|/gm);
    const documented = [...rows].map(([, name, looks]) => [name, looks]);
    expect(documented).toEqual(Object.entries(CHECKS));
  });

  it("has no check that nothing makes", () => {
    const files = readdirSync("src", { recursive: true, encoding: "utf8" });
    const text = files
      .filter((file) => file.endsWith(".ts") && !file.endsWith("finding.ts"))
      .map((file) => readFileSync(join("src", file), "utf8"))
      .filter((source) => /finding\.ts"/.test(source))
      .join("\n");
    expect(names.filter((name) => !text.includes(`"${name}"`))).toEqual([]);
  });
});
