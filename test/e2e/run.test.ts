/** `quantmesh run` with the shipped config: it trades, stops, and goes on where it stopped. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Money } from "../../src/domain/amounts.ts";
import { addMoney, formatMoney, parseMoney, subtractMoney } from "../../src/domain/amounts.ts";
import type { Command, LogLine } from "../support/command.ts";
import { endCommands, runCommand, startCommand } from "../support/command.ts";
import {
  CONFIG,
  configFolder,
  defaultConfig,
  readExchange,
  removeFolder,
} from "../support/default-config.ts";

const RUN = ["run", "-c", CONFIG];
const isFill = ({ event }: LogLine): boolean => event === "order.filled";
const isGridFill = (line: LogLine): boolean => isFill(line) && line["liquidity"] === "maker";
const isStarted = ({ event }: LogLine): boolean => event === "instance.started";

interface Order {
  readonly id: string;
  readonly slot: number;
  readonly side: string;
  readonly type: string;
  readonly status: string;
}

interface Bot {
  readonly bot: string;
  readonly position: string;
  readonly fills: number;
}

interface Fill extends Readonly<Record<string, unknown>> {
  readonly side: string;
  readonly price: string;
  readonly quantity: string;
  readonly fee: string;
}

describe("quantmesh run", () => {
  let cwd = "";
  beforeEach(() => {
    // Ten times as fast as shipped: a fill comes every tenth of a second.
    cwd = configFolder(defaultConfig({ "step_ms: 200": "step_ms: 20" }));
  });
  afterEach(async () => {
    await endCommands();
    removeFolder(cwd);
  });

  /** What a list command prints, as JSON. */
  async function list<Row>(...args: readonly string[]): Promise<readonly Row[]> {
    const end = await runCommand([...args, "-c", CONFIG, "--limit", "10000", "--json"], { cwd });
    expect(end).toMatchObject({ code: 0, stderr: "" });
    return JSON.parse(end.stdout) as readonly Row[];
  }

  const openOrders = (): Promise<readonly Order[]> => list<Order>("orders", "--open");

  async function onlyBot(): Promise<Bot> {
    const bots = await list<Bot>("bots");
    expect(bots).toHaveLength(1);
    return bots[0] as Bot;
  }

  it("prints its fills as JSON lines and ends with 0 on Ctrl-C, with the config as it is shipped", async () => {
    writeFileSync(join(cwd, CONFIG), defaultConfig());
    const command = startCommand(RUN, { cwd });
    const [fill] = await command.linesMatching(isGridFill, 2);
    const end = await command.interrupt();

    expect(fill).toMatchObject({ level: "info", symbol: "BTC/USDT", quantity: expect.any(String) as string });
    expect(end).toMatchObject({ code: 0, signal: null, stderr: "" });
    expect(command.lines.at(-1)?.event).toBe("instance.stopped");
    const lines = end.stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as LogLine)).toEqual(command.lines);
  });

  it("resumes the same grid: same resting orders, same position, no second initial purchase", async () => {
    const first = startCommand(RUN, { cwd });
    await first.linesMatching(isGridFill, 3);
    await first.interrupt();
    const ordersBefore = await openOrders();
    const botBefore = await onlyBot();
    await expectExchangeAgrees(botBefore);

    const second = startCommand(RUN, { cwd });
    await second.linesMatching(isGridFill, 2);
    expect((await second.interrupt()).code).toBe(0);

    const ordersAfter = await openOrders();
    const botAfter = await onlyBot();
    const filled = second.lines.filter(isFill);
    const filledIds = new Set(filled.map(({ id }) => id));
    expect(ordersBefore).toHaveLength(40);
    expect(ordersAfter).toHaveLength(40);
    // What did not fill rests on under its old id; whose order filled has exactly one new order.
    expect(idsOf(ordersAfter)).toEqual(
      expect.arrayContaining(idsOf(ordersBefore).filter((id) => !filledIds.has(id))),
    );
    const slotsOfNew = ordersAfter
      .filter(({ id }) => !idsOf(ordersBefore).includes(id))
      .map(({ slot }) => slot);
    expect(new Set(slotsOfNew)).toEqual(new Set(filled.map((fill) => fill["slot"])));
    expect(second.lines.map(({ event }) => event)).not.toContain("bot.created");
    expect(filled.every(isGridFill)).toBe(true);
    expect(botAfter.bot).toBe(botBefore.bot);
    expect(botAfter.fills).toBe(botBefore.fills + filled.length);
    expect(parseMoney(botAfter.position)).toBe(filled.reduce(addFill, parseMoney(botBefore.position)));
    const { audit } = await expectExchangeAgrees(botAfter);
    expect(audit.filter(({ type }) => type === "market")).toHaveLength(1);
    expect(new Set(audit.map(({ id }) => id)).size).toBe(audit.length);
  });

  it("is replaced at once after a kill -9", async () => {
    const killed = startCommand(RUN, { cwd });
    await killed.linesMatching(isGridFill, 2);
    killed.kill("SIGKILL");
    expect((await killed.ended).signal).toBe("SIGKILL");

    const successor = startCommand(RUN, { cwd });
    await successor.line(isGridFill);
    expect((await successor.interrupt()).code).toBe(0);

    expect(await openOrders()).toHaveLength(40);
    const { audit } = await expectExchangeAgrees(await onlyBot());
    expect(audit.filter(({ type }) => type === "market")).toHaveLength(1);
    expect(new Set(audit.map(({ id }) => id)).size).toBe(audit.length);
  });

  it("keeps a second process away from its database, and goes on itself", async () => {
    const first = startCommand(RUN, { cwd });
    await first.line(isFill);

    const second = await runCommand(RUN, { cwd });

    expect(second).toMatchObject({ code: 1, stdout: "" });
    expect(second.stderr).toMatch(
      /^quantmesh: another quantmesh process is running on .*quantmesh\.db: stop/,
    );
    expect(second.stderr.trimEnd().split("\n")).toHaveLength(1);
    const fillsSoFar = first.lines.filter(isFill).length;
    await first.linesMatching(isFill, fillsSoFar + 1);
    expect((await first.interrupt()).code).toBe(0);
    await expectExchangeAgrees(await onlyBot());
  });

  it("answers on its web server while it runs", async () => {
    const command = startCommand(RUN, { cwd });
    await command.line(isGridFill);
    const url = await urlOf(command);

    const metrics = await fetch(`${url}/metrics`);
    const live = await fetch(`${url}/health/live`);
    const ready = await fetch(`${url}/health/ready`);

    expect(metrics.status).toBe(200);
    const text = await metrics.text();
    expect(text).toMatch(/^quantmesh_fills_total\{.*symbol="BTC\/USDT".*\} [1-9]/m);
    expect(text).toMatch(/^quantmesh_current_price\{/m);
    expect(live.status).toBe(200);
    expect(ready.status).toBe(200);
    const part = { ok: true, latencyMs: expect.any(Number) as number };
    expect(await ready.json()).toEqual({
      ready: true,
      parts: { database: part, exchange: part, lock: part },
    });
    expect((await command.interrupt()).code).toBe(0);
    await expect(fetch(`${url}/health/live`)).rejects.toThrow();
  });

  it("starts by the Go project's command line too", async () => {
    const command = startCommand([`--config=${join(cwd, CONFIG)}`], { cwd });
    await command.line(isStarted);
    expect((await command.interrupt()).code).toBe(0);
    expect(command.lines.at(-1)?.event).toBe("instance.stopped");
  });

  it("refuses --standby, which needs a fleet", async () => {
    const end = await runCommand(["--config", CONFIG, "--standby"], { cwd });
    expect(end).toMatchObject({ code: 2, stdout: "" });
    expect(end.stderr).toMatch(/^quantmesh: .*a standby needs a fleet: set coordination\.mode to dynamic\n$/);
  });

  /** The account on the exchange holds what the bot's stored fills add up to. */
  async function expectExchangeAgrees(bot: Bot) {
    const fills = await list<Fill>("fills");
    const side = await readExchange(cwd);
    expect(fills).toHaveLength(bot.fills);
    expect(side.balances["BTC"]).toBe(bot.position);
    expect(formatMoney(fills.reduce(addFill, parseMoney("0")))).toBe(bot.position);
    expect(Number(side.balances["USDT"])).toBeCloseTo(10_000 + fills.reduce(addCash, 0), 8);
    return side;
  }
});

async function urlOf(command: Command): Promise<string> {
  return String((await command.line(isStarted))["url"]);
}

function idsOf(orders: readonly Order[]): readonly string[] {
  return orders.map(({ id }) => id);
}

/** The position after a fill; `quantity` is exact text. */
function addFill(position: Money, fill: Readonly<Record<string, unknown>>): Money {
  const lots = parseMoney(String(fill["quantity"]));
  return fill["side"] === "buy" ? addMoney(position, lots) : subtractMoney(position, lots);
}

/** The quote after a fill, near enough for a comparison: exact sums are compared in the base. */
function addCash(cash: number, { side, price, quantity, fee }: Fill): number {
  const value = Number(price) * Number(quantity);
  return cash - Number(fee) + (side === "buy" ? -value : value);
}
