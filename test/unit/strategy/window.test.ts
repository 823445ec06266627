/** The window grid: which levels are used at a price, what leaves it and what comes back, and who gives way. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { money, parseMoney } from "../../../src/domain/amounts.ts";
import { emptyLedger } from "../../../src/strategy/empty-ledger.ts";
import { nextTimer } from "../../../src/strategy/next-timer.ts";
import { WINDOW_SLOT_BASE } from "../../../src/strategy/window.ts";
import { scaled } from "../../support/scale.ts";
import { workingOrders } from "../../../src/strategy/working-orders.ts";
import { Bench, at, placedBy, ticks } from "./strategy-kit.ts";
import {
  acceptAll,
  canceled,
  events,
  fillAt,
  newWindow,
  orderAt,
  placed,
  runningWindow,
  slotAt,
  windowBot,
  windowRules,
  working,
} from "./window-kit.ts";

describe("the levels of a window", () => {
  it("stand a whole number of intervals from the anchor, from the nearest down, each for the same quote", () => {
    const { last } = newWindow(1002);

    expect(placed(last)).toEqual(["buy 50@1000", "buy 50@990", "buy 51@980"]);
    expect(last.records.flatMap((record) => (record.kind === "slotOpened" ? [record.terms] : []))).toEqual([
      { slot: WINDOW_SLOT_BASE - 2, buyPrice: 980, sellPrice: 990, quantity: 51 },
      { slot: WINDOW_SLOT_BASE - 1, buyPrice: 990, sellPrice: 1000, quantity: 50 },
      { slot: WINDOW_SLOT_BASE, buyPrice: 1000, sellPrice: 1010, quantity: 50 },
    ]);
  });

  it("are counted from the upper one where the price is half-way between two", () => {
    expect(placed(newWindow(1004).last)).toEqual(["buy 50@1000", "buy 50@990", "buy 51@980"]);
    expect(placed(newWindow(1005).last)).toEqual(["buy 50@1000", "buy 50@990"]);
  });

  it("are not bought while the price is within a tenth of an interval above them", () => {
    const bench = runningWindow(1001);
    expect(working(bench)).toEqual(["buy 51@980", "buy 50@990"]);
    expect(placed(bench.tick(1002))).toEqual(["buy 50@1000"]);
    expect(placed(newWindow(1001, { window: { bufferRatio: "0" } }).last)).toContain("buy 50@1000");
  });

  it("do not reach below zero", () => {
    const rules = windowRules({ window: { buyLevels: 500 } });
    const bench = new Bench(windowBot(1002, {}, rules), emptyLedger(), rules);
    bench.snapshot(1002);
    expect(Math.min(...placedBy(bench.commands).map(({ price }) => price))).toBe(10);
  });
});

describe("a window that cannot be counted is refused as a config problem", () => {
  it.each([
    [{ priceInterval: "9".repeat(18) }, "price_interval 999999999999999999 is too wide"],
    [{ orderQuantity: "9".repeat(18) }, "order_quantity 999999999999999999 is too large"],
  ])("%o", (change, words) => {
    expect(() => windowBot(1000, change)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(words) }),
    );
  });
});

describe("an order that leaves the window", () => {
  it("as a buy is cancelled only beyond the hysteresis, and rests again when the window is back", () => {
    const bench = runningWindow(1002);

    const near = bench.tick(1014);
    expect(canceled(bench, near)).toEqual([]);
    expect(placed(near)).toEqual(["buy 49@1010"]);
    acceptAll(bench, near);
    const lowest = orderAt(bench, "buy", 980).terms;
    expect(canceled(bench, bench.tick(1015))).toEqual(["buy 51@980"]);
    expect(placed(bench.closed(lowest, 0))).toEqual([]);
    expect(placed(bench.tick(1006))).toEqual([]);
    expect(placed(bench.tick(1004))).toEqual(["buy 51@980"]);
    expect(orderAt(bench, "buy", 980).terms.generation).toBe(2);
  });

  it("as a sell is cancelled only beyond the hysteresis, and rests again when the window is back", () => {
    const bench = runningWindow(1002);
    for (const price of [1000, 990, 980]) fillAt(bench, "buy", price);
    const sell = orderAt(bench, "sell", 1010).terms;

    acceptAll(bench, bench.tick(955));
    expect(orderAt(bench, "sell", 1010).kind).toBe("open");
    const far = bench.tick(954);
    acceptAll(bench, far);
    expect(canceled(bench, far)).toEqual(["sell 50@1010"]);
    expect(placed(bench.closed(sell, 0))).toEqual([]);
    expect(slotAt(bench, 1000)).toMatchObject({ phase: { kind: "holding" }, inventory: [{ quantity: 50 }] });
    // Inside of the hysteresis nothing is placed that is not there.
    expect(placed(bench.tick(964))).not.toContain("sell 50@1010");
    expect(placed(bench.tick(965))).toContain("sell 50@1010");
    expect(orderAt(bench, "sell", 1010).terms.generation).toBe(2);
    expect(bench.identityError()).toBe(0n);
  });

  it("is not replaced before its cancel is known to have executed nothing more", () => {
    const bench = runningWindow(1002);
    bench.tick(1015);
    expect(placed(bench.tick(1002))).toEqual([]);
    expect(orderAt(bench, "buy", 980).kind).toBe("canceling");
    const canceling = orderAt(bench, "buy", 980).terms;
    const filled = bench.fill(canceling);
    expect(placed(filled)).toEqual(["sell 51@990", "buy 51@970", "buy 52@960"]);
  });
});

describe("the order budget", () => {
  it("sends exits before entries where the budget has room for only some", () => {
    const bench = runningWindow(1002, { maxOrders: 3, window: { buyLevels: 5 } });
    expect(working(bench)).toEqual(["buy 51@980", "buy 50@990", "buy 50@1000"]);
    bench.control("drain");
    bench.fill(orderAt(bench, "buy", 1000).terms);
    bench.fill(orderAt(bench, "buy", 990).terms);
    bench.tick(1004);

    expect(placed(bench.control("resume"))).toEqual(["sell 50@1000", "sell 50@1010"]);
    expect(working(bench)).toEqual(["buy 51@980", "sell 50@1000", "sell 50@1010"]);
  });

  it("cancels the farthest resting entry where an exit finds no room", () => {
    const bench = runningWindow(1002, {
      maxOrders: 3,
      window: { buyLevels: 5, sellLevels: 1, hysteresis: 0 },
    });
    fillAt(bench, "buy", 1000);
    fillAt(bench, "buy", 990);
    const away = orderAt(bench, "sell", 1010).terms;
    expect(canceled(bench, bench.tick(984))).toEqual(["sell 50@1010"]);
    acceptAll(bench, bench.closed(away, 0));
    acceptAll(bench, bench.timer(10));
    expect(working(bench)).toEqual(["buy 51@970", "buy 51@980", "sell 50@1000"]);

    const back = bench.tick(996);

    expect(placed(back)).toEqual([]);
    expect(canceled(bench, back)).toEqual(["buy 51@970"]);
    const evicted = orderAt(bench, "buy", 970).terms;
    expect(placed(bench.closed(evicted, 0))).toEqual(["sell 50@1010"]);
  });

  it("gives room that becomes free to the order that is wanted most", () => {
    const bench = runningWindow(1002, { maxOrders: 2 });
    expect(placed(bench.closed(orderAt(bench, "buy", 990).terms, 0))).toEqual(["buy 51@980"]);
  });
});

describe("a window that has ended", () => {
  it("opens no slot any more", () => {
    const bench = runningWindow(1002, { stopLoss: "950" });
    bench.tick(949);
    for (const price of [1000, 990, 980]) bench.closed(orderAt(bench, "buy", price).terms, 0);
    expect(bench.tick(2000).records).toEqual([]);
  });

  it("cannot begin beyond its stop", () => {
    expect(() => windowBot(940, {}, windowRules({ stopLoss: "950" }))).toThrow(
      "must be below the start price",
    );
  });
});

describe("a post-only order", () => {
  const refusedTimes = (bench: Bench, times: number): readonly string[] => {
    const types: string[] = [];
    for (let time = 0; time < times; time++) {
      const { terms } = orderAt(bench, "buy", 1000);
      types.push(terms.type);
      bench.reject(terms, "would_cross");
      bench.timer(1_000);
    }
    return types;
  };

  it("falls back to a plain limit after three refusals in a row, and is post-only again afterwards", () => {
    const bench = newWindow(1002, { orderType: "post_only", postOnlyFallbackAfter: 3 });
    expect(refusedTimes(bench, 3)).toEqual(["limit_maker", "limit_maker", "limit_maker"]);
    const fallback = orderAt(bench, "buy", 1000).terms;
    expect(fallback.type).toBe("limit");
    bench.accept(fallback);
    expect(placedBy(bench.fill(fallback).commands)).toMatchObject([{ side: "sell", type: "limit_maker" }]);
  });

  it("never takes where the fallback is off", () => {
    const bench = newWindow(1002, { orderType: "post_only", postOnlyFallbackAfter: 0 });
    expect(new Set(refusedTimes(bench, 8))).toEqual(new Set(["limit_maker"]));
  });
});

describe("a trigger", () => {
  it.each([
    { name: "stop_loss", rules: { stopLoss: "950" }, price: 949 },
    { name: "take_profit", rules: { takeProfit: "1050" }, price: 1051 },
  ])("as $name cancels, sells all, says so, ends, and never comes again", ({ name, rules, price }) => {
    const bench = runningWindow(1002, rules);
    fillAt(bench, "buy", 1000);
    const resting = working(bench);

    const pulled = bench.tick(price);

    expect([...canceled(bench, pulled)].sort()).toEqual([...resting].sort());
    expect(placed(pulled)).toEqual([]);
    expect(events(pulled.records)).toEqual([`bot_closing ${name}`]);
    const orders = [orderAt(bench, "buy", 990), orderAt(bench, "buy", 980), orderAt(bench, "sell", 1010)];
    const closed = orders.map(({ terms }) => bench.closed(terms, 0));
    const [sale] = closed.flatMap(({ commands }) => placedBy(commands));
    expect(sale).toMatchObject({ side: "sell", type: "market", quantity: 50 });
    if (!sale) return;
    bench.accept(sale);
    const end = bench.fill(sale, 50, { price: ticks(price) });
    expect(events(end.records)).toEqual([`bot_closed ${name}`]);
    expect(end.state.totals.position).toBe(0);
    expect(bench.identityError()).toBe(0n);
    const before = bench.commands.length;
    for (const next of [940, 1002, 1060, 949, 1051, 1000]) bench.tick(next);
    bench.timer(3_600_000);
    bench.snapshot(1002);
    expect(bench.commands.length).toBe(before);
    expect(bench.state.mode).toBe("closed");
  });

  it("as trigger_price is waited for without an order, pulled once, and says so both times", () => {
    const bench = newWindow(1002, { triggerPrice: "980" });
    expect(bench.last.commands).toEqual([]);
    expect(events(bench.last.records)).toEqual(["bot_waiting trigger_below 980"]);
    expect(bench.tick(981).commands).toEqual([]);

    const pulled = bench.tick(980);

    expect(events(pulled.records)).toEqual(["bot_running triggered"]);
    expect(placed(pulled)).toEqual(["buy 51@970", "buy 52@960"]);
    acceptAll(bench, pulled);
    expect(events(bench.tick(1002).records)).toEqual([]);
    expect(bench.state.mode).toBe("running");
  });

  it("as trigger_price is waited for also where the stream tells a price beyond the stop-loss before the lists are read", () => {
    const rules = windowRules({ triggerPrice: "1000", stopLoss: "900" });
    const bench = new Bench(windowBot(880, {}, rules), emptyLedger(), rules);
    expect(events(bench.tick(880).records)).toEqual(["bot_waiting trigger_above 1000"]);
    expect(bench.snapshot(881).state.mode).toBe("waiting");
    expect(events(bench.tick(1000).records)).toEqual(["bot_running triggered"]);
  });

  it.each([
    {
      change: "is the same, and was passed meanwhile",
      triggerPrice: "980",
      price: 970,
      says: ["bot_running triggered"],
    },
    { change: "is the same", triggerPrice: "980", price: 1002, says: [] },
    {
      change: "is on the other side now",
      triggerPrice: "1050",
      price: 1002,
      says: ["bot_running trigger_changed", "bot_waiting trigger_above 1050"],
    },
    { change: "is gone", triggerPrice: undefined, price: 1002, says: ["bot_running trigger_changed"] },
  ])(
    "as trigger_price that $change at the next start is gone by as it then is",
    ({ triggerPrice, price, says }) => {
      const ledger = { ...emptyLedger(), mode: "waiting", modeReason: "trigger_below 980" } as const;
      const rules = windowRules({ triggerPrice });
      const bench = new Bench(windowBot(1002, {}, windowRules({ triggerPrice: "980" })), ledger, rules);
      expect(events(bench.snapshot(price).records)).toEqual(says);
      expect(placed(bench.last).length > 0).toBe(bench.state.mode === "running");
    },
  );

  it("as trigger_price is waited for also after an exit that sells everything", () => {
    const bench = newWindow(1002, { triggerPrice: "980" });
    expect(bench.control("close")).toMatchObject({ state: { mode: "waiting" }, records: [], commands: [] });
    // Pulled before the process ends: the next start places what it leads to.
    expect(events(bench.tick(980).records)).toEqual(["bot_running triggered"]);
    expect(bench.last.commands).toEqual([]);
  });
});

describe("an account that cannot pay", () => {
  it("buys nothing for a while, goes on selling, and buys again by itself", () => {
    const bench = runningWindow(1002, { marginLockMs: 10_000 });
    const refused = fillAt(bench, "buy", 1000);
    expect(placed(refused)).toEqual(["sell 50@1010"]);
    const sell = orderAt(bench, "sell", 1010).terms;
    const [buy] = placedBy(bench.tick(1014).commands);
    if (!buy) return expect.fail("no buy at 1010");
    const locked = bench.reject(buy, "insufficient_funds");
    expect(events(locked.records)).toContain("margin_insufficient 10000");

    expect(placed(bench.fill(sell))).toEqual([]);
    acceptAll(bench, bench.timer(5_000));
    expect(working(bench)).toEqual(["buy 51@980", "buy 50@990"]);
    fillAt(bench, "buy", 990);
    expect(working(bench)).toEqual(["buy 51@980", "sell 50@1000"]);
    expect(nextTimer(bench.state, at(bench.now))).toBe(bench.state.fundsLockedUntil);
    bench.tick(1002);
    expect(placed(bench.timer(10_000))).toContain("buy 50@1000");
  });
});

describe("an account whose money is set aside for others", () => {
  it("is waited for by the whole bot, told once for all its orders, and asked again without growing pauses", () => {
    const bench = runningWindow(1002, { marginLockMs: 10_000 });
    fillAt(bench, "buy", 1000);
    fillAt(bench, "buy", 990);
    const wanted = placedBy(bench.tick(1040).commands).filter(({ side }) => side === "buy");
    const [first, second] = wanted;
    if (!first || !second) return expect.fail("no two buys");

    const told = bench.notSent(first, "waiting_for_balance");
    const again = bench.notSent(second, "waiting_for_balance");

    expect(events(told.records)).toEqual(["waiting_for_balance 10000"]);
    expect(again.records).toEqual([]);
    const pauses = [first, second].map(({ slot }) => {
      const found = bench.state.slots.find(({ terms }) => terms.slot === slot);
      return [found?.backOff.refusals, (found?.backOff.until ?? 0) <= bench.state.fundsLockedUntil];
    });
    expect(pauses).toEqual([
      [0, true],
      [0, true],
    ]);
    expect(placed(bench.timer(5_000)).filter((one) => one.startsWith("buy"))).toEqual([]);
    expect(placed(bench.timer(11_000)).filter((one) => one.startsWith("buy"))).toHaveLength(2);
  });
});

describe("a fee in base", () => {
  it("leaves dust that is carried until it makes a lot", () => {
    const bench = runningWindow(1002);
    const buyWithFee = (): readonly string[] => {
      const { terms } = orderAt(bench, "buy", 1000);
      const result = bench.fill(terms, 50, { fee: parseMoney("0.00005"), feeAsset: "BTC" });
      acceptAll(bench, result);
      return placed(result);
    };
    // 0.05 less 0.1 % are 49.95 lots.
    expect(buyWithFee()).toEqual(["sell 49@1010"]);
    expect(slotAt(bench, 1000).dust).toBe(parseMoney("0.00095"));
    expect(bench.identityError()).toBe(0n);
    fillAt(bench, "sell", 1010);
    expect(orderAt(bench, "buy", 1000).terms.quantity).toBe(50);
    expect(buyWithFee()).toEqual(["sell 50@1010"]);
    expect(slotAt(bench, 1000).dust).toBe(parseMoney("0.0009"));
    fillAt(bench, "sell", 1010);
    expect(bench.state.totals).toMatchObject({ trades: 2, position: 1 });
    expect(bench.identityError()).toBe(0n);
  });
});

describe("a partly filled order", () => {
  it("is cancelled once the price is half a cell away, and what it bought is sold", () => {
    const bench = runningWindow(1002);
    const { terms } = orderAt(bench, "buy", 1000);
    bench.fill(terms, 20);
    expect(canceled(bench, bench.tick(1004))).toEqual([]);
    expect(canceled(bench, bench.tick(1005))).toEqual(["buy 50@1000"]);
    expect(placed(bench.closed(terms, 20))).toEqual(["sell 20@1010"]);
    expect(bench.identityError()).toBe(0n);
  });

  it("as a sell is cancelled half a cell below, and what it sold is bought back", () => {
    const bench = runningWindow(1002);
    fillAt(bench, "buy", 1000);
    const { terms } = orderAt(bench, "sell", 1010);
    bench.fill(terms, 20);
    expect(canceled(bench, bench.tick(1006))).toEqual([]);
    expect(canceled(bench, bench.tick(1005))).toEqual(["sell 50@1010"]);
    expect(placed(bench.closed(terms, 20))).toEqual(["buy 20@1000"]);
    expect(bench.identityError()).toBe(0n);
  });

  it("stays where what it executed is too little to sell", () => {
    const bench = runningWindow(1002);
    // 0.004 · 1010 = 4.04 USDT.
    bench.fill(orderAt(bench, "buy", 1000).terms, 4);
    expect(canceled(bench, bench.tick(1009))).toEqual([]);
  });
});

describe("a window grid in any market", () => {
  /** Room for two of the six orders that a window wants. */
  const SMALL_BUDGET = 2;
  /** The exchange executes what rests and is reached; now and then only a part, once for each order. */
  const execute = (bench: Bench, price: number, isPart: () => boolean, isFeeInBase: boolean): void => {
    const reached = workingOrders(bench.state).filter(({ terms: { side, price: limit } }) =>
      side === "buy" ? limit >= price : limit <= price,
    );
    for (const { terms, progress } of reached) {
      const rest = terms.quantity - progress.executed;
      const quantity = progress.executed === 0 && rest > 20 && isPart() ? 20 : rest;
      const baseFee = { fee: money(BigInt(quantity) * 10n ** 12n), feeAsset: "BTC" };
      acceptAll(bench, bench.fill(terms, quantity, isFeeInBase && terms.side === "buy" ? baseFee : {}));
    }
  };
  /** Its answers to all that is on its way. */
  const answer = (bench: Bench): void => {
    for (let round = 0; round < 10; round++) {
      const waiting = workingOrders(bench.state).filter(({ kind }) => kind !== "open");
      if (waiting.length === 0) return;
      for (const { kind, terms, progress } of waiting) {
        if (kind === "canceling") bench.closed(terms, progress.executed);
        else bench.accept(terms);
      }
    }
    expect.fail("the grid never comes to rest");
  };

  it("has exact books, rests nothing far from the price, and sells all that is near it", () => {
    let trades = 0;
    let parts = 0;
    let full = 0;
    const moves = fc.array(fc.integer({ min: -25, max: 25 }), { minLength: 30, maxLength: 60 });
    const everyPart = fc.integer({ min: 2, max: 6 });
    const budget = fc.constantFrom(SMALL_BUDGET, 200);
    fc.assert(
      fc.property(moves, everyPart, fc.boolean(), budget, (steps, every, isFeeInBase, maxOrders) => {
        const bench = runningWindow(1002, { maxOrders });
        let price = 1002;
        let fills = 0;
        const isPart = (): boolean => {
          fills += 1;
          if (fills % every !== 0) return false;
          parts += 1;
          return true;
        };
        for (const move of steps) {
          price += move;
          execute(bench, price, isPart, isFeeInBase);
          bench.tick(price);
          answer(bench);
          expect(bench.identityError()).toBe(0n);
          const nearest = Math.floor((price - 1000 + 5) / 10);
          let waiting = 0;
          for (const { terms, phase, inventory } of bench.state.slots) {
            const level = (terms.buyPrice - 1000) / 10;
            if (phase.kind === "buying") expect(level).toBeGreaterThan(nearest - 4);
            if (phase.kind === "selling") expect(level).toBeLessThanOrEqual(nearest + 4);
            if (level <= nearest + 3 && inventory.length > 0 && phase.kind === "holding") waiting += 1;
          }
          const atWork = workingOrders(bench.state);
          expect(atWork.length).toBeLessThanOrEqual(maxOrders);
          if (maxOrders > SMALL_BUDGET) expect(waiting).toBe(0);
          // Where an exit finds no room, no entry has any.
          else if (waiting > 0) expect(atWork.map(({ terms }) => terms.side)).toEqual(["sell", "sell"]);
          if (atWork.length === SMALL_BUDGET) full += 1;
        }
        trades += bench.state.totals.trades;
      }),
      { numRuns: scaled(400) },
    );
    expect(trades).toBeGreaterThan(100);
    expect(parts).toBeGreaterThan(50);
    expect(full).toBeGreaterThan(100);
  });
});
