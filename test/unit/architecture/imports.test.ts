/** The import table of the architecture, held against every source file. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import type { SourceFile } from "./import-rules.ts";
import { RULES, findViolations } from "./import-rules.ts";

const SRC = join(import.meta.dirname, "../../../src");

describe("the sources", () => {
  const files = readSources();

  it("import only what the table of the architecture allows", () => {
    expect(files.length).toBeGreaterThan(0);
    expect(findViolations(files)).toEqual([]);
  });

  it("lie in folders that the table knows, and each rule but those of folders to come has files", () => {
    const withoutFiles = RULES.filter(({ under }) => !files.some(({ path }) => path.startsWith(under)));
    expect(withoutFiles.map(({ under }) => under)).toEqual([]);
  });

  it("contain no barrel: no file only passes on what others export", () => {
    const barrels = files.filter(({ path }) => isBarrel(path, readFileSync(join(SRC, path), "utf8")));
    expect(barrels.map(({ path }) => path)).toEqual([]);
  });
});

describe("the check of imports", () => {
  const others: SourceFile[] = [
    "domain/order.ts",
    "strategy/step.ts",
    "venue/matching/venue.ts",
    "venue/market/walk.ts",
    "exchange/exchange.ts",
    "exchange/sim/sim-market.ts",
    "lock/lock.ts",
    "lock/memory-lock.ts",
    "storage/storage.ts",
    "storage/sqlite.ts",
    "runner/mailbox.ts",
    "coordination/permit.ts",
  ].map((path) => ({ path, imports: [] }));

  it.each([
    ["domain/a.ts", "../strategy/step.ts"],
    ["domain/a.ts", "node:fs"],
    ["domain/a.ts", "zod"],
    ["strategy/a.ts", "../venue/matching/venue.ts"],
    ["strategy/a.ts", "../exchange/exchange.ts"],
    ["strategy/a.ts", "node:crypto"],
    ["venue/matching/a.ts", "node:fs"],
    ["venue/matching/a.ts", "../market/walk.ts"],
    ["venue/market/a.ts", "../../strategy/step.ts"],
    ["venue/market/a.ts", "ws"],
    ["exchange/a.ts", "../venue/matching/venue.ts"],
    ["exchange/sim/a.ts", "ccxt"],
    ["exchange/ccxt/a.ts", "rate-limiter-flexible"],
    ["exchange/limits/a.ts", "ioredis"],
    ["exchange/sim/a.ts", "../../strategy/step.ts"],
    ["lock/a.ts", "../storage/sqlite.ts"],
    ["storage/a.ts", "../lock/lock.ts"],
    ["coordination/a.ts", "../strategy/step.ts"],
    ["coordination/a.ts", "node:fs"],
    ["runner/a.ts", "../storage/sqlite.ts"],
    ["runner/a.ts", "../lock/memory-lock.ts"],
    ["runner/a.ts", "../exchange/sim/sim-market.ts"],
    ["runner/a.ts", "node:timers"],
    ["backtest/a.ts", "../runner/mailbox.ts"],
    ["backtest/a.ts", "../exchange/exchange.ts"],
    ["observe/a.ts", "../strategy/step.ts"],
    ["config/a.ts", "pino"],
    ["cli/a.ts", "pino"],
    ["cli/a.ts", "fs"],
    ["cli/a.ts", "../domain/not-there.ts"],
    ["somewhere/a.ts", "../domain/order.ts"],
  ])("refuses %s importing %s", (path, specifier) => {
    expect(findViolations([...others, { path, imports: [specifier] }])).toHaveLength(1);
  });

  it.each([
    ["strategy/a.ts", "../domain/order.ts"],
    ["exchange/sim/a.ts", "../../venue/matching/venue.ts"],
    ["exchange/sim/a.ts", "../exchange.ts"],
    ["exchange/ccxt/a.ts", "ccxt"],
    ["exchange/limits/a.ts", "rate-limiter-flexible"],
    ["venue/server/a.ts", "ws"],
    ["lock/a.ts", "../storage/storage.ts"],
    ["storage/a.ts", "kysely/helpers/sqlite"],
    ["runner/a.ts", "../lock/lock.ts"],
    ["backtest/a.ts", "../venue/market/walk.ts"],
    ["cli/a.ts", "../storage/sqlite.ts"],
    ["cli/a.ts", "node:process"],
  ])("lets %s import %s", (path, specifier) => {
    expect(findViolations([...others, { path, imports: [specifier] }])).toEqual([]);
  });

  it("refuses a second file of coordination on the network", () => {
    const two = ["a", "b"].map((name) => ({ path: `coordination/${name}.ts`, imports: ["node:net"] }));
    expect(findViolations(two)).toEqual([
      "coordination/a.ts, coordination/b.ts: only one file of coordination/ may use node:net, node:tls",
    ]);
  });

  it("sees a barrel in a file of nothing but re-exports, and none in a file with a type of its own", () => {
    expect(isBarrel("a.ts", 'export { b } from "./b.ts";\nexport * from "./c.ts";')).toBe(true);
    expect(isBarrel("a.ts", 'import { b } from "./b.ts";\nexport { b };')).toBe(true);
    expect(isBarrel("a.ts", 'export type { B } from "./b.ts";\nexport interface C {}')).toBe(false);
  });
});

function readSources(): readonly SourceFile[] {
  return readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".ts"))
    .map((path) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(SRC, path), "utf8"), true, true);
      return { path, imports: importedFiles.map(({ fileName }) => fileName) };
    });
}

function isBarrel(path: string, text: string): boolean {
  const { statements } = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  return (
    statements.some(ts.isExportDeclaration) &&
    statements.every((statement) => ts.isExportDeclaration(statement) || ts.isImportDeclaration(statement))
  );
}
