/** The keys of the Go project of the same name: each is read here, or answered with a sentence. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { JsonSchema } from "../../../src/config/json-schema.ts";
import { configJsonSchema } from "../../../src/config/json-schema.ts";
import { parseConfig } from "../../../src/config/load-config.ts";
import { ORIGINAL_KEYS } from "../../../src/config/original-keys.ts";
import { hasCode } from "../../../src/domain/errors.ts";

const SCHEMA = configJsonSchema();
const KEYS = readFileSync(join(import.meta.dirname, "original-keys.txt"), "utf8")
  .trim()
  .split("\n");
const WINDOW = { symbol: "BTC/USDT", price_interval: "50", order_quantity: "30", buy_window_size: "10" };
const SIM = {
  balances: { USDT: "10000" },
  symbols: {
    "BTC/USDT": {
      tick_size: "0.01",
      lot_size: "0.00001",
      market: { type: "walk", start_price: "30000", step: "8" },
    },
  },
};

/** The smallest config of one window, with `value` at the dotted key. */
function configWith(key: string, value: unknown): string {
  const config: Record<string, unknown> = {
    exchanges: { sim: { ...SIM } },
    trading: key === "trading.symbol" ? { ...WINDOW } : { symbols: [{ ...WINDOW }] },
  };
  const steps = key.replaceAll("[]", ".0").replace("exchanges.<name>", "exchanges.sim").split(".");
  let node = config;
  for (const [at, step] of steps.slice(0, -1).entries()) {
    node[step] ??= steps[at + 1] === "0" ? [] : {};
    node = node[step] as Record<string, unknown>;
  }
  node[steps.at(-1) ?? ""] = value;
  return JSON.stringify(config);
}

/** What is said about the config: warnings where it loads, problems where it does not; without file and line. */
function sayings(text: string): { readonly isLoaded: boolean; readonly lines: readonly string[] } {
  const bare = (line: string): string => line.replace(/^c\.yaml:\d+: /, "");
  try {
    return { isLoaded: true, lines: parseConfig(text, "c.yaml").warnings.map(bare) };
  } catch (error) {
    if (!hasCode(error, "CONFIG_INVALID")) throw error;
    return { isLoaded: false, lines: error.message.split("\n").map(bare) };
  }
}

/** True if the schema has this key. */
function isRead(key: string): boolean {
  const descend = (schema: JsonSchema, steps: readonly string[]): boolean => {
    const [step, ...rest] = steps;
    if (step === undefined) return true;
    const { properties = {}, items, oneOf = [] } = schema;
    const child = step === "[]" ? items : properties[step];
    return (child !== undefined && descend(child, rest)) || oneOf.some((form) => descend(form, steps));
  };
  const steps = key.replace("exchanges.<name>", "exchanges.sim").replaceAll("[]", ".[]").split(".");
  return descend(SCHEMA, steps);
}

/** True if the saying is about `key` or a section around it. */
function isAbout(line: string, key: string): boolean {
  const [path = ""] = line.split(": ");
  const place = key.replaceAll("[]", "[0]").replace("exchanges.<name>", "exchanges.sim");
  return place === path || place.startsWith(`${path}.`) || place.startsWith(`${path}[`);
}

describe("the keys of the Go project", () => {
  it("are all listed", () => {
    expect(KEYS.length).toBeGreaterThan(250);
    expect(new Set(KEYS).size).toBe(KEYS.length);
  });

  it.each(KEYS)("%s is read or answered", (key) => {
    const { lines } = sayings(configWith(key, "1"));

    expect(lines.filter((line) => line.includes("unknown key"))).toEqual([]);
    expect(isRead(key) || lines.some((line) => isAbout(line, key))).toBe(true);
  });

  it("would be missed where neither the schema nor a sentence knew them", () => {
    const { lines } = sayings(configWith("system.time_zone", "1"));

    expect(lines).toEqual([expect.stringContaining('unknown key "time_zone"')]);
    expect(isRead("system.time_zone")).toBe(false);
  });

  it("are answered in words that fit the sentence around them", () => {
    for (const { reason } of Object.values(ORIGINAL_KEYS)) expect(reason).toMatch(/^[A-Za-z].*[^.;,]$/);
  });

  it.each([
    ["system.timezone", "Asia/Shanghai", "all times are in UTC"],
    ["metrics.collect_interval", "10", "metrics are always collected, see web", "metrics"],
    ["database.log_level", "error", "the database has no log of its own; see system.log_level"],
    [
      "trading.cleanup_batch_size",
      "10",
      "an order that leaves the grid is cancelled at once, not in batches",
    ],
  ])("load with a warning where they change nothing: %s", (key, value, reason, place = key) => {
    expect(sayings(configWith(key, value))).toEqual({
      isLoaded: true,
      lines: [`${place}: has no effect: ${reason}`],
    });
  });

  it.each([
    [
      "trading.symbols[].grid_risk_control.stop_loss_ratio",
      "trading.symbols[0].grid_risk_control: not available in this version; remove it: give the symbol stop_loss and take_profit, which are prices",
    ],
    [
      "trading.symbols[].reconcile_interval",
      "trading.symbols[0].reconcile_interval: not available in this version; remove it: all symbols are compared with the exchange's lists together; set trading.reconcile_interval",
    ],
    [
      "strategies.enabled",
      "strategies: not available in this version; remove it: each symbol has one grid, under trading.symbols",
    ],
    [
      "trading.symbols[].total_allocated_capital",
      "trading.symbols[0].total_allocated_capital: not available in this version; remove it: size a range grid by investment, a window by order_quantity",
    ],
  ])("are refused where they would change what is traded: %s", (key, line) => {
    expect(sayings(configWith(key, "2"))).toEqual({ isLoaded: false, lines: [line] });
  });

  it.each(["strategies", "ai", "notifications", "risk_control", "trading.symbols[].grid_risk_control"])(
    "are only warned about in a section that is off: %s",
    (key) => {
      expect(sayings(configWith(`${key}.enabled`, "false")).isLoaded).toBe(true);
      expect(sayings(configWith(`${key}.enabled`, "true")).isLoaded).toBe(false);
      expect(sayings(configWith(`${key}.anything`, "1")).isLoaded).toBe(false);
    },
  );

  it("say of the lock whether it is on, and where its Redis is", () => {
    const redis = { addr: "a:1", password: "p", db: "3", pool_size: "10" };
    const text = configWith("distributed_lock", { enabled: "false", type: "redis", redis });
    const { config, warnings } = parseConfig(text, "c.yaml");

    const read = { addr: "a:1", password: "p", db: 3, pool_size: 10 };
    expect(config.distributed_lock).toMatchObject({ enabled: false, type: "redis", redis: read });
    expect(warnings).toEqual([]);
  });
});

describe("the wrong keys of that project's samples", () => {
  it.each([
    ["trading.symbols[].window_size", "10", 'the keys are "buy_window_size" and "sell_window_size"'],
    ["trading.window_size", "10", 'the keys are "buy_window_size" and "sell_window_size"'],
    ["trading.symbols[].margin_lock_duration", "5", 'the key is "margin_lock_duration_seconds"'],
    ["ai.modules.sentiment", "true", "a module is a section with enabled in it"],
    ["notifications.email.to", ["a@example.org"], "it is one address, not a list"],
    ["notifications.email.smtp_host", "h", 'write "host" under notifications.email.smtp'],
    ["watchdog.sampling_interval", "5", 'write "interval" under watchdog.sampling'],
    ["watchdog.retention_days", "5", 'write "detail_days" and "daily_days" under watchdog.retention'],
    ["storage.type", "database", 'write "type" under database'],
  ])("are named with the right one: %s", (key, value, reason) => {
    const { lines } = sayings(configWith(key, value));

    expect(lines).toContain(`${key.replace("[]", "[0]")}: no such key: ${reason}`);
  });

  it("are named in a section without effect too, which still loads", () => {
    expect(sayings(configWith("watchdog.sampling_interval", "5"))).toEqual({
      isLoaded: true,
      lines: [
        "watchdog: has no effect: memory and processor time are among /metrics",
        'watchdog.sampling_interval: no such key: write "interval" under watchdog.sampling',
      ],
    });
  });

  it("take a small order_quantity for what it is: quote, not base", () => {
    expect(sayings(configWith("trading.symbols[].order_quantity", "0.001")).lines).toEqual([
      "trading.symbols[0].order_quantity: is in quote, and must be at least min_order_value (20), not 0.001",
    ]);
  });
});
