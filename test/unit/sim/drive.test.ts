/** How a simulated market moves: in what order, when, and what a bot sees by then. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Instant } from "../../../src/domain/ids.ts";
import type { MarketHint } from "../../../src/exchange/exchange.ts";
import type { SimMarket } from "../../../src/exchange/sim/sim-exchange.ts";
import { openSimExchange } from "../../../src/exchange/sim/sim-exchange.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import { ALWAYS_IDLE, START, SYMBOL, advance, candlesOf, place } from "./sim-kit.ts";
import { replayOf, requestOf, simOptions, swings, walkOf } from "./sim-kit.ts";

const NEVER = new AbortController().signal;
let folder = "";

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "sim-"));
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

function openReplay(count: number, journalFile = ":memory:"): Promise<SimMarket> {
  return openSimExchange(simOptions(replayOf(swings(count)), { journalFile }));
}

function hintsOf(market: SimMarket): string[] {
  const seen: string[] = [];
  market.exchange.subscribe(SYMBOL, (hint) => seen.push(textOf(hint)));
  return seen;
}

function textOf(hint: MarketHint): string {
  if (hint.kind === "tick") return `tick ${hint.price} at ${hint.at - START}`;
  if (hint.kind === "fill") return `fill ${hint.id} at ${hint.execution.at - START}`;
  return hint.kind === "order" ? `${hint.order.status} ${hint.order.id}` : hint.kind;
}

describe("a replay", () => {
  it("stands at the first price before it is driven, and goes through all points to the end", async () => {
    const market = await openReplay(2);
    const seen = hintsOf(market);
    expect(await market.exchange.price(SYMBOL)).toEqual({ price: 100, at: START });
    expect(market.progress()).toEqual({ position: 0, total: 8 });

    await market.drive(ALWAYS_IDLE, NEVER);

    const prices = [100, 90, 110, 105, 105, 108, 92, 100];
    expect(seen).toEqual(prices.map((price, index) => `tick ${price} at ${index * 15_000}`));
    expect(market.progress()).toEqual({ position: 8, total: 8 });
    expect(await market.exchange.time()).toBe(START + 7 * 15_000);
  });

  it("tells of fills before the tick that caused them, and of commands only after they returned", async () => {
    const market = await openReplay(1);
    const seen = hintsOf(market);

    const placing = market.exchange.placeOrder(requestOf(market.clock.now(), "a", "buy", 95, 10));
    expect(seen).toEqual([]);
    await placing;
    await market.drive(ALWAYS_IDLE, NEVER);

    expect(seen).toEqual([
      "open a",
      "tick 100 at 0",
      "fill a at 15000",
      "filled a",
      "tick 90 at 15000",
      "tick 110 at 30000",
      "tick 105 at 45000",
    ]);
  });

  it("delivers what a listener's order caused before it goes on", async () => {
    const market = await openReplay(1);
    const seen = hintsOf(market);
    let placed = false;
    market.exchange.subscribe(SYMBOL, () => {
      if (placed) return;
      placed = true;
      void market.exchange.placeOrder(requestOf(market.clock.now(), "now", "buy", 120, 1));
    });

    // Nobody waits for the order's answer: the pending hints alone hold the market back.
    await market.drive(ALWAYS_IDLE, NEVER);

    expect(seen.slice(0, 4)).toEqual(["tick 100 at 0", "open now", "fill now at 0", "filled now"]);
  });

  it("moves only while all are idle, and ends only then", async () => {
    const market = await openReplay(1);
    let busyUntil = Promise.resolve();
    let isBusy = false;
    let release: () => void = () => undefined;
    const seenBusy: number[] = [];
    market.exchange.subscribe(SYMBOL, () => {
      isBusy = true;
      busyUntil = new Promise((resolve) => {
        release = resolve;
      });
      seenBusy.push(market.progress().position);
      setImmediate(() => {
        seenBusy.push(market.progress().position);
        isBusy = false;
        release();
      });
    });

    await market.drive({ isIdle: () => !isBusy, whenIdle: () => busyUntil }, NEVER);

    expect(seenBusy).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
    expect(isBusy).toBe(false);
  });

  it("stops at each timer on its way, before a point that is due together", async () => {
    const market = await openReplay(1);
    const seen = hintsOf(market);
    const { clock } = market;
    const note = (): unknown => seen.push(`timer at ${clock.now() - START}`);
    clock.after(20_000, note);
    clock.after(15_000, () => {
      note();
      clock.after(0, note);
    });
    clock.after(99_000, note);

    await market.drive(ALWAYS_IDLE, NEVER);

    expect(seen).toEqual([
      "tick 100 at 0",
      "timer at 15000",
      "timer at 15000",
      "tick 90 at 15000",
      "timer at 20000",
      "tick 110 at 30000",
      "tick 105 at 45000",
    ]);
  });

  it("lets the rest of the process have its turn, and stops when it is told to", async () => {
    const market = await openReplay(5_000);
    const stop = new AbortController();
    setImmediate(() => stop.abort());

    await market.drive(ALWAYS_IDLE, stop.signal);

    expect(market.progress().position).toBeGreaterThan(0);
    expect(market.progress().position).toBeLessThanOrEqual(1_000);
    await market.drive(ALWAYS_IDLE, NEVER);
    expect(market.progress().position).toBe(20_000);
  });

  it("stops at once where those that it waits for never are idle again", async () => {
    const market = await openReplay(1);
    const stop = new AbortController();
    const driving = market.drive(
      { isIdle: () => false, whenIdle: () => new Promise(() => undefined) },
      stop.signal,
    );

    stop.abort();

    await expect(driving).resolves.toBeUndefined();
    expect(market.progress().position).toBe(0);
  });

  it("has written its place and its time before anybody sees them", async () => {
    const file = path.join(folder, "journal");
    const market = await openReplay(3, file);
    const written: unknown[] = [];
    const seen: unknown[] = [];
    const look = (): void => {
      const header = JSON.parse(fs.readFileSync(file, "utf8").split("\n")[0] ?? "") as Record<string, string>;
      written.push([Number(header["position"]), Number(header["time"])]);
      seen.push([market.progress().position, market.clock.now()]);
    };
    market.exchange.subscribe(SYMBOL, look);
    market.clock.after(20_000, look);

    await market.drive(ALWAYS_IDLE, NEVER);

    expect(written).toHaveLength(13);
    expect(written).toEqual(seen);
    await market.close();
  });

  it("fills by going through where its market says so", async () => {
    const candles = candlesOf([[100, 100, 95, 100]]);
    const { instrument } = replayOf(candles);
    const market = await openSimExchange(
      simOptions({ instrument, market: { type: "replay", candles, fill: "through" } }),
    );
    await place(market.exchange, "touched", "buy", 95, 10);
    await place(market.exchange, "passed", "buy", 96, 10);

    await market.drive(ALWAYS_IDLE, NEVER);

    const orders = await market.exchange.ordersSince(SYMBOL, 0 as Instant);
    expect(orders.map(({ id, status }) => [id, status])).toEqual([
      ["touched", "open"],
      ["passed", "filled"],
    ]);
  });
});

describe("a walk", () => {
  it("moves one step each time that its clock has gone on by a step, until it is stopped", async () => {
    const wallClock = new VirtualClock(5_000 as Instant);
    const market = await openSimExchange(simOptions(walkOf(1), { wallClock }));
    const seen: number[] = [];
    market.exchange.subscribe(SYMBOL, (hint) => hint.kind === "tick" && seen.push(hint.at));
    expect(await market.exchange.price(SYMBOL)).toEqual({ price: 100, at: 5_000 });

    await advance(market, 3);

    expect(seen).toEqual([5_250, 5_500, 5_750]);
    expect((await market.exchange.price(SYMBOL)).at).toBe(5_750);
    expect(market.progress()).toEqual({ position: 3, total: undefined });
    expect(wallClock.nextTimerAt()).toBeUndefined();
  });
});
