/** What is believed of a peer after each sign, and what is done about it. */
import { describe, expect, it } from "vitest";
import type { Belief, Sign } from "../../../src/coordination/suspicion.ts";
import { UNHEARD, believe, judge } from "../../../src/coordination/suspicion.ts";

const LIMITS = { silenceMs: 300, refuteMs: 200, trustMs: 1000, longestTrustMs: 4000 };
const after = (...signs: readonly Sign[]): Belief =>
  signs.reduce((belief, sign) => believe(belief, sign, LIMITS), UNHEARD);
const beat = (at: number): Sign => ({ kind: "beat", at });

describe("suspicion", () => {
  it("says nothing of a peer that was never heard: only its lease does", () => {
    expect(after({ kind: "gone", at: 5 })).toEqual(UNHEARD);
    expect(judge(UNHEARD, 1e9, LIMITS)).toBe("wait");
  });

  it("challenges after the silence, and takes the seat when the time to refute is over", () => {
    const silent = after(beat(0));
    expect([judge(silent, 299, LIMITS), judge(silent, 300, LIMITS)]).toEqual(["wait", "challenge"]);

    const challenged = believe(silent, { kind: "challenged", at: 310 }, LIMITS);
    expect([judge(challenged, 509, LIMITS), judge(challenged, 510, LIMITS)]).toEqual(["wait", "take"]);
    expect(believe(challenged, { kind: "unrefuted", at: 515 }, LIMITS)).toEqual({
      kind: "dead",
      how: "suspected",
      at: 515,
    });
  });

  it("trusts a silent peer that refutes, each time twice as long up to a limit", () => {
    const refuted = (belief: Belief, at: number): Belief =>
      believe(believe(belief, { kind: "challenged", at }, LIMITS), { kind: "refuted", at: at + 1 }, LIMITS);

    const once = refuted(after(beat(0)), 300);
    expect(once).toEqual({ kind: "trusted", until: 1301, trusts: 1 });
    const again = [2000, 5000, 10_000].reduce(refuted, once);
    expect(again).toEqual({ kind: "trusted", until: 14_001, trusts: 4 });
    expect([judge(again, 14_000, LIMITS), judge(again, 14_001, LIMITS)]).toEqual(["wait", "challenge"]);
    expect(believe(again, beat(9), LIMITS)).toEqual({ kind: "alive", at: 9 });
  });

  it("believes a refused reconnection at once, and whoever beats again", () => {
    const dead = after(beat(0), { kind: "gone", at: 3 });

    expect(dead).toEqual({ kind: "dead", how: "crashed", at: 3 });
    expect(believe(dead, beat(4), LIMITS)).toEqual({ kind: "alive", at: 4 });
  });

  it("counts no silence in which the observer itself slept", () => {
    const heard = after(beat(0), { kind: "observerSlept", at: 1000 });

    expect(judge(heard, 1299, LIMITS)).toBe("wait");
    const challenged = after(beat(0), { kind: "challenged", at: 300 }, { kind: "observerSlept", at: 1000 });
    expect(challenged).toEqual({ kind: "challenged", at: 300, trusts: 0 });
  });
});
