/** What a fleet asks of a config, the environment of the original, and the part of a config that is shared. */
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/config/load-config.ts";
import { withOriginalNames } from "../../../src/config/original-environment.ts";
import {
  changedKeys,
  setShared,
  sharedAt,
  sharedPart,
  withShared,
} from "../../../src/config/shared-config.ts";
import { QuantmeshError } from "../../../src/domain/errors.ts";

const GRID = {
  symbol: "BTC/USDT",
  lattice: "window",
  price_interval: "50",
  order_quantity: "30",
  buy_window_size: "3",
};
const BINANCE = { mode: "live", api_key: "k", secret_key: "s" };
const FLEET = {
  app: { current_exchange: "binance" },
  exchanges: { sim: { balances: {}, symbols: {} }, binance: BINANCE },
  trading: { symbols: [GRID] },
  database: { type: "postgres", dsn: "postgres://u:p@h/d" },
  distributed_lock: { type: "database" },
  coordination: { mode: "dynamic", etcd: { hosts: ["http://127.0.0.1:2379"] }, secret: "sixteen letters.." },
};

function problemsOf(changes: object, env: Readonly<Record<string, string>> = {}): readonly string[] {
  try {
    parseConfig(JSON.stringify({ ...FLEET, ...changes }), "c.yaml", withOriginalNames(env));
    return [];
  } catch (error) {
    if (!(error instanceof QuantmeshError)) throw error;
    return error.message.split("\n").map((line) => line.replace(/^c\.yaml:\d+: /, ""));
  }
}

describe("the config of a fleet", () => {
  it("is taken where everything that several processes share is named", () => {
    expect(problemsOf({})).toEqual([]);
    expect(problemsOf({ coordination: { mode: "static" }, instance: { index: "1", total: "3" } })).toEqual(
      [],
    );
  });

  it.each([
    [{ database: {} }, "database.type: a fleet in mode dynamic shares one database: set postgres or mysql"],
    [
      { coordination: { ...FLEET.coordination, etcd: {} } },
      "coordination.etcd.hosts: mode dynamic needs etcd: name its hosts",
    ],
    [
      { coordination: { ...FLEET.coordination, secret: "short" } },
      "coordination.secret: mode dynamic needs a secret of at least 16 characters, the same everywhere",
    ],
    [
      { coordination: { ...FLEET.coordination, silence_ms: "150" } },
      "coordination.silence_ms: must be at least twice heartbeat_ms",
    ],
    [
      { system: { cancel_on_exit: "true" } },
      "system.cancel_on_exit: an exit hands its symbols to the rest of the fleet (mode dynamic); set it to false",
    ],
    [
      { instance: { index: "3", total: "3" }, coordination: { mode: "static" } },
      "instance.index: must be below instance.total, which is 3; the first is 0",
    ],
    [
      { instance: { total: "3" } },
      "instance.total: shares the symbols in coordination.mode: static only; dynamic counts by itself",
    ],
    [
      { instance: { role: "standby" }, coordination: {} },
      "instance.role: a standby needs a fleet: set coordination.mode to dynamic",
    ],
  ])("is refused where something is missing: %#", (changes, problem) => {
    expect(problemsOf(changes)).toEqual([problem]);
  });

  it("never shows the fleet's secret", () => {
    const secret = "hunter2hunter2hunter2";
    const text = problemsOf({ coordination: { ...FLEET.coordination, secret, mode: "dynamik" } }).join();

    expect(text).toContain("mode");
    expect(text).not.toContain(secret);
  });

  it("reads the environment variables of the original, and prefers the names of today", () => {
    const env = {
      INSTANCE_ID: "node-2",
      INSTANCE_INDEX: "1",
      INSTANCE_TOTAL: "2",
      DATABASE_TYPE: "mysql",
      DATABASE_DSN: "mysql://u:p@h/d",
      STANDBY_MODE: "false",
      QUANTMESH__INSTANCE__ID: "node-3",
    };
    const text = JSON.stringify({ ...FLEET, coordination: { mode: "static" } });

    const { config } = parseConfig(text, "c.yaml", withOriginalNames(env));

    expect(config.instance).toEqual({ id: "node-3", index: 1, total: 2, role: "active" });
    expect(config.database).toMatchObject({ type: "mysql", dsn: "mysql://u:p@h/d" });
    const standby = parseConfig(JSON.stringify(FLEET), "c.yaml", withOriginalNames({ STANDBY_MODE: "true" }));
    expect(standby.config.instance.role).toBe("standby");
  });
});

describe("the shared part of a config", () => {
  const shared = {
    trading: { reconcile_interval: "60", symbols: [{ ...GRID }, { ...GRID, symbol: "ETH/USDT" }] },
  };

  it("is the trading section, which takes the place of a file's own", () => {
    expect(sharedPart({ ...FLEET, trading: shared.trading })).toEqual(shared);
    expect(withShared(FLEET, shared)).toEqual({ ...FLEET, trading: shared.trading });
    expect(sharedPart(undefined)).toEqual({});
  });

  it("is read and changed by key, symbols by their name", () => {
    const key = "trading.symbols.ETH/USDT.stop_loss";
    const changed = setShared(shared, key, "1000");

    expect(sharedAt(changed, key)).toBe("1000");
    expect(sharedAt(shared, key)).toBeUndefined();
    expect(setShared(changed, key, undefined)).toEqual(shared);
    expect(
      sharedAt(setShared(shared, "trading.symbols.BTC/USDT", undefined), "trading.symbols"),
    ).toHaveLength(1);
    expect(
      sharedAt(setShared(shared, "trading.symbols.SOL/USDT", { symbol: "SOL/USDT" }), "trading.symbols.2"),
    ).toEqual({
      symbol: "SOL/USDT",
    });
  });

  it("says which keys a change touches, and whether they need a restart", () => {
    const changed = setShared(
      setShared(shared, "trading.reconcile_interval", "30"),
      "trading.symbols.0.stop_loss",
      "1",
    );

    expect(changedKeys(shared, changed)).toEqual([
      { key: "trading.reconcile_interval", effect: "restart" },
      { key: "trading.symbols", effect: "hot" },
    ]);
    expect(changedKeys(shared, shared)).toEqual([]);
  });

  it("holds nothing that is an instance's own", () => {
    for (const key of ["database.dsn", "instance.id", "tradings", "exchanges.binance.api_key"]) {
      expect(() => setShared(shared, key, "x")).toThrow(`${key} is each instance's own`);
    }
  });
});
