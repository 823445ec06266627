/** What a config text means: exact amounts, defaults, symbols. */
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/config/load-config.ts";

const SIM_SYMBOL =
  "{ tick_size: 0.01, lot_size: 0.00001, market: { type: walk, start_price: 30000, step: 8 } }";
const SIM = `exchanges: { sim: { balances: { USDT: 10000 }, symbols: { BTC/USDT: ${SIM_SYMBOL} } } }`;
const GRID = "symbol: BTC/USDT, lower: 29000, upper: 31000, grids: 40, order_quantity: 100";
const MINIMAL = `${SIM}\ntrading: { symbols: [{ ${GRID} }] }`;

const withGrid = (grid: string): string => `${SIM}\ntrading: { symbols: [{ ${grid} }] }`;

describe("parseConfig", () => {
  it("fills in every default of a minimal config", () => {
    expect(parseConfig(MINIMAL, "c.yaml").config).toEqual({
      app: { current_exchange: "sim" },
      exchanges: {
        sim: {
          account: "main",
          maker_fee: "0.001",
          taker_fee: "0.001",
          fee_asset: "quote",
          balances: { USDT: "10000" },
          journal: "./data/sim-venue.journal",
          request_window_ms: 1000,
          settle_ms: 2000,
          symbols: {
            "BTC/USDT": {
              tick_size: "0.01",
              lot_size: "0.00001",
              min_quantity: "0.00001",
              min_notional: "0",
              market: {
                type: "walk",
                seed: 1,
                start_price: "30000",
                step: "8",
                reversion: 1000,
                step_ms: 1000,
              },
            },
          },
        },
      },
      trading: {
        reconcile_interval: 60,
        symbols: [
          {
            exchange: "sim",
            symbol: "BTC/USDT",
            lattice: "range",
            lower: "29000",
            upper: "31000",
            grids: 40,
            spacing: "arithmetic",
            size: { kind: "order_quantity", amount: "100" },
            initial: "buy",
            order_type: "limit",
            post_only_fallback_after: 3,
            partial_fill_cancel_ratio: "0.5",
            order_cleanup_threshold: 1000,
            margin_lock_duration_seconds: 10,
          },
        ],
      },
      database: {
        type: "sqlite",
        dsn: "./data/quantmesh.db",
        max_open_conns: 10,
        max_idle_conns: 10,
        conn_max_lifetime: 3600,
        spool_capacity: 100_000,
      },
      distributed_lock: {
        enabled: true,
        type: "memory",
        granularity: "level",
        prefix: "quantmesh:lock:",
        default_ttl: 30,
        redis: {
          addr: "127.0.0.1:6379",
          sentinels: [],
          master_name: "mymaster",
          cluster: [],
          nodes: [],
          password: "",
          db: 0,
          pool_size: 1,
          tls: false,
        },
        etcd: { endpoints: ["http://127.0.0.1:2379"], password: "" },
      },
      instance: { id: "quantmesh-1", index: 0, total: 1, role: "active" },
      coordination: {
        mode: "solo",
        fleet: "quantmesh",
        etcd: { hosts: [], limit_ms: 1000 },
        lease_ttl: 10,
        handover_limit: 15,
        hot_spots: {
          enabled: "propose",
          threshold: 1.4,
          window: 8,
          cool_down: 300,
          gain: 0.05,
          least_load: 100,
        },
        listen: "127.0.0.1:28890",
        heartbeat_ms: 100,
        silence_ms: 300,
        refute_ms: 200,
        grace_ms: 1000,
        settle_ms: 500,
        start_limit: 60,
      },
      system: { log_level: "info", cancel_on_exit: false, close_positions_on_exit: false },
      web: { enabled: true, host: "127.0.0.1", port: 28888, allowed_hosts: [] },
    });
  });

  it.each([
    ["0.1", "0.1"],
    ["0.10", "0.1"],
    ['"0.1"', "0.1"],
    ["0.000000000000000001", "0.000000000000000001"],
    ["9007199254740993.1", "9007199254740993.1"],
    ["12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"],
  ])("keeps the amount %s exactly", (written, kept) => {
    const { config } = parseConfig(
      withGrid(GRID.replace("order_quantity: 100", `base_quantity: ${written}`)),
      "c",
    );

    expect(config.trading.symbols[0]).toMatchObject({ size: { kind: "base_quantity", amount: kept } });
  });

  it.each(["BTC/USDT", "BTC-USDT", "BTCUSDT"])("reads the symbol %s as BTC/USDT", (written) => {
    const { config } = parseConfig(withGrid(GRID.replace("BTC/USDT", written)), "c.yaml");

    expect(config.trading.symbols[0]?.symbol).toBe("BTC/USDT");
  });

  it("does not guess which of two symbols BTCUSDT means", () => {
    const two = MINIMAL.replace("symbols: { BTC", `symbols: { BTCU/SDT: ${SIM_SYMBOL}, BTC`);
    const ambiguous = two.replace("symbol: BTC/USDT", "symbol: BTCUSDT");

    expect(() => parseConfig(ambiguous, "c.yaml")).toThrow('"BTCUSDT" is not among exchanges.sim.symbols');
  });

  it("takes fee_rate for the fees that are left out", () => {
    const { config } = parseConfig(
      MINIMAL.replace("sim: {", "sim: { fee_rate: 0.0004, taker_fee: 0.0005,"),
      "c",
    );

    expect(config.exchanges.sim).toMatchObject({ maker_fee: "0.0004", taker_fee: "0.0005" });
  });

  it("reads the same from JSON", () => {
    const asJson = JSON.stringify({
      exchanges: {
        sim: {
          balances: { USDT: 10000 },
          symbols: {
            "BTC/USDT": {
              tick_size: 0.01,
              lot_size: "0.00001",
              market: { type: "walk", start_price: 30000, step: 8 },
            },
          },
        },
      },
      trading: {
        symbols: [{ symbol: "BTC/USDT", lower: 29000, upper: 31000, grids: 40, order_quantity: 100 }],
      },
    });

    expect(parseConfig(asJson, "c.json")).toEqual(parseConfig(MINIMAL, "c.yaml"));
  });

  it("takes a section without keys, and a key without a value, for left out", () => {
    const { config } = parseConfig(`${MINIMAL}\nweb:\n  # port: 1\nsystem:\n  log_level: ~\n`, "c.yaml");

    expect(config.web.port).toBe(28888);
    expect(config.system.log_level).toBe("info");
  });

  it("reads a replay market, log levels in capitals, and flags", () => {
    const replay = MINIMAL.replace(
      "{ type: walk, start_price: 30000, step: 8 }",
      "{ type: replay, file: a.csv }",
    );
    const { config } = parseConfig(
      `${replay}\nsystem: { log_level: WARN }\nweb: { enabled: false, port: 0 }`,
      "c",
    );

    expect(config.exchanges.sim.symbols["BTC/USDT"]?.market).toEqual({
      type: "replay",
      file: "a.csv",
      fill: "through",
    });
    expect(config.system.log_level).toBe("warn");
    expect(config.web).toMatchObject({ enabled: false, port: 0 });
  });

  it("follows anchors and merges", () => {
    const shared = `x: &g { lower: 29000, upper: 31000 }`;
    const merged = withGrid("<<: *g, symbol: BTC/USDT, grids: 4, investment: 50");

    // The anchor's own key is unknown and the only problem: the merged lower and upper were found.
    expect(() => parseConfig(`${shared}\n${merged}`, "c.yaml")).toThrow(
      /^c\.yaml:1: x: unknown key "x"; [^\n]*$/,
    );
  });
});
