/** The environment: variables that override keys, and variables inside values. */
import { describe, expect, it } from "vitest";
import type { Environment } from "../../../src/config/expand-variables.ts";
import { parseConfig } from "../../../src/config/load-config.ts";
import { hasCode } from "../../../src/domain/errors.ts";

const CONFIG = `exchanges:
  sim:
    balances: { USDT: 10000 }
    symbols:
      BTC/USDT:
        tick_size: 0.01
        lot_size: 0.00001
        market: { type: walk, start_price: 30000, step: 8 }
trading:
  symbols:
    - symbol: BTC/USDT
      lower: 29000
      upper: 31000
      grids: 40
      order_quantity: 100
`;

function load(env: Environment, text = CONFIG) {
  return parseConfig(text, "c.yaml", env).config;
}

function problemsOf(env: Environment, text = CONFIG): readonly string[] {
  try {
    load(env, text);
  } catch (error) {
    if (hasCode(error, "CONFIG_INVALID")) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("QUANTMESH__SECTION__KEY", () => {
  it("overrides keys of the file, adds sections, and enters lists by position", () => {
    const config = load({
      QUANTMESH__WEB__PORT: "0",
      QUANTMESH__TRADING__SYMBOLS__0__LOWER: "28000",
      QUANTMESH__TRADING__SYMBOLS__0__STOP_LOSS: "27000",
      QUANTMESH__WEB__ALLOWED_HOSTS__0: "a.example",
      QUANTMESH__WEB__ALLOWED_HOSTS__1: "b.example",
      QUANTMESH_TEST_SEED: "1",
      HOME: "/root",
    });

    expect(config.web).toMatchObject({ port: 0, allowed_hosts: ["a.example", "b.example"] });
    expect(config.trading.symbols).toMatchObject([{ lower: "28000", upper: "31000", stop_loss: "27000" }]);
  });

  it("grows a list in the order of positions, not of letters", () => {
    const env = Object.fromEntries(
      Array.from({ length: 11 }, (_, at) => [`QUANTMESH__WEB__ALLOWED_HOSTS__${at}`, `h${at}`]),
    );

    expect(load(env).web.allowed_hosts).toEqual(Array.from({ length: 11 }, (_, at) => `h${at}`));
  });

  it("finds keys that no variable name can hold, and keeps assets in capitals", () => {
    const { sim } = load({
      QUANTMESH__EXCHANGES__SIM__SYMBOLS__BTC_USDT__TICK_SIZE: "0.1",
      QUANTMESH__EXCHANGES__SIM__BALANCES__USDT: "5",
      QUANTMESH__EXCHANGES__SIM__BALANCES__BTC: "1",
    }).exchanges;

    expect(sim.symbols["BTC/USDT"]?.tick_size).toBe("0.1");
    expect(sim.balances).toEqual({ USDT: "5", BTC: "1" });
  });

  it("is taken as it is, and changes nothing when it is empty", () => {
    expect(load({ QUANTMESH__DATABASE__DSN: "./${HOME}/$${x}.db" }).database.dsn).toBe("./${HOME}/$${x}.db");
    expect(load({ QUANTMESH__WEB__PORT: "" }).web.port).toBe(28888);
  });

  it("leaves other grids alone that share the same anchor", () => {
    const shared = CONFIG.replace("BTC/USDT:", "BTC/USDT: &rules").replace(
      "trading:",
      "      ETH/USDT: *rules\ntrading:",
    );
    const { symbols } = load({ QUANTMESH__EXCHANGES__SIM__SYMBOLS__ETH_USDT__TICK_SIZE: "0.1" }, shared)
      .exchanges.sim;

    expect([symbols["BTC/USDT"]?.tick_size, symbols["ETH/USDT"]?.tick_size]).toEqual(["0.01", "0.1"]);
  });

  it.each([
    ["QUANTMESH__WEB__PORT", "x", 'web.port: must be a whole number from 0 to 65535, not "x"'],
    ["QUANTMESH__WEB__PROT", "1", 'web.prot: unknown key "prot"; did you mean "port"?'],
    ["QUANTMESH__WEBB__PORT", "1", 'webb: unknown key "webb"; did you mean "web"?'],
    ["QUANTMESH__WEB", "1", "web: must be a section with keys of its own"],
    ["QUANTMESH__TRADING__SYMBOLS__0__LOWER", "40000", "trading.symbols[0].lower: must be below upper"],
    [
      "QUANTMESH__TRADING__SYMBOLS__2__LOWER",
      "1",
      "trading.symbols is a list of 1; write a position from 0 to 1",
    ],
    [
      "QUANTMESH__TRADING__SYMBOLS__LOWER",
      "1",
      "trading.symbols is a list of 1; write a position from 0 to 1",
    ],
    [
      "QUANTMESH__TRADING__SYMBOLS__0__LOWER__X",
      "1",
      "trading.symbols[0].lower is a single value, which has no keys",
    ],
    ["QUANTMESH__WEB____PORT", "1", "has a step without a name; write QUANTMESH__SECTION__KEY"],
  ])("names the variable that is wrong: %s=%s", (variable, value, problem) => {
    expect(problemsOf({ [variable]: value })).toEqual([`${variable}: ${problem}`]);
  });

  it("warns by the variable's name too", () => {
    const { warnings } = parseConfig(CONFIG, "c.yaml", { QUANTMESH__SYSTEM__TIMEZONE: "UTC" });

    expect(warnings).toEqual([
      "QUANTMESH__SYSTEM__TIMEZONE: system.timezone: has no effect: all times are in UTC",
    ]);
  });

  it("can make up a whole config without a file's text", () => {
    expect(problemsOf({ QUANTMESH__WEB__PORT: "0" }, "")).toEqual([
      "c.yaml:1: exchanges: is required",
      "c.yaml:1: trading: is required",
    ]);
  });
});

describe("${NAME} in a value", () => {
  const withId = (id: string): string => `${CONFIG}instance: { id: "${id}" }\n`;

  it("becomes the variable, once or more, with text around it", () => {
    expect(load({ A: "x", B_2: "y" }, withId("${A}-${B_2}-${A}")).instance.id).toBe("x-y-x");
    expect(load({ LOW: "28000" }, CONFIG.replace("29000", "${LOW}")).trading.symbols).toMatchObject([
      { lower: "28000" },
    ]);
  });

  it("is text where it is written $${", () => {
    const text = `${CONFIG}database: { dsn: "./$\${A}.db" }\n`;

    expect(load({ A: "x" }, text).database.dsn).toBe("./${A}.db");
  });

  it("does not expand what a variable holds", () => {
    expect(load({ A: "${B}" }, `${CONFIG}database: { dsn: "\${A}" }\n`).database.dsn).toBe("${B}");
  });

  it.each([
    ["${NOPE}", "environment variable NOPE is not set"],
    ["${}", "write ${NAME} for an environment variable, or $${ for the text itself"],
    ["${A", "write ${NAME} for an environment variable, or $${ for the text itself"],
    ["${A B}", "write ${NAME} for an environment variable, or $${ for the text itself"],
  ])("names line and key where %s cannot be replaced", (id, reason) => {
    expect(problemsOf({ A: "x" }, withId(id))).toEqual([`c.yaml:16: instance.id: ${reason}`]);
  });

  it("is not repeated in messages, nor is the value of a secret key", () => {
    const secret = "hunter2hunter2";
    const text = CONFIG.replace("40", "${SECRET}").replace("upper: 31000", "upper: ${SECRET}");
    const env = { SECRET: secret };
    const all = [
      ...problemsOf(env, text),
      ...problemsOf(env, withId("${SECRET} ")),
      ...problemsOf({}, `${CONFIG}web: { api_key: ${secret} }\nx: { password: ${secret} }\n`),
      ...problemsOf({ QUANTMESH__EXCHANGES__SIM__SECRET_KEY: secret, QUANTMESH__WEB__PORT: "x" }),
    ];

    expect(all).toContain(
      'c.yaml:14: trading.symbols[0].grids: must be a whole number from 1 to 100000, not "[redacted]"',
    );
    expect(all.length).toBeGreaterThanOrEqual(5);
    expect(all.join("\n")).not.toContain(secret);
  });
});
