/** Which bots try a config version first, and what becomes of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CanaryReport, RollOut } from "../../../src/coordination/roll-out.ts";
import { canaryOf, isCanaryReport, judgeCanary, readRollOut } from "../../../src/coordination/roll-out.ts";

const symbolsOf = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `S${index}/USDT`);

const ROLL_OUT: RollOut = {
  version: 17,
  base: 16,
  percent: 10,
  windowMs: 60_000,
  maxErrors: 3,
  maxHalted: 0,
  isAutomatic: true,
  stoppedBefore: [],
  by: "ann",
  at: 1,
  state: { kind: "canary" },
};
const NO_TIME = { goodMs: 0, badMs: 0 };

function running(changes: Partial<Extract<CanaryReport, { kind: "running" }>> = {}): CanaryReport {
  return { kind: "running", version: 17, trading: [], stopped: [], errors: 0, ...changes };
}

describe("the bots of a canary", () => {
  it("are its share of 1 to 200 bots, within one, at least one and never more than that or the share", () => {
    const wrong: string[] = [];
    for (let bots = 1; bots <= 200; bots += 1) {
      const changed = symbolsOf(bots);
      for (let percent = 1; percent <= 100; percent += 1) {
        const canary = canaryOf(changed, 5, percent);
        const { length } = canary;
        const share = (bots * percent) / 100;
        const isRight = Math.abs(length - share) < 1 && length <= Math.max(1, share) && length >= 1;
        if (!isRight || new Set(canary).size !== length) wrong.push(`${percent} % of ${bots}: ${length}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("follow from version and symbols alone, in whatever order they are listed, and a larger share keeps the smaller", () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 60 });
    const percent = fc.integer({ min: 1, max: 100 });
    fc.assert(
      fc.property(names, fc.nat(1000), percent, percent, (symbols, version, one, other) => {
        const canary = canaryOf(symbols, version, one);
        expect(canaryOf(symbols.toReversed(), version, one)).toEqual(canary);
        expect(symbols).toEqual(expect.arrayContaining([...canary]));
        const larger = canaryOf(symbols, version, Math.max(one, other));
        expect(larger.slice(0, canary.length)).toEqual(canary);
      }),
    );
  });

  it("are other ones for other versions, so that no bot tries them all", () => {
    const changed = symbolsOf(50);
    const tried = new Set(
      Array.from({ length: 40 }, (_, version) => canaryOf(changed, version + 1, 10)).flat(),
    );
    expect(tried.size).toBeGreaterThan(45);
    expect(canaryOf([], 3, 50)).toEqual([]);
  });
});

describe("the judgement of a canary", () => {
  const expected = ["A", "B", "C"];

  it("waits for every bot to trade, wherever it is, then for the window, and lets all follow after it", () => {
    const partly = [running({ trading: ["A"] }), running({ version: 16, trading: ["B"] })];
    expect(judgeCanary(ROLL_OUT, expected, partly, NO_TIME)).toEqual({ kind: "wait", missing: ["B", "C"] });

    const all = [running({ trading: ["A"] }), running({ trading: ["B", "C"], errors: 3 })];
    const wait = { kind: "wait", missing: [] };
    expect(judgeCanary(ROLL_OUT, expected, all, { goodMs: 59_999, badMs: 0 })).toEqual(wait);
    expect(judgeCanary(ROLL_OUT, expected, all, { goodMs: 60_000, badMs: 0 })).toEqual({ kind: "promote" });
    const manual = { ...ROLL_OUT, isAutomatic: false };
    expect(judgeCanary(manual, expected, all, { goodMs: 99_999, badMs: 0 })).toEqual(wait);
  });

  it.each([
    [
      "a bot that halts, where none may",
      [running({ trading: ["A", "B"], stopped: [{ symbol: "C", why: "closed: stop_loss" }] })],
      NO_TIME,
      { trip: "halted", reason: "1 halted (at most 0): C (closed: stop_loss)" },
    ],
    [
      "more errors than are allowed, of all instances together",
      [running({ trading: ["A"], errors: 2 }), running({ trading: ["B", "C"], errors: 2 })],
      NO_TIME,
      { trip: "errors", reason: "4 errors (at most 3)" },
    ],
    [
      "an instance where it cannot run at all",
      [running({ trading: expected }), { kind: "refused", version: 17, reason: "bad tick" } as const],
      NO_TIME,
      { trip: "refused", reason: "it cannot run: bad tick" },
    ],
    [
      "a bot that does not trade for a whole window",
      [running({ trading: ["A", "C"] })],
      { goodMs: 0, badMs: 60_000 },
      { trip: "stuck", reason: "after 60 s these still do not trade: B" },
    ],
  ] satisfies [string, CanaryReport[], typeof NO_TIME, object][])(
    "rolls back at %s",
    (_, reports, timing, verdict) => {
      expect(judgeCanary(ROLL_OUT, expected, reports, timing)).toEqual({ kind: "rollBack", ...verdict });
    },
  );

  it("gives bots half a minute to start, however short the window", () => {
    const short = { ...ROLL_OUT, windowMs: 1000 };
    const waits = { kind: "wait", missing: expected };
    expect(judgeCanary(short, expected, [], { goodMs: 0, badMs: 29_999 })).toEqual(waits);
    expect(judgeCanary(short, expected, [], { goodMs: 0, badMs: 30_000 })).toMatchObject({ trip: "stuck" });
  });

  it("counts no report of another version, and no halted bot that is allowed", () => {
    const old = { kind: "running", version: 15, trading: [], stopped: [], errors: 99 } as const;
    const halted = running({ trading: ["A", "B"], stopped: [{ symbol: "C", why: "halted" }] });
    expect(
      judgeCanary({ ...ROLL_OUT, maxHalted: 1 }, expected, [old, halted], { goodMs: 60_000, badMs: 0 }),
    ).toEqual({ kind: "promote" });
  });

  it("names a few of many", () => {
    const stopped = symbolsOf(9).map((symbol) => ({ symbol, why: "halted" }));
    const verdict = judgeCanary(ROLL_OUT, [], [running({ stopped })], NO_TIME);
    expect(verdict).toMatchObject({ reason: expect.stringMatching(/^9 halted .*, 4 more$/) as string });
  });
});

describe("what is read back", () => {
  it("is a roll-out or a report of ours, and nothing else", () => {
    expect(readRollOut(JSON.stringify(ROLL_OUT))).toEqual(ROLL_OUT);
    for (const value of ["", "null", "7", JSON.stringify({ ...ROLL_OUT, base: "16" })])
      expect(readRollOut(value)).toBeUndefined();
    expect(readRollOut(JSON.stringify({ ...ROLL_OUT, state: { kind: "?" } }))).toBeUndefined();
    expect(isCanaryReport(running())).toBe(true);
    expect(isCanaryReport({ kind: "refused", version: 1, reason: "x" })).toBe(true);
    for (const record of [undefined, 7, {}, { ...running(), trading: "A" }, { ...running(), version: "1" }])
      expect(isCanaryReport(record)).toBe(false);
  });
});
