/** One instance's watch over a canary, on a virtual clock. */
import { expect, it } from "vitest";
import type { CentreState, RollBack } from "../../../src/coordination/config-centre.ts";
import { inForce } from "../../../src/coordination/config-centre.ts";
import type { CanaryReport, RollOut } from "../../../src/coordination/roll-out.ts";
import { RollOutGuard } from "../../../src/coordination/roll-out-guard.ts";
import type { Instant } from "../../../src/domain/ids.ts";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import type { KeptLine } from "../../support/kept-log.ts";
import { logInto } from "../../support/kept-log.ts";

const ROLL_OUT: RollOut = {
  version: 2,
  base: 1,
  percent: 50,
  windowMs: 1000,
  maxErrors: 0,
  maxHalted: 0,
  isAutomatic: true,
  stoppedBefore: [],
  by: "ann",
  at: 1,
  state: { kind: "canary" },
};
const CANARY: CentreState = {
  versions: [1, 2].map((version) => ({ version, at: version, by: "ann", shared: { trading: { version } } })),
  rollOut: ROLL_OUT,
  rollOutRevision: 7,
};

function lab() {
  const decisions: string[] = [];
  const lines: KeptLine[] = [];
  const world = {
    now: 0,
    reports: [] as CanaryReport[],
    decide: async (): Promise<boolean> => true,
    decisions,
    lines,
    counts: [] as object[],
  };
  const guard = new RollOutGuard({
    centre: {
      promote: async (_, by) => {
        decisions.push(`promote by ${by}`);
        return world.decide();
      },
      rollBack: async (_, { to, reason }: RollBack) => {
        decisions.push(`to v${to.version}: ${reason}`);
        return world.decide();
      },
    },
    clock: { now: () => 5 as Instant, monotonic: () => world.now, after: () => () => undefined },
    log: logInto(lines),
    metrics: {
      count: (name, labels) => world.counts.push({ name, ...labels }),
      gauge: () => undefined,
      observe: () => undefined,
    },
    by: "a",
    reports: () => world.reports,
  });
  const at = async (now: number): Promise<void> => {
    world.now = now;
    await guard.check();
  };
  return { world, guard, at };
}

const trading = (...symbols: string[]): CanaryReport => ({
  kind: "running",
  version: 2,
  trading: symbols,
  stopped: [],
  errors: 0,
});

it("counts the window from when all bots trade, and anew after each break", async () => {
  const { world, guard, at } = lab();
  guard.follow(CANARY, ["A", "B"]);
  world.reports = [trading("A")];
  await at(500);
  world.reports = [trading("A", "B")];
  await at(600);
  world.reports = [trading("B")];
  await at(1500);
  world.reports = [trading("A", "B")];
  await at(1700);
  await at(2600);
  expect(world.decisions).toEqual([]);

  await at(2700);

  expect(world.decisions).toEqual(["promote by a"]);
});

it("counts nothing of a time in which it slept: whether the bots traded then nobody watched", async () => {
  const { world, guard, at } = lab();
  guard.follow(CANARY, ["A"]);
  world.reports = [trading("A")];
  await at(100);

  await at(600_000);
  await at(600_900);
  expect(world.decisions).toEqual([]);
  await at(601_000);

  expect(world.decisions).toEqual(["promote by a"]);
});

it("rolls back to the base at once when a guard trips, with the reason in log and metrics", async () => {
  const { world, guard, at } = lab();
  guard.follow(CANARY, ["A"]);
  world.reports = [
    { ...trading(), kind: "running", stopped: [{ symbol: "A", why: "halted" }] } as CanaryReport,
  ];

  await at(1);

  expect(world.decisions).toEqual(["to v1: 1 halted (at most 0): A (halted)"]);
  expect(world.counts).toEqual([{ name: "quantmesh_config_rollbacks_total", reason: "halted" }]);
  expect(world.lines.map(({ event }) => event)).toEqual(["config.rolled_back"]);
});

it("counts nothing that another instance has done first, and tries again what it could not store", async () => {
  const { world, guard, at } = lab();
  guard.follow(CANARY, ["A"]);
  world.reports = [{ kind: "refused", version: 2, reason: "no" }];
  world.decide = async () => false;
  await at(1);
  world.decide = async () => {
    throw new QuantmeshError("COORDINATION_UNAVAILABLE", "etcd is away");
  };
  await at(2);
  expect(world.counts).toEqual([]);

  world.decide = async () => true;
  await at(3);

  expect(world.decisions).toHaveLength(3);
  expect(world.counts).toHaveLength(1);
});

it("leaves a version alone that is whole, rolled back, or no canary at all", async () => {
  const { world, guard, at } = lab();
  world.reports = [{ kind: "refused", version: 2, reason: "no" }];
  guard.follow(CANARY, ["A"]);
  guard.follow(
    { ...CANARY, rollOut: { ...ROLL_OUT, state: { kind: "whole", by: "b" } }, rollOutRevision: 8 },
    [],
  );
  await at(10_000);
  guard.follow({ ...CANARY, rollOut: undefined, rollOutRevision: 0 }, []);
  await at(20_000);

  expect(world.decisions).toEqual([]);
});

it("is in force for the canary's bots alone, while its version is the newest and its base is kept", () => {
  expect(inForce(CANARY)).toMatchObject({ whole: { version: 1 }, canary: { version: { version: 2 } } });
  const [first, second] = CANARY.versions;
  const third = { version: 3, at: 3, by: "bob", shared: {} };
  expect(inForce({ ...CANARY, versions: [...CANARY.versions, third] })).toEqual({
    whole: third,
    canary: undefined,
  });
  expect(inForce({ ...CANARY, versions: second ? [second] : [] })).toEqual({
    whole: second,
    canary: undefined,
  });
  expect(inForce({ ...CANARY, versions: first ? [first] : [] })).toEqual({ whole: first, canary: undefined });
  expect(inForce({ versions: [], rollOut: undefined, rollOutRevision: 0 })).toBeUndefined();
});
