/** Other users of a simulated exchange: what they do to a bot's orders. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PriceTicks } from "../../../src/domain/amounts.ts";
import type { ClientOrderId, Instant } from "../../../src/domain/ids.ts";
import { Crowd, completeCrowd, crowdAccounts } from "../../../src/venue/market/crowd.ts";
import type { CrowdOptions } from "../../../src/venue/market/crowd.ts";
import type { SimMarket } from "../../../src/exchange/sim/sim-exchange.ts";
import { openSimExchange } from "../../../src/exchange/sim/sim-exchange.ts";
import { Venue } from "../../../src/venue/matching/venue.ts";
import { ALWAYS_IDLE, INSTRUMENT, SYMBOL, advance, candlesOf, everything, place } from "./sim-kit.ts";
import { replayOf, requestOf, simOptions, swings } from "./sim-kit.ts";

const NEVER = new AbortController().signal;
let folder = "";

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "sim-"));
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

function open(crowd: CrowdOptions, journalFile = ":memory:", candles = swings(10)): Promise<SimMarket> {
  return openSimExchange(simOptions(replayOf(candles), { crowd, journalFile }));
}

/** The price falls from 100 to 90 and stays there. */
const FALL = candlesOf([[100, 100, 100, 100], ...Array.from({ length: 9 }, () => [90, 90, 90, 90] as const)]);

describe("a bot's resting order in a crowd", () => {
  it("is filled in several executions, over several points, each at its own limit", async () => {
    const market = await open({ maxQuantity: 20, takesPerPoint: 2 }, ":memory:", FALL);
    const { exchange } = market;
    await place(exchange, "a", "buy", 95, 200);

    await advance(market, 10);
    const [part] = await exchange.openOrders(SYMBOL);
    await market.drive(ALWAYS_IDLE, NEVER);

    expect(part?.executed).toBeGreaterThan(0);
    expect(part?.executed).toBeLessThan(200);
    const { fills } = await exchange.fillsSince(SYMBOL, undefined);
    expect(fills.length).toBeGreaterThanOrEqual(10);
    expect(new Set(fills.map(({ at }) => at)).size).toBeGreaterThan(4);
    expect(new Set(fills.map(({ price, liquidity }) => `${price} ${liquidity}`))).toEqual(
      new Set(["95 maker"]),
    );
    expect(await exchange.findOrder(SYMBOL, "a" as ClientOrderId)).toMatchObject({ status: "filled" });
  });

  it("waits for those that came to its price before it", async () => {
    const venue = new Venue({ instruments: [INSTRUMENT], depth: "book" });
    const options = completeCrowd({
      users: 1,
      takesPerPoint: 1,
      maxQuantity: 10,
      lifePoints: 1_000,
      depthTicks: 60,
    });
    const crowd = new Crowd(options, venue, [INSTRUMENT]);
    const [user = ""] = crowdAccounts(options);
    for (const account of ["early", "late"]) venue.deposit(account, "USDT", (10n ** 24n) as never);
    const act = (price: number, position: number): void => {
      venue.movePrice(SYMBOL, price as PriceTicks, 0 as Instant, "touch");
      crowd.act(SYMBOL, price as PriceTicks, "touch", position, 0 as Instant);
    };
    const buy = (account: string): void => {
      const { terms, ...rest } = requestOf(0 as Instant, account, "buy", 150, 30);
      venue.place({ ...terms, ...rest, account }, 0 as Instant);
    };
    buy("early");
    buy("late");

    const seen: string[] = [];
    for (let position = 1; position < 40; position += 1) {
      act(100, position);
      const executed = ["early", "late"].map(
        (account) => venue.findByClientId(account, SYMBOL, account as ClientOrderId)?.executed ?? 0,
      );
      if (executed[1] !== 0) expect(executed[0]).toBe(30);
      seen.push(executed.join(" "));
    }

    expect(seen.at(-1)).toBe("30 30");
    expect(new Set(seen).size).toBeGreaterThan(6);
    expect(venue.openOrders(user, SYMBOL).length).toBeGreaterThan(0);
  });

  it("is taken at once, by as many as it takes, where it is further from the price than orders rest", async () => {
    const market = await open({ maxQuantity: 20, depthTicks: 5 }, ":memory:", FALL);
    await place(market.exchange, "near", "buy", 95, 200);
    await place(market.exchange, "far", "buy", 96, 200);
    await advance(market, 5);
    await place(market.exchange, "late", "buy", 96, 200);

    const orders = await market.exchange.ordersSince(SYMBOL, 0 as Instant);

    expect(orders.map(({ id, status }) => [id, status])).toEqual([
      ["near", "open"],
      ["far", "filled"],
      ["late", "filled"],
    ]);
    const { fills } = await market.exchange.fillsSince(SYMBOL, undefined);
    expect(
      fills.filter(({ exchangeOrderId }) => exchangeOrderId === orders[1]?.exchangeOrderId).length,
    ).toBeGreaterThan(9);
  });

  it("is passed by where the market has to go through it, and only reaches it", async () => {
    const symbol = { ...replayOf(FALL), market: { type: "replay", candles: FALL, fill: "through" } } as const;
    const market = await openSimExchange(simOptions(symbol, { crowd: {} }));
    await place(market.exchange, "reached", "buy", 90, 10);
    await place(market.exchange, "passed", "buy", 91, 10);

    await market.drive(ALWAYS_IDLE, NEVER);

    const orders = await market.exchange.ordersSince(SYMBOL, 0 as Instant);
    expect(orders.map(({ id, status }) => [id, status])).toEqual([
      ["reached", "open"],
      ["passed", "filled"],
    ]);
  });
});

describe("a market with a crowd", () => {
  it("has the depth of its book: an order that takes more is filled at several prices, then rests", async () => {
    const market = await open({ maxQuantity: 10, ordersPerPoint: 2, lifePoints: 5, depthTicks: 5 });

    await place(market.exchange, "big", "buy", 105, 900);

    const { fills } = await market.exchange.fillsSince(SYMBOL, undefined);
    expect(new Set(fills.map(({ price }) => price)).size).toBeGreaterThan(1);
    expect(fills.every(({ price, liquidity }) => price > 100 && liquidity === "taker")).toBe(true);
    const [rest] = await market.exchange.openOrders(SYMBOL);
    expect(rest?.executed).toBe(fills.reduce((sum, { quantity }) => sum + quantity, 0));
    expect(rest?.executed).toBeLessThanOrEqual(100);
  });

  it("does the same for the same seed, and something else for another", async () => {
    const run = async (seed: number): Promise<unknown> => {
      const market = await open({ seed, maxQuantity: 20 });
      for (const [index, offset] of [2, 4, 6, 8].entries()) {
        await place(market.exchange, `b${index}`, "buy", 100 - offset, 100);
        await place(market.exchange, `s${index}`, "sell", 100 + offset, 100);
      }
      await market.drive(ALWAYS_IDLE, NEVER);
      return everything(market);
    };

    expect(await run(1)).toEqual(await run(1));
    expect(await run(1)).not.toEqual(await run(2));
  });

  it("writes nothing down of what others do, and shows them to nobody", async () => {
    const file = path.join(folder, "journal");
    const market = await open({}, file);
    const before = fs.readFileSync(file, "utf8").split("\n").length;
    const kinds = new Set<string>();
    market.exchange.subscribe(SYMBOL, ({ kind }) => kinds.add(kind));

    await market.drive(ALWAYS_IDLE, NEVER);

    expect(fs.readFileSync(file, "utf8").split("\n")).toHaveLength(before);
    expect([...kinds]).toEqual(["tick"]);
    expect(await market.exchange.openOrders(SYMBOL)).toEqual([]);
    expect((await market.exchange.balances()).map(({ asset }) => asset)).toEqual(["BTC", "USDT"]);
    await market.close();
  });

  it("keeps no more of its orders than live at a time", () => {
    const venue = new Venue({ instruments: [INSTRUMENT], depth: "book" });
    const options = completeCrowd({ ordersPerPoint: 3, lifePoints: 4 });
    const crowd = new Crowd(options, venue, [INSTRUMENT]);
    for (let position = 0; position < 200; position += 1) {
      const price = (100 + (position % 7)) as PriceTicks;
      crowd.act(SYMBOL, price, "touch", position, position as Instant);
      const open = crowdAccounts(options).flatMap((account) => venue.openOrders(account, SYMBOL));
      expect(open.length).toBeGreaterThan(0);
      expect(open.length).toBeLessThanOrEqual(3 * 4 + 3 * 5);
    }
  });

  it("refuses numbers that make no sense", async () => {
    for (const wrong of [{ users: 0 }, { maxQuantity: 1.5 }, { seed: Number.NaN }]) {
      await expect(open(wrong)).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining(Object.keys(wrong)[0] ?? "") as unknown,
      });
    }
  });
});
