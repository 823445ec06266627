/** What an answer of Binance proves, and what it does not. */
import { describe, expect, it } from "vitest";
import type { Instant } from "../../../src/domain/ids.ts";
import { BINANCE, BINANCE_REFUSALS } from "../../../src/exchange/ccxt/binance.ts";
import { cursorAfter, listOrders, listTrades } from "../../../src/exchange/ccxt/binance-lists.ts";
import type { CcxtClient, CcxtRecord } from "../../../src/exchange/ccxt/ccxt-client.ts";
import type { Read } from "../../../src/exchange/ccxt/dialect.ts";

describe("an answer of Binance", () => {
  it.each(Object.entries(BINANCE_REFUSALS))("proves a refusal with code %s: %s", (code, reason) => {
    expect(BINANCE.judge(400, code, "")).toEqual({ kind: "refused", reason });
  });

  it.each(["-1000", "-1001", "-1006", "-1007", "-1008", "-9999", undefined])(
    "proves nothing with code %s",
    (code) => {
      expect(BINANCE.judge(400, code, "anything")).toEqual({ kind: "unproven" });
    },
  );

  it.each([200, 301, 500, 502, 503, 504])("proves nothing with HTTP %i, whatever its body says", (status) => {
    expect(BINANCE.judge(status, "-2010", "Account has insufficient balance")).toEqual({ kind: "unproven" });
  });

  it.each([
    ["Account has insufficient balance for requested action.", "insufficient_funds"],
    ["Order would immediately match and take.", "would_cross"],
    ["Filter failure: NOTIONAL", "invalid_order"],
    ["Something new.", "other"],
  ])("names the refusal of the matching engine by its words: %s", (words, reason) => {
    expect(BINANCE.judge(400, "-2010", words)).toEqual({ kind: "refused", reason });
  });

  it("is neither yes nor no where the order was sent before", () => {
    expect(BINANCE.judge(400, "-2010", "Duplicate order sent.")).toEqual({ kind: "duplicate" });
  });

  it.each(["-2011", "-2013"])("shows with code %s that there is no such order", (code) => {
    expect(BINANCE.judge(400, code, "")).toEqual({ kind: "noSuchOrder" });
  });

  it("has a code only where its body is an object with a negative number", () => {
    expect(BINANCE.codeOf({ code: -2010, msg: "No." })).toEqual({ code: "-2010", message: "No." });
    expect(BINANCE.codeOf({ code: "-1003", msg: "No." })).toEqual({ code: "-1003", message: "No." });
    expect(BINANCE.codeOf({ code: 200, msg: "success" })).toBeUndefined();
    expect(BINANCE.codeOf({ code: "abc" })).toBeUndefined();
    expect(BINANCE.codeOf("<html>")).toBeUndefined();
    expect(BINANCE.codeOf(undefined)).toBeUndefined();
    expect(BINANCE.codeOf([])).toBeUndefined();
  });

  it("tells how much of its limits is used", () => {
    expect(BINANCE.usedOf({ "X-Mbx-Used-Weight-1m": "17", "x-mbx-order-count-10s": "3" })).toEqual([
      { counts: "weight", perMs: 60_000, used: 17 },
      { counts: "orders", perMs: 10_000, used: 3 },
    ]);
    expect(BINANCE.usedOf({ "content-type": "text/html" })).toEqual([]);
  });

  it("tells what its limits are, where it is about the exchange", () => {
    const rateLimits = [
      { rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: 6_000 },
      { rateLimitType: "ORDERS", interval: "SECOND", intervalNum: 10, limit: 100 },
      { rateLimitType: "RAW_REQUESTS", interval: "MINUTE", intervalNum: 5, limit: 61_000 },
      { rateLimitType: "ORDERS", interval: "FORTNIGHT", intervalNum: 1, limit: 5 },
      null,
    ];

    expect(BINANCE.limitsIn({ rateLimits })).toEqual([
      { counts: "weight", most: 6_000, perMs: 60_000 },
      { counts: "orders", most: 100, perMs: 10_000 },
    ]);
    expect(BINANCE.limitsIn({ serverTime: 1 })).toBeUndefined();
    expect(BINANCE.limitsIn("<html>")).toBeUndefined();
  });
});

describe("a request to Binance", () => {
  it("is signed for exactly its window before the instant at which it dies", () => {
    expect(BINANCE.bound(5_000 as Instant, 1_000)).toEqual({ timestamp: 4_000, recvWindow: 1_000 });
  });
});

describe("the lists of Binance", () => {
  const DAY = 86_400_000;

  it("are read page after page until one is not full", async () => {
    const trades = Array.from({ length: 2_500 }, (_, index) => ({ id: String(10 + 3 * index) }));
    const asked: unknown[] = [];
    const read = readOf({
      fetchMyTrades: async (_symbol: string, _since: unknown, limit: number, { fromId }: CcxtRecord) => {
        asked.push(fromId);
        return trades.filter(({ id }) => BigInt(id) >= BigInt(String(fromId))).slice(0, limit);
      },
    });

    expect(await listTrades(read, "BTC/USDT", "0")).toEqual(trades);
    expect(asked).toEqual(["0", String(10 + 3 * 999 + 1), String(10 + 3 * 1_999 + 1)]);
  });

  it("find orders of long ago day by day, and those after the first by their ids", async () => {
    const orders = [
      { id: "7", timestamp: 2.5 * DAY },
      { id: "9", timestamp: 9 * DAY },
    ];
    const asked: string[] = [];
    const read = readOf({
      fetchOrders: async (
        _symbol: string,
        since: number | undefined,
        _limit: number,
        { until, orderId }: CcxtRecord,
      ) => {
        asked.push(since === undefined ? `id ${String(orderId)}` : `day ${since / DAY}`);
        return since === undefined
          ? orders.filter(({ id }) => BigInt(id) >= BigInt(String(orderId)))
          : orders.filter(({ timestamp }) => timestamp >= since && timestamp <= Number(until));
      },
    });

    expect(await listOrders(read, "BTC/USDT", 0 as Instant, (10 * DAY) as Instant)).toEqual(orders);
    expect(asked).toEqual(["day 0", "day 1", "day 2", "id 8"]);
  });

  it("ask nothing of the future, and find nothing where there is nothing", async () => {
    const asked: number[] = [];
    const read = readOf({
      fetchOrders: async (_symbol: string, since: number) => {
        asked.push(since / DAY);
        return [];
      },
    });

    expect(await listOrders(read, "BTC/USDT", 0 as Instant, (1.5 * DAY) as Instant)).toEqual([]);
    expect(asked).toEqual([0, 1]);
  });

  it("are read again from fifty trades before their end", () => {
    const trades = Array.from({ length: 80 }, (_, index) => ({ tradeId: String(index + 1) }));

    expect(cursorAfter(trades, "0")).toBe("31");
    expect(cursorAfter(trades.slice(30), "31")).toBe("31");
    expect(cursorAfter(trades.slice(0, 3), "0")).toBe("1");
    expect(cursorAfter([], "17")).toBe("17");
  });
});

/** Reads of a list that the test holds: only how pages follow each other is looked at here. */
function readOf(lists: Readonly<Record<string, unknown>>): Read {
  return async (_kind, call) => call(lists as unknown as CcxtClient);
}
