/** What can go wrong between a bot and its exchange: each fault by itself, and all of them by one seed. */
import { afterEach, describe, expect, it } from "vitest";
import type { ClientOrderId, Instant } from "../../../src/domain/ids.ts";
import type { PlaceOutcome } from "../../../src/exchange/exchange.ts";
import type { Idle } from "../../../src/exchange/sim/drive.ts";
import type { FaultOptions } from "../../../src/exchange/sim/faults.ts";
import { FAULT_NAMES } from "../../../src/exchange/sim/faults.ts";
import type { SimMarket, SimOptions } from "../../../src/exchange/sim/sim-exchange.ts";
import { openSimExchange } from "../../../src/exchange/sim/sim-exchange.ts";
import type { Candles } from "../../../src/venue/market/candles.ts";
import { ALWAYS_IDLE, INTERVAL_MS, START, SYMBOL, advance, cancel, candlesOf } from "./sim-kit.ts";
import { place, replayOf, requestOf, simOptions, swings } from "./sim-kit.ts";

const NEVER = new AbortController().signal;
const opened: SimMarket[] = [];
afterEach(async () => {
  for (const market of opened.splice(0)) await market.close();
});

async function open(
  faults: FaultOptions,
  candles: Candles = swings(4),
  more: Partial<SimOptions> = {},
): Promise<SimMarket> {
  const market = await openSimExchange(simOptions(replayOf(candles), { faults, ...more }));
  opened.push(market);
  return market;
}

const find = async (market: SimMarket, id: string): Promise<string | undefined> => {
  const order = await market.exchange.findOrder(SYMBOL, id as ClientOrderId);
  return order && `${order.status} ${order.executed}/${order.quantity}`;
};
const struck = (market: SimMarket): object =>
  Object.fromEntries(Object.entries(market.faults()).filter(([, count]) => count > 0));

/** A bot's work in flight: the market must not go on while there is any that is not late. */
class Work implements Idle {
  #busy = 0;
  readonly #wake: (() => void)[] = [];
  isIdle = (): boolean => this.#busy === 0;
  whenIdle = (): Promise<void> => new Promise((resolve) => void this.#wake.push(resolve));
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
      for (const wake of this.#wake.splice(0)) wake();
    }
  }
}

/** Places one order of each id at the first tick of a drive to the end, and tells what came of each, and when. */
async function placeInDrive(market: SimMarket, ids: readonly string[]): Promise<readonly string[]> {
  const { exchange, clock } = market;
  const work = new Work();
  const told: string[] = [];
  let hasPlaced = false;
  exchange.subscribe(SYMBOL, (hint) => {
    if (hint.kind === "order" && hint.order.status === "open") told.push(`${hint.order.id} is open`);
    if (hint.kind === "tick") told.push(`tick at ${hint.at - START}`);
    if (hint.kind !== "tick" || hasPlaced) return;
    hasPlaced = true;
    for (const id of ids) void work.run(() => send(id));
  });
  await market.drive(work, NEVER);
  return told;

  async function send(id: string): Promise<void> {
    const outcome = await exchange.placeOrder(requestOf(clock.now(), id, "buy", 80, 10));
    const reason = outcome.kind === "rejected" ? ` ${outcome.reason}` : "";
    told.push(`${id} ${outcome.kind}${reason} at ${clock.now() - START}`);
  }
}

describe("a request", () => {
  it("that is lost on its way does nothing, and its outcome is unknown", async () => {
    const market = await open({ lostBefore: 1 });

    expect(await place(market.exchange, "a", "buy", 80, 10)).toMatchObject({ kind: "unknown" });
    expect(await cancel(market.exchange, "1")).toMatchObject({ kind: "unknown" });

    expect(await market.exchange.openOrders(SYMBOL)).toEqual([]);
    expect(struck(market)).toEqual({ lostBefore: 2 });
  });

  it("whose answer is lost is carried out, and its outcome is unknown", async () => {
    const market = await open({ lostAfter: 1, lostCancelAnswer: 1 });

    expect(await place(market.exchange, "a", "buy", 80, 10)).toMatchObject({ kind: "unknown" });
    expect(await find(market, "a")).toBe("open 0/10");
    expect(await cancel(market.exchange, "1")).toMatchObject({ kind: "unknown" });
    expect(await find(market, "a")).toBe("canceled 0/10");

    expect(struck(market)).toEqual({ lostAfter: 1, lostCancelAnswer: 1 });
  });

  it("that was not carried out keeps its answer, however many answers are lost", async () => {
    const market = await open({ lostAfter: 1, lostCancelAnswer: 1 });

    expect(await place(market.exchange, "a", "buy", 80, 100_000)).toMatchObject({ kind: "rejected" });
    expect(await cancel(market.exchange, "1")).toEqual({ kind: "not_found" });
    expect(struck(market)).toEqual({});
  });

  it("that is valid can be refused for certain, and leaves nothing", async () => {
    const market = await open({ rejected: 1 });

    expect(await place(market.exchange, "a", "buy", 80, 10)).toMatchObject({
      kind: "rejected",
      reason: "other",
    });
    expect(await place(market.exchange, "b", "buy", 80, 100_000)).toMatchObject({
      reason: "insufficient_funds",
    });

    expect(await find(market, "a")).toBeUndefined();
    expect(struck(market)).toEqual({ rejected: 1 });
  });

  it("is never refused where its id is taken: that there is such an order must not be hidden", async () => {
    const market = await open({ rejected: 0.5 });
    const outcomes: PlaceOutcome[] = [];
    for (let index = 0; index < 40; index += 1) {
      outcomes.push(await place(market.exchange, `a${index}`, "buy", 80, 1));
      if (outcomes.at(-1)?.kind !== "accepted") continue;
      expect(await place(market.exchange, `a${index}`, "buy", 80, 1)).toEqual({ kind: "duplicate" });
    }
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(["accepted", "rejected"]));
  });
});

describe("an answer that is late", () => {
  it("comes in the market's time before the next point, and after the order's own hints", async () => {
    const market = await open({ lateAnswer: 1 });

    const told = await placeInDrive(market, ["a"]);

    const accepted = told.find((line) => line.startsWith("a accepted")) ?? "";
    expect(told.slice(0, 4)).toEqual(["tick at 0", "a is open", accepted, "tick at 15000"]);
    const delay = Number(accepted.split(" at ")[1]);
    expect(delay).toBeGreaterThanOrEqual(1);
    expect(delay).toBeLessThanOrEqual(3_000);
    expect(struck(market)).toEqual({ lateAnswer: 1 });
  });

  it("does not stop a market that goes on before it is there", async () => {
    const market = await open({ seed: 2, lateAnswer: 1, maxDelayMs: 50_000 });

    const told = await placeInDrive(market, ["a", "b", "c", "d"]);

    const ticks = told.filter((line) => line.startsWith("tick"));
    expect(ticks).toHaveLength(16);
    expect(told.filter((line) => line.includes("accepted"))).toHaveLength(4);
    expect(
      told.slice(
        0,
        told.findLastIndex((line) => line.includes("accepted")),
      ),
    ).toContain("tick at 15000");
  });

  it("holds a market up that already waits for its bot when the bot sends", async () => {
    const market = await open({ lateAnswer: 1 });
    const { exchange, clock } = market;
    const work = new Work();
    const answered: number[] = [];
    exchange.subscribe(SYMBOL, (hint) => {
      if (hint.kind !== "tick") return;
      void work.run(async () => {
        // The market has come to wait for the bot by then.
        await new Promise((resolve) => setImmediate(resolve));
        await exchange.placeOrder(requestOf(clock.now(), `${hint.at}`, "buy", 80, 1));
        answered.push(clock.now() - hint.at);
      });
    });

    await market.drive(work, NEVER);

    expect(answered).toHaveLength(16);
    expect(Math.max(...answered)).toBeLessThanOrEqual(3_000);
  });

  it("is waited for after the last point", async () => {
    const market = await open({ lateAnswer: 1 }, candlesOf([[100, 100, 100, 100]]));
    const { exchange, clock } = market;
    const work = new Work();
    let answeredAt = 0;
    exchange.subscribe(SYMBOL, () => {
      if (market.progress().position < 4 || answeredAt > 0) return;
      answeredAt = -1;
      void work.run(async () => {
        await exchange.placeOrder(requestOf(clock.now(), "a", "buy", 80, 10));
        answeredAt = clock.now();
      });
    });

    await market.drive(work, NEVER);

    expect(answeredAt).toBeGreaterThan(START + (3 * INTERVAL_MS) / 4);
    expect(await exchange.time()).toBe(answeredAt);
  });

  it("comes at once where the market is stopped, and is not late where it stands still", async () => {
    const market = await open({ lateAnswer: 1, lateRequest: 1, maxDelayMs: 10_000 });
    const { exchange, clock } = market;
    const outcome = await exchange.placeOrder(requestOf(clock.now(), "before", "buy", 80, 10));
    expect(outcome.kind).toBe("accepted");
    const stop = new AbortController();
    const work = new Work();
    let answer: Promise<PlaceOutcome> | undefined;
    exchange.subscribe(SYMBOL, ({ kind }) => {
      if (kind !== "tick" || answer) return;
      answer = work.run(() => exchange.placeOrder(requestOf(clock.now(), "within", "buy", 80, 10)));
      stop.abort();
    });

    await market.drive(work, stop.signal);
    await answer;

    expect(clock.now()).toBe(START);
    expect(await find(market, "within")).toBe("open 0/10");
    expect(market.progress().position).toBe(1);
  });
});

describe("a request that is late", () => {
  it("reaches the exchange in time or not, and its bot waits for the answer or gave up", async () => {
    const market = await open({ lateRequest: 1 });
    const ids = Array.from({ length: 60 }, (_, index) => `o${index}`);

    const told = await placeInDrive(market, ids);

    const ends = new Map<string, number>();
    for (const id of ids) {
      const line = told.find((each) => each.startsWith(`${id} `) && !each.endsWith("is open")) ?? "";
      const state = (await find(market, id)) ?? "nothing";
      const end = `${line.split(" at ")[0]?.slice(id.length + 1)}: ${state}`;
      ends.set(end, (ends.get(end) ?? 0) + 1);
      const at = Number(line.split(" at ")[1]);
      if (line.includes("expired")) expect(at).toBeGreaterThan(1_000);
      if (line.includes("accepted")) expect(at).toBeLessThanOrEqual(1_000);
      if (line.includes("unknown")) expect(at).toBe(0);
    }
    expect([...ends.keys()].sort()).toEqual([
      "accepted: open 0/10",
      "rejected expired: nothing",
      "unknown: nothing",
      "unknown: open 0/10",
    ]);
    expect(struck(market)).toEqual({ lateRequest: 60 });
  });
});

describe("an order", () => {
  it("that the price crosses can execute in part, and the rest at a later point", async () => {
    const market = await open({ partialFills: 0.7 }, candlesOf(Array(8).fill([90, 90, 90, 90])));
    await place(market.exchange, "a", "buy", 80, 100);
    await market.drive(ALWAYS_IDLE, NEVER);
    expect(struck(market)).toEqual({});

    const falling = await open(
      { partialFills: 0.7 },
      candlesOf([[100, 100, 100, 100], ...Array(4).fill([80, 80, 80, 80])]),
    );
    await place(falling.exchange, "a", "buy", 90, 100);
    await falling.drive(ALWAYS_IDLE, NEVER);

    const { fills } = await falling.exchange.fillsSince(SYMBOL, undefined);
    expect(fills.length).toBeGreaterThan(1);
    expect(falling.faults().partialFills).toBe(fills.length - 1);
    expect(new Set(fills.map(({ at }) => at)).size).toBe(fills.length);
    expect(await find(falling, "a")).toBe("filled 100/100");
  });

  it("can execute in part just before its cancel, whose answer says so, where the price may have been", async () => {
    const market = await open({ fillInCancel: 1 }, candlesOf(Array(3).fill([90, 97, 87, 90])));
    await advance(market, 4);
    await place(market.exchange, "a", "buy", 80, 100);
    await place(market.exchange, "one lot", "buy", 80, 1);
    await place(market.exchange, "too far", "buy", 79, 100);
    const seen: string[] = [];
    market.exchange.subscribe(SYMBOL, (hint) => {
      if (hint.kind === "fill") seen.push(`fill ${hint.execution.quantity}`);
      if (hint.kind === "order") seen.push(`${hint.order.status} ${hint.order.executed}`);
    });
    await advance(market, 1);
    seen.length = 0;

    const outcome = await cancel(market.exchange, "1");
    const others = [await cancel(market.exchange, "2"), await cancel(market.exchange, "3")];
    await advance(market, 1);

    const executed = outcome.kind === "canceled" ? outcome.executed : 0;
    expect(executed).toBeGreaterThan(0);
    expect(executed).toBeLessThan(100);
    expect(seen).toEqual([
      `fill ${executed}`,
      `open ${executed}`,
      `canceled ${executed}`,
      "canceled 0",
      "canceled 0",
    ]);
    expect((await market.exchange.fillsSince(SYMBOL, undefined)).fills).toMatchObject([
      { price: 80, quantity: executed, liquidity: "maker" },
    ]);
    for (const other of others) expect(other).toEqual({ kind: "canceled", executed: 0 });
    expect(struck(market)).toEqual({ fillInCancel: 1 });
  });
});

describe("reads", () => {
  it("can fail, each of them", async () => {
    const market = await open({ unavailableReads: 1 });
    const { exchange } = market;
    const id = "a" as ClientOrderId;
    for (const read of [
      () => exchange.time(),
      () => exchange.instrument(SYMBOL),
      () => exchange.price(SYMBOL),
      () => exchange.findOrder(SYMBOL, id),
      () => exchange.openOrders(SYMBOL),
      () => exchange.ordersSince(SYMBOL, 0 as Instant),
      () => exchange.fillsSince(SYMBOL, undefined),
      () => exchange.balances(),
      () => exchange.ping(),
    ]) {
      await expect(read()).rejects.toMatchObject({ code: "EXCHANGE_UNAVAILABLE" });
    }
    expect(struck(market)).toEqual({ unavailableReads: 9 });
  });
});

describe.each([700, -700])("an exchange whose clock is %i ms ahead", (clockOffsetMs) => {
  it("has its own time in everything that it says, and judges requests by it", async () => {
    const market = await open({ clockOffsetMs });
    const { exchange, clock } = market;
    const ticks: number[] = [];
    exchange.subscribe(SYMBOL, (hint) => hint.kind === "tick" && ticks.push(hint.at - START));
    const now = await exchange.time();
    expect([clock.now(), now]).toEqual([START, START + clockOffsetMs]);

    const good = requestOf((now - 1_000) as Instant, "good", "buy", 95, 10);
    const dead = requestOf((now - 1_001) as Instant, "dead", "buy", 95, 10);
    expect(await exchange.placeOrder(good)).toMatchObject({ kind: "accepted" });
    expect(await exchange.placeOrder(dead)).toMatchObject({ reason: "expired" });
    await advance(market, 2);

    const [fill] = (await exchange.fillsSince(SYMBOL, undefined)).fills;
    expect([fill?.at, clock.now()]).toEqual([START + 15_000 + clockOffsetMs, START + 15_000]);
    expect((await exchange.price(SYMBOL)).at).toBe(START + 15_000 + clockOffsetMs);
    expect(ticks).toEqual([clockOffsetMs, 15_000 + clockOffsetMs]);
    expect((await exchange.ordersSince(SYMBOL, now)).map(({ createdAt }) => createdAt)).toEqual([now]);
  });
});

describe("faults", () => {
  it("never strike where none are given", async () => {
    for (const faults of [undefined, {}]) {
      const market = await openSimExchange(simOptions(replayOf(swings(20)), faults ? { faults } : {}));
      opened.push(market);
      expect(await story(market)).not.toContain("unknown");
      expect(struck(market)).toEqual({});
      expect(Object.keys(market.faults())).toEqual(FAULT_NAMES);
    }
  });

  it("are the same for the same seed, others for another one, and all of them strike", async () => {
    const rates = Object.fromEntries(FAULT_NAMES.map((name) => [name, 0.1]));
    const run = async (seed: number): Promise<[string, object]> => {
      const market = await open({ ...rates, seed, silenceMs: 40_000 }, swings(150));
      return [await story(market), market.faults()];
    };

    const [told, counts] = await run(1);

    expect(await run(1)).toEqual([told, counts]);
    expect((await run(2))[0]).not.toBe(told);
    expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([]);
  });

  it.each([
    [{ lostBefore: 1.1 }, "lostBefore is 1.1"],
    [{ missingHint: -0.1 }, "missingHint is -0.1"],
    [{ rejected: Number.NaN }, "rejected is NaN"],
    [{ seed: 0.5 }, "seed is 0.5"],
    [{ clockOffsetMs: 0.5 }, "clockOffsetMs is 0.5"],
    [{ maxDelayMs: 0 }, "maxDelayMs is 0"],
    [{ silenceMs: -1 }, "silenceMs is -1"],
    [{ staleBeyondSettleMs: -1 }, "staleBeyondSettleMs is -1"],
  ])("refuse %j", async (faults, message) => {
    await expect(open(faults)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(message) as unknown,
    });
  });
});

/** A busy bot's whole experience of a market, as text. */
async function story(market: SimMarket): Promise<string> {
  const { exchange, clock } = market;
  const work = new Work();
  const told: string[] = [];
  let orders = 0;
  exchange.subscribe(SYMBOL, (hint) => {
    told.push(
      JSON.stringify(hint, (_key, value: unknown) => (typeof value === "bigint" ? `${value}` : value)),
    );
    if (hint.kind === "tick")
      void work.run(() => act(hint.price)).catch((error: unknown) => told.push(`${error}`));
  });
  await market.drive(work, NEVER);
  return told.join("\n");

  async function act(price: number): Promise<void> {
    orders += 1;
    const now = (clock.now() + (await exchange.time()) - clock.now()) as Instant;
    const side = orders % 2 === 0 ? "buy" : "sell";
    const limit = side === "buy" ? price - 3 : price + 3;
    const outcome = await exchange.placeOrder(requestOf(now, `o${orders}`, side, limit, 5));
    const open = await exchange.openOrders(SYMBOL);
    told.push(JSON.stringify([clock.now(), outcome, open]));
    if (orders % 5 === 0 && open[0])
      told.push(JSON.stringify(await cancel(exchange, open[0].exchangeOrderId)));
  }
}
