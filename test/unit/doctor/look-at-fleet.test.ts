/** What is said of the instances of a fleet. */
import { describe, expect, it } from "vitest";
import { judgeFleet } from "../../../src/cli/doctor/look-at-fleet.ts";
import type { FleetSight } from "../../../src/cli/doctor/look-at-fleet.ts";
import { parseValues } from "../../../src/config/load-config.ts";
import type { Config } from "../../../src/config/schema.ts";
import type { Member } from "../../../src/coordination/fleet-view.ts";

const TRADING = {
  symbols: [{ symbol: "BTC/USDT", lower: "1", upper: "2", grids: "2", order_quantity: "9" }],
};

function config(coordination: Readonly<Record<string, unknown>> = {}): Config {
  const values = {
    app: { current_exchange: "binance" },
    exchanges: { binance: {} },
    trading: TRADING,
    database: { type: "postgres", dsn: "postgres://u:p@h/d" },
    distributed_lock: { type: "redis" },
    coordination: {
      mode: "dynamic",
      etcd: { hosts: ["http://127.0.0.1:2379"] },
      secret: "0123456789abcdef",
      listen: "10.0.0.1:28890",
      ...coordination,
    },
    instance: { id: "one" },
  };
  return parseValues(values, "test", {}).config;
}

function member(id: string, changes: Partial<Member> = {}): Member {
  return {
    id,
    incarnation: "1",
    role: "active",
    address: "10.0.0.2:28890",
    version: "0.1.0",
    symbols: 1,
    config: 3,
    draining: false,
    startedAt: 0,
    ...changes,
  };
}

function sight(...members: readonly Member[]): FleetSight {
  return {
    view: {
      members: new Map(members.map((one) => [one.id, one])),
      seats: [],
      pins: new Map(),
      challenges: new Map(),
      drains: new Map(),
    },
    version: { version: 3, at: 0, by: "one", shared: { trading: TRADING } },
  };
}

const saying = (seen: FleetSight, own: Config, values: unknown = { trading: TRADING }): readonly string[] =>
  judgeFleet(seen, own, values).map(({ level, says }) => `${level} ${says}`);

describe("a fleet", () => {
  it("is counted where all is well", () => {
    const seen = sight(member("one"), member("two"), member("three", { role: "standby" }));
    expect(saying(seen, config())).toEqual(["ok 2 active, 1 standby, config version 3"]);
  });

  it("of different programs and configs, and what an instance complains of, is told of", () => {
    const seen = sight(
      member("one", { version: "0.2.0" }),
      member("two", { config: 2, degraded: "halted: X" }),
    );
    expect(saying(seen, config())).toEqual([
      "warn different versions of quantmesh: 0.2.0 (one), 0.1.0 (two)",
      "warn not on version 3 of the fleet's config: two (2)",
      "warn two: halted: X",
    ]);
  });

  it("runs its shared config: a file that says something else is told of", () => {
    const values = { trading: { ...TRADING, reconcile_interval: "5" } };
    expect(saying(sight(member("one")), config(), values)).toEqual([
      "warn trading.reconcile_interval: the fleet runs version 3 of its config, not what this file says",
    ]);
  });

  it("must reach this instance at an address that is not its own", () => {
    const seen = sight(member("two"));
    expect(saying(seen, config({ listen: "127.0.0.1:28890" }))[0]).toMatch(
      /^fault the others, like two at 10/,
    );
    expect(saying(seen, config({ listen: "0.0.0.0:28890" }))[0]).toMatch(/^fault the others would be told 0/);
    const told = config({ listen: "0.0.0.0:28890", advertise: "10.0.0.1:28890" });
    expect(saying(seen, told)).toEqual(["ok 1 active, 0 standby, config version 3"]);
  });
});
