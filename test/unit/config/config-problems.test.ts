/** How a wrong config is refused: each problem with file, line, path and reason. */
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/config/load-config.ts";
import { hasCode } from "../../../src/domain/errors.ts";

const GOOD = `exchanges:
  sim:
    balances:
      USDT: 10000
    symbols:
      BTC/USDT:
        tick_size: 0.01
        lot_size: 0.00001
        market:
          type: walk
          start_price: 30000
          step: 8
trading:
  symbols:
    - symbol: BTC/USDT
      lower: 29000
      upper: 31000
      grids: 40
      order_quantity: 100
`;

/** The lines of the refusal of `text`. */
function problemsOf(text: string): readonly string[] {
  try {
    parseConfig(text, "c.yaml");
  } catch (error) {
    if (hasCode(error, "CONFIG_INVALID")) return error.message.split("\n");
    throw error;
  }
  return [];
}

/** The refusal of the good config with one line changed. */
const changed = (line: string, to: string): readonly string[] => problemsOf(GOOD.replace(line, to));

describe("a wrong config", () => {
  it("is not this one", () => {
    expect(problemsOf(GOOD)).toEqual([]);
  });

  it.each([
    ["grids: 40", "grids: 4.5", 18, 'grids: must be a whole number from 1 to 100000, not "4.5"'],
    ["grids: 40", "grids: 0", 18, 'grids: must be a whole number from 1 to 100000, not "0"'],
    ["grids: 40", "grids: [1]", 18, "grids: must be a single value"],
    ["lower: 29000", "lower: 31000", 16, "lower: must be below upper"],
    ["lower: 29000", "lower: 0", 16, "lower: must be above 0, not 0"],
    ["lower: 29000", "lower: -5", 16, "lower: must be above 0, not -5"],
    ["lower: 29000", "lower: 1e-8", 16, 'lower: "1e-8" is not a plain decimal number'],
    ["lower: 29000", "# no lower", 15, "lower: is required"],
    [
      "grids: 40",
      "grids: 40\n      spacing: even",
      19,
      'spacing: must be arithmetic or geometric, not "even"',
    ],
    [
      "order_quantity: 100",
      "orderquantity: 100\n      investment: 5",
      19,
      'orderquantity: unknown key "orderquantity"; did you mean "order_quantity"?',
    ],
  ])("names line, path and reason where %j is %j", (line, to, at, reason) => {
    expect(changed(line, to)).toEqual([`c.yaml:${at}: trading.symbols[0].${reason}`]);
  });

  it.each(["# none", "order_quantity: 100\n      investment: 5"])("needs exactly one size, not %j", (to) => {
    expect(changed("order_quantity: 100", to)).toEqual([
      "c.yaml:15: trading.symbols[0]: give exactly one of order_quantity, base_quantity, investment",
    ]);
  });

  it.each(["price_interval", "buy_window_size", "min_order_value", "anchor_price", "window_hysteresis"])(
    "says that %s is a key of the other lattice",
    (key) => {
      expect(changed("grids: 40", `grids: 40\n      lattice: range\n      ${key}: 5`)).toEqual([
        `c.yaml:20: trading.symbols[0].${key}: belongs to lattice: window; a range has lower, upper and grids`,
      ]);
    },
  );

  it.each([
    [
      "exchanges: { bitfinex: {} }",
      "exchanges.bitfinex",
      'exchange "bitfinex" is not known; known are sim, binance, bybit, okx, kucoin, gate, kraken, bitmex, whitebit, hyperliquid, coinbase',
    ],
    [
      "app: { current_exchange: okx }",
      "app.current_exchange",
      'exchange "okx" has no section under exchanges',
    ],
    ["database: { type: oracle }", "database.type", 'must be sqlite or postgres or mysql, not "oracle"'],
    ["distributed_lock: { redis: { addr: localhost } }", "distributed_lock.redis.addr", "must be host:port"],
    [
      "notifications: { enabled: true }",
      "notifications",
      "not available in this version; remove it: watch the log and /metrics; nobody is written to",
    ],
    ["system: { log_level: loud }", "system.log_level", 'must be debug or info or warn or error, not "loud"'],
    ["web: { port: 65536 }", "web.port", 'must be a whole number from 0 to 65535, not "65536"'],
    ["web: { enabled: yes }", "web.enabled", 'must be true or false, not "yes"'],
    [
      "web: { allowed_hosts: [a b] }",
      "web.allowed_hosts[0]",
      "must be a host name without port, like bots.example.org",
    ],
    ["web: { allowed_hosts: a }", "web.allowed_hosts", "must be a list"],
    ["web: 5", "web", "must be a section with keys of its own"],
    ["instance: { id: a b }", "instance.id", "must be 1 to 64 letters, digits, dots, dashes or underscores"],
    ["databse: {}", "databse", 'unknown key "databse"; did you mean "database"?'],
  ])("refuses %s", (line, path, reason) => {
    const text = line.startsWith("exchanges")
      ? GOOD.replace("  sim:", "  bitfinex: {}\n  sim:")
      : line + "\n" + GOOD;
    const at = line.startsWith("exchanges") ? 2 : 1;

    expect(problemsOf(text)).toEqual([`c.yaml:${at}: ${path}: ${reason}`]);
  });

  it("refuses a grid on an exchange, or of a symbol, that is not configured, and a second grid of one", () => {
    const more = `${GOOD}    - { symbol: ETH/USDT, exchange: okx, lower: 1, upper: 2, grids: 1, investment: 9 }
    - { symbol: BTC-USDT, lower: 1, upper: 2, grids: 1, investment: 9 }
`;

    expect(problemsOf(more)).toEqual([
      'c.yaml:20: trading.symbols[1].exchange: exchange "okx" has no section under exchanges',
      "c.yaml:21: trading.symbols[2].symbol: BTC/USDT has a grid above; one symbol has one grid",
    ]);
  });

  it.each([
    [
      "type: walk",
      "type: wlk",
      "10: exchanges.sim.symbols.BTC/USDT.market.type: market type must be walk or replay",
    ],
    [
      "start_price: 30000",
      "start_price: 30000.001",
      "11: exchanges.sim.symbols.BTC/USDT.market.start_price: 30000.001 is not a multiple of the tick size 0.01",
    ],
    [
      "step: 8",
      "step: 0.001",
      "12: exchanges.sim.symbols.BTC/USDT.market.step: 0.001 is not a multiple of the tick size 0.01",
    ],
    [
      "lot_size: 0.00001",
      "lot_size: 0.00000000000000001",
      "6: exchanges.sim.symbols.BTC/USDT: instrument BTC/USDT: one lot at one tick is worth less than 1e-18 quote",
    ],
    [
      "BTC/USDT:",
      "BTC-USDT:",
      "6: exchanges.sim.symbols.BTC-USDT: must be written BASE/QUOTE, like BTC/USDT",
    ],
    [
      "balances:",
      "fee_asset: bnb\n    balances:",
      '3: exchanges.sim.fee_asset: must be quote or base, not "bnb"',
    ],
    [
      "balances:",
      "faults: { lost_before: 1.5 }\n    balances:",
      '3: exchanges.sim.faults.lost_before: must be from 0 (never) to 1 (always), not "1.5"',
    ],
    [
      "balances:",
      "faults: { lost_befor: 1 }\n    balances:",
      '3: exchanges.sim.faults.lost_befor: unknown key "lost_befor"; did you mean "lost_before"?',
    ],
    ["USDT: 10000", "USDT: -1", "4: exchanges.sim.balances.USDT: must be at least 0, not -1"],
    [
      "balances:",
      "maker_fee: 1\n    balances:",
      "3: exchanges.sim.maker_fee: must be at least 0 and below 1, not 1",
    ],
  ])("refuses a simulated market where %j is %j", (line, to, problem) => {
    expect(changed(line, to)).toEqual([`c.yaml:${problem}`]);
  });

  it("reports every problem, in the order of lines, also those between fields beside wrong ones", () => {
    const text = GOOD.replace("lower: 29000", "lower: 50000")
      .replace("grids: 40", "grids: many")
      .replace("order_quantity: 100", "order_qantity: 100")
      .replace("lot_size: 0.00001", "lot_size: 0");

    expect(problemsOf(text)).toEqual([
      "c.yaml:8: exchanges.sim.symbols.BTC/USDT.lot_size: must be above 0, not 0",
      "c.yaml:15: trading.symbols[0]: give exactly one of order_quantity, base_quantity, investment",
      "c.yaml:16: trading.symbols[0].lower: must be below upper",
      'c.yaml:18: trading.symbols[0].grids: must be a whole number from 1 to 100000, not "many"',
      'c.yaml:19: trading.symbols[0].order_qantity: unknown key "order_qantity"; did you mean "order_quantity"?',
    ]);
  });

  it("may be empty or no mapping at all", () => {
    expect(problemsOf("")).toEqual(["c.yaml:1: exchanges: is required", "c.yaml:1: trading: is required"]);
    expect(problemsOf("- 1")).toEqual(["c.yaml:1: must be a section with keys of its own"]);
  });

  it.each([
    ["web: {}\napp: { current_exchange: sim", 2],
    ["web: {}\nweb: {}", 2],
    ["a: 1\n---\nb: 1", 2],
    ["web: *nobody", 1],
    ["a: 1\n\tb: 2", 2],
  ])("names the line of the syntax error in %j", (text, line) => {
    expect(problemsOf(text)[0]).toMatch(new RegExp(`^c\\.yaml:${line}: \\S`));
  });

  it("never quotes the text around a syntax error, which may be a key of an account", () => {
    const text = 'exchanges: { binance: { api_key: "hunter2hunter2", secret_key: [hunter3 }';

    expect(problemsOf(text).join()).not.toMatch(/hunter/);
    expect(problemsOf(text)).not.toEqual([]);
  });

  it.each([
    ["distributed_lock: { type: etcd, etcd: { endpoints: [http://bob:hunter2@db:2379] } }"],
    ["coordination: { etcd: { hosts: [http://bob:hunter2@db:2379] } }"],
  ])("refuses a password in an address of etcd, and does not show it: %s", (section) => {
    const problems = problemsOf(`${GOOD}${section}\n`);

    expect(problems).toEqual([
      expect.stringContaining("a user and a password go into username and password"),
    ]);
    expect(problems.join()).not.toContain("hunter2");
  });
});
