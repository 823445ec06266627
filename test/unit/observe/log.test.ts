/** What a log line looks like, and what it never holds. */
import { describe, expect, it } from "vitest";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import type { Log } from "../../../src/domain/log.ts";
import type { LogLevel } from "../../../src/observe/log.ts";
import { createLog } from "../../../src/observe/log.ts";

/** A log and the lines that it has written. */
function listen(level: LogLevel): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ level, stream: { write: (line) => void lines.push(line) } }), lines };
}

/** The one line that `write` logs, as data. */
function lineOf(level: LogLevel, write: (log: Log) => void): Readonly<Record<string, unknown>> {
  const { log, lines } = listen(level);
  write(log);
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? "") as Record<string, unknown>;
}

describe("a log", () => {
  it("writes one JSON line with the level's name, ISO time, fields and event", () => {
    const line = lineOf("info", (log) => log.warn({ symbol: "BTC/USDT", slot: 3 }, "order.placed"));

    expect(line).toEqual({
      level: "warn",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      symbol: "BTC/USDT",
      slot: 3,
      event: "order.placed",
    });
  });

  it("writes nothing below its level", () => {
    const { log, lines } = listen("warn");

    log.info({}, "quiet");
    log.child({ a: 1 }).debug({}, "quiet");
    log.error({}, "loud");

    expect(lines).toHaveLength(1);
  });

  it("writes bigints as exact decimal text, also inside lists, maps and sets", () => {
    const big = 123456789012345678901234567890n;
    const line = lineOf("info", (log) =>
      log.info({ a: big, b: [big], c: new Map([["x", big]]), d: new Set([1n]) }, "amounts"),
    );

    expect(line).toMatchObject({ a: String(big), b: [String(big)], c: { x: String(big) }, d: ["1"] });
  });

  it.each([
    "secret",
    "secret_key",
    "password",
    "api_key",
    "apiKey",
    "X-MBX-APIKEY",
    "token",
    "signature",
    "passphrase",
    "privateKey",
    "authorization",
  ])("redacts %s at any depth", (key) => {
    const { log, lines } = listen("debug");

    log.child({ [key]: "hunter2" }).info({ a: { b: [{ [key]: { deep: "hunter2" } }] } }, "e");
    log.info({ m: new Map([[key, "hunter2"]]), [key]: "hunter2" }, "e");

    expect(lines.join("")).not.toContain("hunter2");
    expect(lines.join("").match(/\[redacted\]/g)).toHaveLength(4);
  });

  it.each([
    "connect redis://user:hunter2@localhost:6379 failed",
    "GET https://x.io/order?symbol=BTCUSDT&signature=hunter2&x=1 failed",
    'answer {"apiKey":"hunter2","code":1}',
    "password: hunter2",
  ])("redacts what texts and errors quote: %s", (text) => {
    const { log, lines } = listen("debug");

    log.info({ text, error: new Error("outer", { cause: new Error(text) }), thrown: new Error(text) }, "e");

    expect(lines.join("")).not.toContain("hunter2");
    expect(lines.join("")).toContain("[redacted]");
  });

  it("writes an error as its code, message and cause, and its stack only at debug", () => {
    const error = new QuantmeshError("LEASE_LOST", "gone", { cause: new RangeError("far") });

    const brief = lineOf("info", (log) => log.error({ error }, "failed"));
    const full = lineOf("debug", (log) => log.error({ error }, "failed"));

    expect(brief["error"]).toEqual({
      code: "LEASE_LOST",
      message: "gone",
      cause: { code: "RangeError", message: "far" },
    });
    expect(full["error"]).toMatchObject({
      code: "LEASE_LOST",
      stack: expect.stringContaining("log.test.ts"),
    });
  });

  it("writes a child's fields on every line, and the line's own over them", () => {
    const line = lineOf("info", (log) => log.child({ symbol: "A", bot: "b" }).info({ symbol: "C" }, "e"));

    expect(line).toMatchObject({ symbol: "C", bot: "b" });
  });

  it("never lets a field hide the line's own level, time or event", () => {
    const line = lineOf("info", (log) => log.info({ level: 29_000, time: 1, event: "x" }, "tick"));

    expect(line).toMatchObject({ level: "info", level_: 29_000, time_: 1, event_: "x", event: "tick" });
  });

  it("ends at eight levels, so that a value that holds itself is written too", () => {
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;

    const line = lineOf("info", (log) => log.info({ loop }, "e"));

    expect(JSON.stringify(line)).toContain("[too deep]");
  });
});
