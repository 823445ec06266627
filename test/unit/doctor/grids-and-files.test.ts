/** What is said of grids and the account that pays for them, of files with secrets, and of ports. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { CheckedGrid } from "../../../src/cli/check-grids.ts";
import { checkOneGrid } from "../../../src/cli/check-grids.ts";
import { checkSecrets } from "../../../src/cli/doctor/check-machine.ts";
import { checkPorts } from "../../../src/cli/doctor/check-ports.ts";
import { checkEachGrid } from "../../../src/cli/doctor/check-each-grid.ts";
import { judgeBalances, judgeOrderCounts } from "../../../src/cli/doctor/judge-grids.ts";
import { parseValues } from "../../../src/config/load-config.ts";
import type { Config } from "../../../src/config/schema.ts";
import { parseMoney } from "../../../src/domain/amounts.ts";

const folder = mkdtempSync(join(tmpdir(), "quantmesh-doctor-unit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Section = Readonly<Record<string, unknown>>;

const RULES = {
  tick_size: "0.01",
  lot_size: "0.00001",
  min_notional: "5",
  market: { type: "walk", seed: "1", start_price: "60000", step: "10" },
};
const GRID = { lower: "59000", upper: "61000", grids: "4", order_quantity: "100" };

function values(changes: Section = {}): Section {
  return {
    exchanges: { sim: { balances: { USDT: "1" }, symbols: { "BTC/USDT": RULES, "ETH/USDT": RULES } } },
    trading: {
      symbols: [
        { symbol: "BTC/USDT", ...GRID },
        { symbol: "ETH/USDT", ...GRID },
      ],
    },
    ...changes,
  };
}
const config = (changes: Section = {}): Config => parseValues(values(changes), "test", {}).config;

async function grids(): Promise<readonly CheckedGrid[]> {
  const own = config();
  return Promise.all(own.trading.symbols.map((grid) => checkOneGrid(own, grid)));
}

describe("the account", () => {
  const balance = (asset: string, free: string, locked = "0") => ({
    asset,
    free: parseMoney(free),
    locked: parseMoney(locked),
  });

  it("pays for all grids of a quote together, with what rests in orders and the base of the grids", async () => {
    const checked = await grids();
    const enough = judgeBalances(checked, [balance("USDT", "300", "100"), balance("BTC", "0.01")]);
    expect(enough).toMatchObject([{ level: "ok", says: expect.stringContaining("the account has 1000 (") }]);
  });

  it("that has less is told what is missing", async () => {
    const [finding] = judgeBalances(await grids(), [balance("USDT", "100"), balance("DOGE", "9999999")]);
    const needed = /the grids need ([\d.]+) USDT/.exec(finding?.says ?? "")?.[1] ?? "";
    expect(Number(needed)).toBeGreaterThan(790);
    expect(finding).toMatchObject({
      level: "warn",
      remedy: expect.stringContaining(
        `deposit ${needed.replace(/^\d+/, (whole) => String(Number(whole) - 100))} USDT`,
      ),
    });
  });
});

describe("grids", () => {
  it("may not have more orders than the exchange lets rest, or the config allows", async () => {
    const checked = await grids();
    expect(judgeOrderCounts(checked, () => 4, 8)).toEqual([]);
    expect(judgeOrderCounts(checked, () => undefined, undefined)).toEqual([]);
    expect(judgeOrderCounts(checked, (symbol) => (symbol === "BTC/USDT" ? 3 : 4), 7)).toMatchObject([
      { level: "fault", says: expect.stringContaining("BTC/USDT: up to 4 orders") },
      { level: "warn", remedy: expect.stringContaining("max_open_orders to 8") },
    ]);
  });

  it("are each judged by themselves, in their order", async () => {
    const [first, second] = [
      { symbol: "BTC/USDT", ...GRID },
      { symbol: "ETH/USDT", ...GRID },
    ];
    const { findings, checked } = await checkEachGrid(
      config({ trading: { symbols: [{ ...first, order_quantity: "1" }, second] } }),
      undefined,
    );
    expect(findings.map(({ level, says }) => `${level} ${says.slice(0, 8)}`)).toEqual([
      "fault BTC/USDT",
      "ok ETH/USDT",
    ]);
    expect(checked).toHaveLength(1);
  });

  it("that are stored must be those of the config, as a start would refuse others", async () => {
    const stored = (await grids()).map(({ preview }) => preview);
    const [first, second] = [
      { symbol: "BTC/USDT", ...GRID },
      { symbol: "ETH/USDT", ...GRID },
    ];
    const changed = config({ trading: { symbols: [first, { ...second, grids: "5" }] } });

    const { findings, checked } = await checkEachGrid(changed, undefined, stored);

    expect(findings).toMatchObject([
      { level: "ok" },
      {
        level: "fault",
        says: expect.stringMatching(/stored grid of ETH\/USDT differs[^]*"grids":4[^]*"grids":5/),
        remedy: expect.stringContaining("put the old settings back"),
      },
    ]);
    expect(checked).toHaveLength(1);
  });
});

describe("a config file", () => {
  const file = join(folder, "config.json");
  const judged = (dsn: string, secret: string, mode: number): string | undefined => {
    const own = values({ database: { type: "postgres", dsn }, coordination: { secret } });
    writeFileSync(file, JSON.stringify(own));
    chmodSync(file, mode);
    return checkSecrets(file, own, config())[0]?.level;
  };

  it("with secrets of its own should be its owner's alone; the environment's are no matter", () => {
    expect(judged("postgres://u:p@h/d", "s", 0o600)).toBe("ok");
    expect(judged("postgres://u:p@h/d", "${S}", 0o640)).toBe("warn");
    expect(judged("postgres://h/d", "s", 0o604)).toBe("warn");
    expect(judged("postgres://u@h/d", "${S}", 0o644)).toBe("ok");
  });
});

describe("the web server's port", () => {
  it.each([
    ['{"live":true}', "ok"],
    ["hello", "fault"],
  ])("where somebody answers %s is judged %s", async (answer, level) => {
    const server = createServer((_, response) => response.end(answer)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    try {
      const findings = await checkPorts(config({ web: { port: String(port) } }), false, 5_000);
      expect(findings).toMatchObject([{ check: "ports", level }]);
    } finally {
      server.close();
    }
  });
});
