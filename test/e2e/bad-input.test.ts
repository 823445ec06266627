/** What a user can get wrong: each is refused with one clear message, an exit code, and nothing half-written. */
import { createServer } from "node:http";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CommandEnd } from "../support/command.ts";
import { endCommands, runCommand, startCommand } from "../support/command.ts";
import { CONFIG, configFolder, defaultConfig, removeFolder } from "../support/default-config.ts";

const FAILED = 1;
const WRONG = 2;
const HEADER = "timestamp,open,high,low,close,volume";
const GRID =
  "--symbol BTC/USDT --tick 0.01 --lot 0.00001 --lower 25000 --upper 28000 --grids 30 --order-quantity 100";
const WALK = `type: walk # or: replay, with file and fill (touch | through)
          seed: 1 # the same seed gives the same prices
          start_price: 30000
          step: 40 # largest move of one step, in quote; the grid's cells are 50 wide
          reversion: 300 # steps in which the price is pulled home: keeps it about 280 from the start
          step_ms: 200 # together: a fill every second or two`;
const REPLAY = { [WALK]: "type: replay\n          file: candles.csv" };

interface Refusal {
  readonly name: string;
  readonly code: number;
  /** All of stderr, but for the line's end. */
  readonly says: RegExp;
}

interface ConfigCase extends Refusal {
  readonly replaced: Readonly<Record<string, string>>;
  /** Text in the line that is named. */
  readonly line?: string;
  readonly candles?: string;
}

interface UsageCase extends Refusal {
  readonly args: string;
  readonly candles?: string;
}

const CONFIGS: readonly ConfigCase[] = [
  {
    name: "an unknown key",
    replaced: { "grids: 40": "grid: 40" },
    line: "grid: 40",
    code: WRONG,
    says: /: trading\.symbols\[0\]\.grid: unknown key "grid"; did you mean "grids"\?/,
  },
  {
    name: "a value of the wrong type",
    replaced: { "grids: 40": "grids: many" },
    line: "grids: many",
    code: WRONG,
    says: /: trading\.symbols\[0\]\.grids: must be a whole number from 1 to \d+, not "many"$/,
  },
  {
    name: "a section of the wrong type",
    replaced: { "type: sqlite\n  dsn: ./data/quantmesh.db": "- sqlite" },
    line: "database:",
    code: WRONG,
    says: /: database: must be a section with keys of its own$/,
  },
  {
    name: "a lower bound that is not below the upper one",
    replaced: { "lower: 29000": "lower: 31000" },
    line: "lower: 31000",
    code: WRONG,
    says: /: trading\.symbols\[0\]\.lower: must be below upper$/,
  },
  {
    name: "a grid that loses money in every cell",
    replaced: { "maker_fee: 0.0002": "maker_fee: 0.002" },
    code: WRONG,
    says: /^quantmesh: trading\.symbols\[0\] \(BTC\/USDT\): .*29000.*29050/,
  },
  {
    name: "orders below the minimum value",
    replaced: { "min_notional: 5": "min_notional: 101" },
    code: WRONG,
    says: /^quantmesh: trading\.symbols\[0\] \(BTC\/USDT\): .*101/,
  },
  {
    name: "two sizes of an order",
    replaced: { "order_quantity: 100": "order_quantity: 100\n      investment: 5000" },
    code: WRONG,
    says: /give exactly one of order_quantity, base_quantity, investment/,
  },
  {
    name: "a price that is not on the tick",
    replaced: { "start_price: 30000": "start_price: 30000.005" },
    line: "start_price: 30000.005",
    code: WRONG,
    says: /market\.start_price: 30000\.005 is not a multiple of the tick size 0\.01/,
  },
  {
    name: "text that is not YAML",
    replaced: { "symbols:\n    - symbol": "symbols: [\n    - symbol" },
    code: WRONG,
    says: /^quantmesh: quantmesh\.yaml:\d+: /,
  },
  {
    name: "a malformed line in the candles of a replay",
    replaced: REPLAY,
    candles: `${HEADER}\n60000,30000,30001,29999,30000,1\n120000,30000,oops,29999,30000,1\n`,
    code: FAILED,
    says: /^quantmesh: candles\.csv line 3: high "oops" is not a plain decimal number$/,
  },
  {
    name: "a database where no folder can be made",
    replaced: { "dsn: ./data/quantmesh.db": "dsn: /proc/quantmesh/quantmesh.db" },
    code: FAILED,
    says: /^quantmesh: storage \/proc\/quantmesh\/quantmesh\.db: ENOENT.*; choose a file in a folder that this user may write to, or give the user that right$/,
  },
  {
    name: "a database that is a folder",
    replaced: { "dsn: ./data/quantmesh.db": "dsn: ." },
    code: FAILED,
    says: /^quantmesh: storage \.: it is a folder, not a file; choose a file in a folder that this user may write to/,
  },
  {
    name: "a candle file that is not there",
    replaced: REPLAY,
    code: FAILED,
    says: /^quantmesh: cannot read candle file candles\.csv: no such file$/,
  },
];

const USAGES: readonly UsageCase[] = [
  {
    name: "a config file that is not there",
    args: "run -c nowhere.yaml",
    code: WRONG,
    says: /^quantmesh: cannot read config nowhere\.yaml: no such file$/,
  },
  {
    name: "an unknown option",
    args: "run -c quantmesh.yaml --fast",
    code: WRONG,
    says: /^error: unknown option '--fast'/,
  },
  {
    name: "an unknown sub-command",
    args: "config chek",
    code: WRONG,
    says: /^error: unknown command 'chek'/,
  },
  {
    name: "a word too many",
    args: "bots -c quantmesh.yaml extra",
    code: WRONG,
    says: /^error: too many arguments for 'bots'\. Expected 0 arguments but got 1\./,
  },
  {
    name: "no config for run",
    args: "run",
    code: WRONG,
    says: /^error: required option '-c, --config <file>'/,
  },
  {
    name: "lists of a database that is not there",
    args: "orders -c quantmesh.yaml",
    code: WRONG,
    says: /^quantmesh: there is no database at \.\/data\/quantmesh\.db yet: start an instance/,
  },
  {
    name: "an upgrade of a folder",
    args: "db upgrade --dsn .",
    code: WRONG,
    says: /^quantmesh: \. is no file: name the file of a database$/,
  },
  {
    name: "a back-test without --grids",
    args: `backtest -d candles.csv ${GRID.replace("--grids 30 ", "")}`,
    code: WRONG,
    says: /^quantmesh: --grids is missing: give it, or a config file with -c$/,
  },
  {
    name: "a back-test without a size",
    args: `backtest -d candles.csv ${GRID.replace("--order-quantity 100", "")}`,
    code: WRONG,
    says: /^quantmesh: give one of --order-quantity, --base-quantity and --investment$/,
  },
  {
    name: "a back-test with two sizes",
    args: `backtest -d candles.csv ${GRID} --investment 3000`,
    code: WRONG,
    says: /^quantmesh: give only one of --order-quantity, --base-quantity and --investment$/,
  },
  {
    name: "a back-test without candles",
    args: `backtest ${GRID}`,
    code: FAILED,
    says: /^quantmesh: no candles of BTC\/USDT 1m in \.\/data\/candles: download them with `quantmesh download-data .+`, or name a candle file with --data$/,
  },
  {
    name: "an amount that is not a decimal",
    args: `backtest -d candles.csv ${GRID} --maker-fee 1e-3`,
    code: WRONG,
    says: /^error: option '--maker-fee <share>' argument '1e-3' is invalid/,
  },
  {
    name: "a choice that there is not",
    args: `backtest -d candles.csv ${GRID} --fill always`,
    code: WRONG,
    says: /^error: option '--fill <model>' argument 'always' is invalid\. Allowed choices are touch, through/,
  },
  {
    name: "a symbol that is not BASE/QUOTE",
    args: `backtest -d candles.csv ${GRID.replace("BTC/USDT", "BTCUSDT")}`,
    code: WRONG,
    says: /^quantmesh: instrument BTCUSDT: symbol "BTCUSDT" is not of the form BASE\/QUOTE$/,
  },
  {
    name: "a back-test of a file that is not there",
    args: `backtest -d nowhere.csv ${GRID} --json`,
    code: FAILED,
    says: /^quantmesh: cannot read candle file nowhere\.csv: no such file$/,
  },
  {
    name: "a back-test of a malformed line",
    args: `backtest -d candles.csv ${GRID} --json`,
    candles: `${HEADER}\n60000,26000,26001,25999,26000,1\n\n120000,26000,26001\n`,
    code: FAILED,
    says: /^quantmesh: candles\.csv line 3: 1 columns instead of 6 \(timestamp,open,high,low,close,volume\)$/,
  },
  {
    name: "a candle whose price is not on the tick",
    args: `backtest -d candles.csv ${GRID} --json`,
    candles: `${HEADER}\n60000,26000.005,26001,25999,26000,1\n`,
    code: FAILED,
    says: /^quantmesh: candles\.csv line 2: price 26000\.005 is not a multiple of the tick size 0\.01; set .* 0\.001$/,
  },
  {
    name: "a back-test of bounds the wrong way round",
    args: `backtest -d candles.csv ${GRID.replace("--lower 25000", "--lower 29000")} --json`,
    candles: `${HEADER}\n60000,26000,26001,25999,26000,1\n`,
    code: WRONG,
    says: /^quantmesh: grid: lower 29000 must be below upper 28000$/,
  },
  {
    name: "a back-test of a losing grid",
    args: `backtest -d candles.csv ${GRID} --fee 0.01 --json`,
    candles: `${HEADER}\n60000,26000,26001,25999,26000,1\n`,
    code: WRONG,
    says: /^quantmesh: .*25000.*25100/,
  },
  {
    name: "a back-test of orders below the minimum value",
    args: `backtest -d candles.csv ${GRID} --min-notional 101 --json`,
    candles: `${HEADER}\n60000,26000,26001,25999,26000,1\n`,
    code: WRONG,
    says: /^quantmesh: .*101/,
  },
];

describe("bad input", () => {
  let cwd = "";
  beforeEach(() => {
    cwd = configFolder(defaultConfig());
  });
  afterEach(async () => {
    await endCommands();
    removeFolder(cwd);
  });

  /** Exit code, one message without a stack, nothing on stdout, and no data. */
  function expectRefused(end: CommandEnd, { code, says }: Omit<Refusal, "name">): void {
    expect(end.stderr.trimEnd()).toMatch(says);
    expectOneMessage(end);
    expect(end).toMatchObject({ code, stdout: "" });
    expect(existsSync(join(cwd, "data"))).toBe(false);
  }

  it.each(CONFIGS)("refuses a config with $name", async ({ replaced, line, candles, ...refusal }) => {
    const config = defaultConfig(replaced);
    writeFileSync(join(cwd, CONFIG), config);
    if (candles !== undefined) writeFileSync(join(cwd, "candles.csv"), candles);

    const end = await runCommand(["run", "-c", CONFIG], { cwd });

    expectRefused(end, refusal);
    if (line !== undefined) expect(end.stderr).toContain(`${CONFIG}:${lineWith(line, config)}: `);
  });

  it("is found by config check as it is by run", async () => {
    expect(await runCommand(["config", "check", "-c", CONFIG], { cwd })).toMatchObject({
      code: 0,
      stdout: `${CONFIG}: ok, 1 grid\n`,
    });
    for (const { replaced, ...refusal } of CONFIGS.filter(({ name }) =>
      /unknown key|loses money|not there/.test(name),
    )) {
      writeFileSync(join(cwd, CONFIG), defaultConfig(replaced));

      expectRefused(await runCommand(["config", "check", "-c", CONFIG], { cwd }), refusal);
    }
  });

  it("is told by config check as JSON, too", async () => {
    const right = await runCommand(["config", "check", "-c", CONFIG, "--json"], { cwd });
    writeFileSync(join(cwd, CONFIG), defaultConfig({ "grids: 40": "grid: 40" }));
    const wrong = await runCommand(["config", "check", "-c", CONFIG, "--json"], { cwd });

    expect(right).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(right.stdout)).toEqual({
      config: CONFIG,
      isValid: true,
      grids: 1,
      warnings: [],
      problems: [],
    });
    expect(wrong).toMatchObject({ code: WRONG, stderr: "" });
    expect(JSON.parse(wrong.stdout)).toMatchObject({
      isValid: false,
      problems: [
        expect.stringContaining("trading.symbols[0].grids: is required"),
        expect.stringContaining('unknown key "grid"; did you mean "grids"?'),
      ],
    });
  });

  it.each(USAGES)("refuses $name", async ({ args, candles, ...refusal }) => {
    if (candles !== undefined) writeFileSync(join(cwd, "candles.csv"), candles);

    expectRefused(await runCommand(args.split(" ").filter(Boolean), { cwd }), refusal);
  });

  it("refuses a port that is in use, before anything is written", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    writeFileSync(join(cwd, CONFIG), defaultConfig({ "port: 0": `port: ${port}` }));
    try {
      const end = await runCommand(["run", "-c", CONFIG], { cwd });

      const says = new RegExp(`^quantmesh: 127\\.0\\.0\\.1:${port} is in use: .*web\\.port`);
      expectRefused(end, { code: FAILED, says });
    } finally {
      server.close();
      await once(server, "close");
    }
  });

  it("refuses a stored grid with other settings, shows both, and leaves it as it was", async () => {
    const first = startCommand(["run", "-c", CONFIG], { cwd });
    await first.line(({ event }) => event === "order.filled");
    await first.interrupt();
    const before = stored();
    writeFileSync(join(cwd, CONFIG), defaultConfig({ "grids: 40": "grids: 20" }));

    const end = await runCommand(["run", "-c", CONFIG], { cwd });

    expect(end).toMatchObject({ code: WRONG, stdout: "" });
    expectOneMessage(end);
    const [title, ...rest] = end.stderr.trimEnd().split("\n");
    expect(title).toBe("quantmesh: the stored grid of BTC/USDT differs from the config");
    expect(rest).toEqual([
      expect.stringMatching(/^ {2}stored: \{.*"grids":40,.*\}$/),
      expect.stringMatching(/^ {2}config: \{.*"grids":20,.*\}$/),
      expect.stringMatching(/put the old settings back, or give the new grid a database of its own\.$/),
    ]);
    expect(stored()).toEqual(before);

    writeFileSync(join(cwd, CONFIG), defaultConfig());
    const again = startCommand(["run", "-c", CONFIG], { cwd });
    await again.line(({ event }) => event === "instance.started");
    expect((await again.interrupt()).code).toBe(0);
  });

  /** The files that the bot and the market keep. */
  function stored(): readonly Buffer[] {
    return ["quantmesh.db", "sim-venue.journal"].map((name) => readFileSync(join(cwd, "data", name)));
  }
});

describe("help", () => {
  it("is shown by -h for every command and sub-command", async () => {
    const commands = ["", "run", "backtest", "backtesting", "config", "config check", "config show"];
    const lists = ["bots", "orders", "fills", "trades", "migrate", "db", "db copy", "db verify", "db backup"];
    await Promise.all(
      [...commands, ...lists].map(async (command) => {
        const words = command.split(" ").filter(Boolean);

        const end = await runCommand([...words, "-h"], { cwd: "." });

        expect(end, command).toMatchObject({ code: 0, stderr: "" });
        expect(end.stdout).toMatch(/^Usage: quantmesh .*\n\n\w/);
        expect(end.stdout.split("\n")[0]).toContain(words.at(-1) ?? "[command]");
        expect(end.stdout).toContain("-h, --help");
      }),
    );
  });

  it("says at the top level what the exit codes mean", async () => {
    const end = await runCommand(["--help"], { cwd: "." });

    expect(end.stdout).toContain("Exit codes: 0 done · 1 failed · 2 wrong config or usage");
  });

  it("is printed with exit code 2 where no command is given", async () => {
    const end = await runCommand([], { cwd: "." });

    expect(end).toMatchObject({ code: WRONG, stdout: "" });
    expect(end.stderr).toMatch(/^Usage: quantmesh/);
  });

  it("has a version that is the package's", async () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { readonly version: string };

    expect(await runCommand(["--version"], { cwd: "." })).toMatchObject({ code: 0, stdout: `${version}\n` });
  });
});

function lineWith(text: string, config: string): number {
  return config.split("\n").findIndex((line) => line.includes(text)) + 1;
}

/** One message from the command (`quantmesh:`) or from the option parser (`error:`), and no stack. */
function expectOneMessage({ stderr }: CommandEnd): void {
  expect(stderr.match(/^(quantmesh|error): /gm)).toHaveLength(1);
  expect(stderr).not.toMatch(/^\s+at |node:internal|internal error/m);
}
