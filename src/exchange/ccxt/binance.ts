/** Binance spot as the adapter knows it: its refusals, its weights, and how a request dies there. */
import { QuantmeshError } from "../../domain/errors.ts";
import type { RejectReason } from "../exchange.ts";
import type { CcxtClient, CcxtRecord } from "./ccxt-client.ts";
import { forgiveFutures } from "./ccxt-client.ts";
import type { WindowLimit } from "../limits/budget-window.ts";
import { listOrders, listTrades } from "./binance-lists.ts";
import type { Dialect, Verdict } from "./dialect.ts";
import { ExchangeReply } from "./exchange-reply.ts";

/**
 * Codes that prove that an order was refused, from Binance's errors.md. What is not here proves nothing: -1000, -1001
 * and -1006 to -1008 say themselves that the order may have been executed.
 */
export const BINANCE_REFUSALS: Readonly<Record<string, RejectReason>> = {
  "-1002": "not_authorized",
  "-1003": "rate_limited",
  "-1013": "invalid_order",
  "-1014": "invalid_order",
  "-1015": "rate_limited",
  "-1020": "invalid_order",
  "-1021": "expired",
  "-1022": "not_authorized",
  "-1100": "invalid_order",
  "-1101": "invalid_order",
  "-1102": "invalid_order",
  "-1103": "invalid_order",
  "-1104": "invalid_order",
  "-1105": "invalid_order",
  "-1106": "invalid_order",
  "-1111": "invalid_order",
  "-1112": "invalid_order",
  "-1114": "invalid_order",
  "-1115": "invalid_order",
  "-1116": "invalid_order",
  "-1117": "invalid_order",
  "-1118": "invalid_order",
  "-1119": "invalid_order",
  "-1121": "invalid_order",
  "-1128": "invalid_order",
  "-1130": "invalid_order",
  "-1131": "invalid_order",
  "-2010": "other",
  "-2014": "not_authorized",
  "-2015": "not_authorized",
};

/** -2010 is every refusal of the matching engine; which one, only its words say. */
const NEW_ORDER_REJECTED = "-2010";
const UNKNOWN_ORDER = new Set(["-2011", "-2013"]);
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const INTERVALS: Readonly<Record<string, number>> = {
  SECOND: 1_000,
  MINUTE: MINUTE_MS,
  DAY: DAY_MS,
};
const KINDS: Readonly<Record<string, WindowLimit["counts"]>> = { REQUEST_WEIGHT: "weight", ORDERS: "orders" };
const DUPLICATE = /duplicate order/i;
const ENGINE_WORDS: readonly (readonly [RegExp, RejectReason])[] = [
  [/insufficient balance/i, "insufficient_funds"],
  [/immediately match/i, "would_cross"],
  [/filter failure|market is closed|not valid|invalid/i, "invalid_order"],
];

export const BINANCE: Dialect = {
  options: {
    defaultType: "spot",
    // Without these, loading the markets asks three more services, and needs a key.
    fetchMarkets: { types: ["spot"] },
    fetchCurrencies: false,
    fetchMargins: false,
    warnOnFetchOpenOrdersWithoutSymbol: false,
  },
  urls(rest, ws) {
    const spot = `${rest}/api/v3`;
    // ccxt tells spot streams from others by the word "stream" in their address.
    const stream = `${ws}/stream/ws`;
    return {
      public: spot,
      private: spot,
      v1: `${rest}/api/v1`,
      sapi: `${rest}/sapi/v1`,
      ws: { spot: stream, margin: stream, "ws-api": { spot: `${ws}/ws-api/v3` } },
    };
  },
  codeOf(reply) {
    if (typeof reply !== "object" || reply === null || !("code" in reply)) return undefined;
    const { code } = reply;
    const isCode = typeof code === "number" || (typeof code === "string" && /^-?\d+$/.test(code));
    if (!isCode || Number(code) >= 0) return undefined;
    const message = "msg" in reply ? String(reply.msg) : "";
    return { code: String(code), message };
  },
  judge(status, code, message): Verdict {
    // 5xx: "the execution status is UNKNOWN and could have been a success", whatever the body says.
    if (status < 400 || status >= 500 || code === undefined) return { kind: "unproven" };
    if (UNKNOWN_ORDER.has(code)) return { kind: "noSuchOrder" };
    const reason = BINANCE_REFUSALS[code];
    if (reason === undefined) return { kind: "unproven" };
    if (code !== NEW_ORDER_REJECTED) return { kind: "refused", reason };
    if (DUPLICATE.test(message)) return { kind: "duplicate" };
    const [, known] = ENGINE_WORDS.find(([words]) => words.test(message)) ?? [];
    return { kind: "refused", reason: known ?? reason };
  },
  bound: (validUntil, windowMs) => ({ timestamp: validUntil - windowMs, recvWindow: windowMs }),
  usedOf(headers) {
    return [
      { counts: "weight" as const, perMs: MINUTE_MS, used: numberIn(headers, "x-mbx-used-weight-1m") },
      { counts: "orders" as const, perMs: 10_000, used: numberIn(headers, "x-mbx-order-count-10s") },
      { counts: "orders" as const, perMs: DAY_MS, used: numberIn(headers, "x-mbx-order-count-1d") },
    ].flatMap(({ used, ...limit }) => (used === undefined ? [] : [{ ...limit, used }]));
  },
  limitsIn(reply) {
    if (typeof reply !== "object" || reply === null || !("rateLimits" in reply)) return undefined;
    const { rateLimits } = reply;
    return Array.isArray(rateLimits) ? rateLimits.flatMap(limitIn) : undefined;
  },
  limits: [
    { counts: "weight", most: 6_000, perMs: MINUTE_MS },
    { counts: "orders", most: 100, perMs: 10_000 },
    { counts: "orders", most: 200_000, perMs: DAY_MS },
  ],
  weights: {
    time: 1,
    price: 2,
    candles: 2,
    fees: 20,
    keyRights: 1,
    place: 1,
    cancel: 1,
    findOrder: 4,
    openOrders: 6,
    orders: 20,
    fills: 20,
    balances: 20,
  },
  ordersSince: listOrders,
  tradesFrom: listTrades,
  clientIdOfTrade({ info }) {
    const id = typeof info === "object" && info !== null && "c" in info ? info.c : undefined;
    return typeof id === "string" ? id : undefined;
  },
  async openOrderStream(client: CcxtClient) {
    const opening = client.authenticate({ type: "spot" });
    // ccxt keeps promises for other callers: where there are none, their rejection would end the process.
    forgiveFutures(client);
    await opening;
  },
  mostOpenOrders({ info }) {
    const filters = typeof info === "object" && info !== null && "filters" in info ? info.filters : undefined;
    const rows: readonly unknown[] = Array.isArray(filters) ? filters : [];
    const found = rows.find(
      (row) =>
        typeof row === "object" && row !== null && "maxNumOrders" in row && row.maxNumOrders !== undefined,
    );
    const most = Number((found as CcxtRecord | undefined)?.["maxNumOrders"]);
    return most > 0 ? most : undefined;
  },
  async keyRights(client) {
    if (!client.sapiGetAccountApiRestrictions) return undefined;
    try {
      const told = await client.sapiGetAccountApiRestrictions();
      const { enableSpotAndMarginTrading: canTrade, enableWithdrawals: canWithdraw, ipRestrict } = told;
      const isIpRestricted = typeof ipRestrict === "boolean" ? ipRestrict : undefined;
      if (typeof canTrade === "boolean" && typeof canWithdraw === "boolean") {
        return { canTrade, canWithdraw, isIpRestricted };
      }
      throw new QuantmeshError("EXCHANGE_UNAVAILABLE", "binance does not say what the key may do");
    } catch (error) {
      // The testnet and private servers have no such service.
      if (error instanceof ExchangeReply && error.status === 404) return undefined;
      throw error;
    }
  },
};

/** One of exchangeInfo's rateLimits; those of raw requests are never the first to be reached. */
function limitIn(row: unknown): readonly WindowLimit[] {
  if (typeof row !== "object" || row === null) return [];
  const { rateLimitType, interval, intervalNum, limit } = row as CcxtRecord;
  const unitMs = INTERVALS[String(interval)];
  const counts = KINDS[String(rateLimitType)];
  const [most, count] = [Number(limit), Number(intervalNum)];
  if (unitMs === undefined || counts === undefined || !(most > 0) || !(count > 0)) return [];
  return [{ counts, most, perMs: count * unitMs }];
}

function numberIn(headers: CcxtRecord, name: string): number | undefined {
  const found = Object.keys(headers).find((key) => key.toLowerCase() === name);
  const value = found === undefined ? Number.NaN : Number(headers[found]);
  return Number.isFinite(value) ? value : undefined;
}
