/** Opening a simulated exchange, and what its journal refuses. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseMoney } from "../../../src/domain/amounts.ts";
import type { Instant } from "../../../src/domain/ids.ts";
import { createInstrument } from "../../../src/domain/instrument.ts";
import { readAudit, readRefusals } from "../../../src/exchange/sim/read-audit.ts";
import type { SimMarket } from "../../../src/exchange/sim/sim-exchange.ts";
import { openSimExchange } from "../../../src/exchange/sim/sim-exchange.ts";
import { ALWAYS_IDLE, START, SYMBOL, candlesOf, cancel, place } from "./sim-kit.ts";
import { replayOf, requestOf, simOptions, swings, walkOf } from "./sim-kit.ts";

let file = "";
const opened: SimMarket[] = [];

beforeEach(() => {
  file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "sim-")), "state", "journal");
});
afterEach(async () => {
  for (const market of opened.splice(0)) await market.close();
  fs.rmSync(path.dirname(path.dirname(file)), { recursive: true });
});

async function open(
  more: Parameters<typeof simOptions>[1] = {},
  symbol = replayOf(swings(4)),
): Promise<SimMarket> {
  const market = await openSimExchange(simOptions(symbol, { journalFile: file, ...more }));
  opened.push(market);
  return market;
}

const failure = (code: string, message: string): object =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as unknown });

describe("the journal of a simulated exchange", () => {
  it("holds a command before its answer is there", async () => {
    const { exchange } = await open();
    const placed = await place(exchange, "a", "buy", 95, 10);
    expect(fs.readFileSync(file, "utf8").trimEnd().split("\n").at(-1)).toContain('"kind":"place"');

    expect(placed).toEqual({ kind: "accepted", exchangeOrderId: "1" });
    await cancel(exchange, "1");
    expect(fs.readFileSync(file, "utf8").trimEnd().split("\n").at(-1)).toContain('"kind":"cancel"');
  });

  it("lists every order that was accepted, and none that was refused", async () => {
    const market = await open();
    await place(market.exchange, "a", "buy", 95, 10);
    await place(market.exchange, "a", "buy", 94, 10);
    await place(market.exchange, "poor", "buy", 95, 100_000);
    await cancel(market.exchange, "1");

    expect(readAudit(file)).toEqual([
      {
        id: "a",
        account: "main",
        symbol: SYMBOL,
        side: "buy",
        type: "limit",
        price: 95,
        quantity: 10,
        validUntil: START + 1_000,
        exchangeOrderId: "1",
        time: START,
        status: "canceled",
        executed: 0,
      },
    ]);
  });

  it("tells how each order ended and what it executed, and what was refused and why", async () => {
    const market = await open();
    await place(market.exchange, "full", "buy", 95, 10);
    await place(market.exchange, "taker", "buy", 100, 5);
    await place(market.exchange, "waits", "sell", 150, 10);
    await place(market.exchange, "waits", "sell", 150, 10);
    const late = requestOf((START - 1_001) as Instant, "late", "buy", 95, 10);
    await market.exchange.placeOrder(late);
    await place(market.exchange, "poor", "buy", 95, 100_000);

    await market.drive(ALWAYS_IDLE, new AbortController().signal);

    expect(readAudit(file).map(({ id, status, executed }) => [id, status, executed])).toEqual([
      ["full", "filled", 10],
      ["taker", "filled", 5],
      ["waits", "open", 0],
    ]);
    expect(readRefusals(file).map(({ id, reason, time }) => [id, reason, time])).toEqual([
      ["waits", "duplicate", START],
      ["late", "expired", START],
      ["poor", "insufficient_funds", START],
    ]);
  });

  it("has one writer: the process that finds another's line places nothing and says so", async () => {
    const first = await open();
    const second = await open();
    await place(first.exchange, "a", "buy", 95, 10);
    const before = fs.readFileSync(file, "utf8");
    const already = failure("ALREADY_RUNNING", file);

    await expect(place(second.exchange, "b", "buy", 95, 10)).rejects.toEqual(already);
    await expect(second.exchange.ping()).rejects.toEqual(already);
    await expect(second.drive(ALWAYS_IDLE, new AbortController().signal)).rejects.toEqual(already);

    expect(fs.readFileSync(file, "utf8")).toBe(before);
    expect(await first.exchange.openOrders(SYMBOL)).toHaveLength(1);
  });

  it.each([
    ["balances", { balances: { USDT: parseMoney("1") } }, undefined],
    ["account", { account: "other" }, undefined],
    ["clientIdRule", { clientIdRule: "none" as const }, undefined],
    ["selfTrade", { selfTrade: "none" as const }, undefined],
    ["crowd", { crowd: {} }, undefined],
    ["clockOffsetMs", { faults: { clockOffsetMs: 5 } }, undefined],
    ["filters", {}, { ...replayOf(swings(4)), filters: { maxOpenOrders: 5 } }],
    ["market", {}, replayOf(swings(5))],
    ["market", {}, replayOf(candlesOf([...Array(4).keys()].map(() => [100, 100, 100, 100] as const)))],
    ["market", {}, walkOf(1)],
    [
      "instruments",
      {},
      {
        ...replayOf(swings(4)),
        instrument: createInstrument({
          exchange: "sim",
          symbol: SYMBOL,
          tickSize: "1",
          lotSize: "0.1",
          makerFee: "0",
          takerFee: "0",
        }),
      },
    ],
  ])("belongs to one market: other %s need another file", async (name, more, symbol) => {
    await (await open()).close();

    await expect(open(more, symbol)).rejects.toEqual(failure("CONFIG_INVALID", `(other ${name})`));
    await expect(open(more, symbol)).rejects.toEqual(
      failure("CONFIG_INVALID", `${file} is the journal of another`),
    );
    expect((await open()).progress().position).toBe(0);
  });

  it("is begun anew where the process died while it was begun", async () => {
    await (await open()).close();
    const whole = fs.readFileSync(file);
    for (const length of [0, 20, 100, whole.length - 1]) {
      fs.writeFileSync(file, whole.subarray(0, length));
      await (await open()).close();
      expect(fs.readFileSync(file)).toEqual(whole);
    }
  });

  it("is never made of a file that is something else", async () => {
    fs.mkdirSync(path.dirname(file));
    fs.writeFileSync(file, "my diary\n");

    await expect(open()).rejects.toEqual(failure("CONFIG_INVALID", `${file} is not the journal`));
    expect(fs.readFileSync(file, "utf8")).toBe("my diary\n");
  });

  it("is refused where it is damaged, of another format, or cannot be opened", async () => {
    const market = await open();
    await place(market.exchange, "a", "buy", 95, 10);
    await place(market.exchange, "b", "buy", 95, 10);
    await market.close();
    const lines = fs.readFileSync(file, "utf8").split("\n");

    fs.writeFileSync(file, lines.with(2, '{"kind":"pl').join("\n"));
    await expect(open()).rejects.toEqual(failure("DATA_INVALID", `${file} line 3 is damaged`));
    fs.writeFileSync(file, lines.with(2, '{"kind":"other"}').join("\n"));
    await expect(open()).rejects.toEqual(failure("DATA_INVALID", `${file} line 3 is damaged`));
    fs.writeFileSync(file, lines.join("\n").replace('"format":2', '"format":1'));
    await expect(open()).rejects.toEqual(failure("CONFIG_INVALID", "has format 1, not 2"));
    await expect(open({ journalFile: path.dirname(file) })).rejects.toEqual(
      failure("CONFIG_INVALID", "cannot open"),
    );
  });

  it.each([
    ["outcome", '"exchangeOrderId":"1"', '"exchangeOrderId":"7"'],
    ["changes", '[["1","open",0]]', '[["1","open",1]]'],
  ])("that does not repeat itself stops the market: another %s", async (what, written, forged) => {
    const market = await open();
    await place(market.exchange, "a", "buy", 95, 10);
    await market.close();
    fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace(written, forged));

    await expect(open()).rejects.toEqual(failure("INVARIANT", `does not repeat itself at point 0: ${what}`));
  });
});

describe("a simulated exchange", () => {
  it("answers nothing once its market is closed", async () => {
    const market = await open();
    await market.close();
    await market.close();
    const closed = failure("EXCHANGE_UNAVAILABLE", "closed");

    await expect(market.exchange.ping()).rejects.toEqual(closed);
    await expect(market.exchange.openOrders(SYMBOL)).rejects.toEqual(closed);
    await expect(market.drive(ALWAYS_IDLE, new AbortController().signal)).rejects.toEqual(closed);
    expect(await cancel({ ...market.exchange, time: async () => START as never }, "1")).toMatchObject({
      kind: "unknown",
    });
  });

  it("keeps nothing where its journal is in memory", async () => {
    const market = await open({ journalFile: ":memory:" });
    await place(market.exchange, "a", "buy", 95, 10);

    expect(fs.existsSync(path.dirname(file))).toBe(false);
    expect(fs.existsSync(":memory:")).toBe(false);
    await market.close();
    await expect(market.exchange.ping()).rejects.toEqual(failure("EXCHANGE_UNAVAILABLE", "closed"));
  });

  it("refuses markets that do not go together", async () => {
    const options = simOptions(walkOf(1));
    const other = createInstrument({
      exchange: "sim",
      symbol: "ETH/USDT",
      tickSize: "1",
      lotSize: "0.1",
      makerFee: "0",
      takerFee: "0",
    });
    const replay = { ...replayOf(swings(1)), instrument: other };
    const broken = { ...walkOf(1), market: { ...walkOf(1).market, stepMs: 0 } };

    for (const [wrong, message] of [
      [{ symbols: [] }, "has no symbols"],
      [{ symbols: [walkOf(1), walkOf(2)] }, "lists a symbol twice"],
      [{ symbols: [walkOf(1), replay] }, "mixes walks"],
      [{ symbols: [broken] }, "walks with 0"],
      [{ balances: { USDT: parseMoney("-1") } }, "balance of USDT is below 0"],
    ] as const) {
      const opening = openSimExchange({ ...options, ...wrong });
      await expect(opening).rejects.toEqual(failure("CONFIG_INVALID", message));
    }
  });

  it("tells the window and delay of its requests as it was told", async () => {
    const market = await open({ requestWindowMs: 500, settleMs: 0 });
    const { name, account, requestWindowMs, settleMs } = market.exchange;
    expect([name, account, requestWindowMs, settleMs]).toEqual(["sim", "main", 500, 0]);
    const defaults = (await open({ journalFile: ":memory:" })).exchange;
    expect([defaults.requestWindowMs, defaults.settleMs]).toEqual([1_000, 2_000]);
  });
});
