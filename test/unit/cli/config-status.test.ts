/** Who runs which version of the fleet's config, in words. */
import { describe, expect, it } from "vitest";
import { configStatus, formatConfigStatus } from "../../../src/cli/config-status.ts";
import type { CentreState } from "../../../src/coordination/config-centre.ts";
import type { Member } from "../../../src/coordination/fleet-view.ts";
import type { RollOut, RollOutState } from "../../../src/coordination/roll-out.ts";

const versions = [
  { version: 16, at: 1, by: "ann", shared: { trading: { reconcile_interval: "60" } } },
  { version: 17, at: 2, by: "ann", shared: { trading: { reconcile_interval: "30" } } },
];
const QUIET: CentreState = { versions, rollOut: undefined, rollOutRevision: 0 };

function member(id: string, config: number, more: Partial<Member> = {}): Member {
  return {
    id,
    incarnation: `1-${id}`,
    role: "active",
    address: "h:1",
    version: "1",
    symbols: 2,
    config,
    draining: false,
    startedAt: 1,
    ...more,
  };
}

function rolled(state: RollOutState, changes: Partial<RollOut> = {}): CentreState {
  const rollOut: RollOut = {
    version: 17,
    base: 16,
    percent: 10,
    windowMs: 60_000,
    maxErrors: 10,
    maxHalted: 0,
    isAutomatic: true,
    stoppedBefore: [],
    by: "ann",
    at: 5000,
    state,
    ...changes,
  };
  return { versions, rollOut, rollOutRevision: 3 };
}

const say = (state: CentreState, ...members: readonly Member[]): readonly string[] =>
  formatConfigStatus(configStatus(state, members), 25_000);

describe("the state of a fleet's config", () => {
  it("is one line where all run the newest", () => {
    expect(say(QUIET, member("a", 17), member("b", 17))).toEqual(["all on v17"]);
    expect(say(QUIET)).toEqual(["v17, and no instance is running"]);
    expect(say({ ...QUIET, versions: [] })).toEqual([
      "the fleet has no config yet: its first instance brings it",
    ]);
  });

  it("names who does not and why: a restart, what it says itself, or that it has not got to it", () => {
    const same = [...versions, { version: 18, at: 3, by: "bob", shared: versions[1]?.shared ?? {} }];
    const behind = [
      member("a", 18),
      member("b", 16, { degraded: "something" }),
      member("c", 17, { degraded: "version 18 of the config cannot run here: no" }),
      member("d", 17),
    ];

    expect(say({ ...QUIET, versions: same }, ...behind)).toEqual([
      "3 of 4 instances not on v18",
      "  b is on v16: needs a restart for trading.reconcile_interval",
      "  c is on v17: version 18 of the config cannot run here: no",
      "  d is on v17: has not taken it over yet",
    ]);
  });

  it("tells of a canary who tries it and how they fare", () => {
    const stopped = [{ symbol: "C/USDT", why: "closed: stop_loss" }];
    const running = {
      kind: "running",
      version: 17,
      trading: ["A/USDT", "B/USDT"],
      stopped,
      errors: 2,
    } as const;
    const members = [
      member("a", 16, { canary: running }),
      member("b", 16, { canary: { ...running, trading: [], stopped: [] } }),
      member("c", 16, { canary: { kind: "refused", version: 17, reason: "no" } }),
    ];

    expect(say(rolled({ kind: "canary" }), ...members)).toEqual([
      "all others on v16",
      "v17 is tried by 10 % of the bots that it changes, since 20 s; all follow when they have traded for 60 s",
      "  a: A/USDT, B/USDT, C/USDT halted (closed: stop_loss); 2 errors",
      "  c: it cannot run: no",
    ]);
    expect(say(rolled({ kind: "canary" }, { isAutomatic: false }), ...members)[1]).toContain(
      "all follow on `config promote`",
    );
  });

  it("tells how the last roll-out ended, until a newer version makes that old", () => {
    expect(say(rolled({ kind: "whole", by: "b" }), member("a", 17))).toEqual([
      "all on v17",
      "v17 was rolled out to all by b",
    ]);
    const back = { kind: "rolledBack", as: 18, by: "a", reason: "2 halted" } as const;
    const third = { version: 18, at: 3, by: "a", shared: versions[0]?.shared ?? {} };
    const state = { ...rolled(back), versions: [...versions, third] };
    expect(say(state, member("a", 18))).toEqual(["all on v18", "v17 was rolled back as v18 by a: 2 halted"]);
    const newer = { ...state, versions: [...state.versions, { ...third, version: 19 }] };
    expect(say(newer, member("a", 19))).toEqual(["all on v19"]);
  });
});
