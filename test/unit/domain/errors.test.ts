/** Errors: a closed set of codes, each with one policy. */
import { describe, expect, it } from "vitest";
import { assertNever, invariant } from "../../../src/domain/assert.ts";
import type { ErrorCode, ErrorPolicy } from "../../../src/domain/errors.ts";
import { ERROR_POLICIES, QuantmeshError, hasCode, policyFor } from "../../../src/domain/errors.ts";

describe("policyFor", () => {
  it.each<[ErrorCode, ErrorPolicy]>([
    ["CONFIG_INVALID", "exit"],
    ["EXCHANGE_AUTH", "haltAccount"],
    ["EXCHANGE_UNAVAILABLE", "backOff"],
    ["RATE_LIMITED", "backOff"],
    ["ORDER_REJECTED", "idleSlot"],
    ["INSUFFICIENT_FUNDS", "idleSlot"],
    ["OUTCOME_UNKNOWN", "resolve"],
    ["LOCK_UNAVAILABLE", "stopSending"],
    ["LEASE_LOST", "stopSending"],
    ["STALE_EPOCH", "stopSending"],
    ["STORAGE_UNAVAILABLE", "stopSending"],
    ["INVARIANT", "haltBot"],
  ])("answers %s with %s", (code, policy) => {
    expect(policyFor(new QuantmeshError(code, "x"))).toBe(policy);
  });

  it("takes anything that is not ours for a bug: one bot halts", () => {
    for (const error of [new Error("x"), new TypeError("x"), "text", undefined, { code: "RATE_LIMITED" }]) {
      expect(policyFor(error)).toBe("haltBot");
    }
  });

  it("knows every code", () => {
    for (const code of Object.keys(ERROR_POLICIES) as ErrorCode[]) {
      expect(policyFor(new QuantmeshError(code, "x"))).toBe(ERROR_POLICIES[code]);
    }
  });
});

describe("a QuantmeshError", () => {
  it("carries its code, its name and its cause", () => {
    const cause = new Error("socket closed");
    const error = new QuantmeshError("EXCHANGE_UNAVAILABLE", "no answer", { cause });
    expect(error).toMatchObject({
      name: "QuantmeshError",
      code: "EXCHANGE_UNAVAILABLE",
      message: "no answer",
    });
    expect(error.cause).toBe(cause);
    expect(error).toBeInstanceOf(Error);
  });

  it("is recognized by its code only, and a foreign error with the same code is not", () => {
    const error = new QuantmeshError("STALE_EPOCH", "x");
    expect(hasCode(error, "STALE_EPOCH")).toBe(true);
    expect(hasCode(error, "LEASE_LOST")).toBe(false);
    expect(hasCode(Object.assign(new Error("x"), { code: "STALE_EPOCH" }), "STALE_EPOCH")).toBe(false);
  });
});

describe("our own bugs", () => {
  it("stop with what was believed", () => {
    expect(() => invariant(false, "position is never negative")).toThrow(
      expect.objectContaining({ code: "INVARIANT", message: "position is never negative" }),
    );
    expect(() => invariant(true, "")).not.toThrow();
  });

  it("stop on a variant that nobody thought of", () => {
    expect(() => assertNever({ kind: "other" } as never)).toThrow(
      expect.objectContaining({ code: "INVARIANT", message: 'unexpected variant {"kind":"other"}' }),
    );
  });
});
