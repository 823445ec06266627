/** What anybody may read of an exchange's past and its rules: candles and markets, without keys or streams. */
import type { TextCandle } from "../../domain/candle.ts";
import type { Clock } from "../../domain/clock.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Instant } from "../../domain/ids.ts";
import { instant } from "../../domain/ids.ts";
import { RequestBudget } from "../limits/request-budget.ts";
import type { WindowLimit } from "../limits/budget-window.ts";
import { SlidingWindow } from "../limits/sliding-window.ts";
import { BINANCE } from "./binance.ts";
import type { CcxtClient, CcxtRecord } from "./ccxt-client.ts";
import { toTextCandles } from "./ccxt-normalize.ts";
import { createClient } from "./create-client.ts";
import type { Dialect, RequestKind } from "./dialect.ts";
import { ExchangeReply } from "./exchange-reply.ts";
import { failureOf } from "./failures.ts";
import type { MarketList } from "./listed-markets.ts";
import { listMarkets } from "./listed-markets.ts";
import { PLAIN } from "./plain-dialect.ts";

export interface MarketDataOptions {
  /** ccxt's id of the exchange. */
  readonly exchange: string;
  /** A private server of the exchange's dialect instead of the exchange. */
  readonly urls?: { readonly rest: string; readonly ws: string } | undefined;
  readonly isSandbox?: boolean;
  /** What the server allows, where it is not what the exchange documents. */
  readonly mostOf?: (limit: WindowLimit) => number | undefined;
  /** How many processes use the exchange from one address without knowing of each other. */
  readonly instances?: number;
  readonly clock: Clock;
}

/** Reads throw EXCHANGE_UNAVAILABLE or RATE_LIMITED and may be repeated. */
export interface MarketData {
  readonly name: string;
  /** Of candles, as ccxt writes them; none where the exchange has no candles. */
  readonly timeframes: readonly string[];
  readonly candlesPerPage: number;
  readonly list: MarketList;
  /** The exchange's time; this computer's where it tells none. */
  time(): Promise<Instant>;
  /** The first candles that begin at or after `since`, ascending; the last one may not be over. */
  candles(
    symbol: string,
    timeframe: string,
    since: Instant,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly TextCandle[]>;
  close(): Promise<void>;
}

/** Less than any exchange gives, where ccxt does not know how much. */
const CANDLES_PER_PAGE = 200;
const REQUEST_TIMEOUT_MS = 10_000;
/** So long a read waits for room in the limits before it gives up. */
const ROOM_WAIT_MS = 30_000;
const DIALECTS: Readonly<Record<string, Dialect>> = { binance: BINANCE };

/** Throws CONFIG_INVALID where ccxt knows no such exchange, EXCHANGE_UNAVAILABLE where nobody answers. */
export async function openMarketData(options: MarketDataOptions): Promise<MarketData> {
  const { exchange, clock, urls, isSandbox = false, instances = 1 } = options;
  const dialect = DIALECTS[exchange] ?? PLAIN;
  /** Known once the markets are. */
  const told: { limits?: readonly WindowLimit[]; budget?: RequestBudget } = {};
  const client = await createClient({
    exchange,
    dialect,
    keys: undefined,
    isSandbox,
    urls,
    now: () => clock.now(),
    clock,
    noteAnswer({ headers, reply, sentAt }) {
      told.limits = dialect.limitsIn(reply) ?? told.limits ?? dialect.limits;
      if (sentAt === undefined) return;
      for (const used of dialect.usedOf(headers)) told.budget?.noteUsed(used, sentAt);
    },
  });
  try {
    await client.loadMarkets();
  } catch (error) {
    await client.close();
    throw failureOf(exchange, dialect, "markets", error);
  }
  const limits = (told.limits ?? dialect.limits).map((limit) => ({
    ...limit,
    most: options.mostOf?.(limit) ?? limit.most,
  }));
  const budget = new RequestBudget(clock, () => limits.map((limit) => new SlidingWindow(limit, instances)));
  told.budget = budget;
  client.timeout = REQUEST_TIMEOUT_MS;

  const read = async <Answer>(
    kind: RequestKind,
    call: () => Promise<Answer>,
    signal?: AbortSignal,
  ): Promise<Answer> => {
    const cost = { weight: dialect.weights[kind], orders: 0 };
    if (!(await budget.take(cost, "read", ROOM_WAIT_MS, signal))) {
      throw new QuantmeshError("RATE_LIMITED", `${exchange}: no room in the request limits for ${kind}`);
    }
    try {
      return await call();
    } catch (error) {
      if (error instanceof ExchangeReply && (error.status === 429 || error.status === 418)) {
        budget.block(error.retryAfterMs ?? (error.status === 418 ? 120_000 : 10_000));
      }
      throw failureOf(exchange, dialect, kind, error);
    }
  };
  return {
    name: exchange,
    timeframes: client.has["fetchOHLCV"] === true ? Object.keys(client.timeframes ?? {}) : [],
    candlesPerPage: pageOf(client),
    list: listMarkets(exchange, client, dialect),
    async time() {
      if (client.has["fetchTime"] !== true) return clock.now();
      const now = await read("time", async () => client.fetchTime());
      if (typeof now !== "number")
        throw new QuantmeshError("EXCHANGE_UNAVAILABLE", `${exchange} told no time`);
      return instant(now);
    },
    async candles(symbol, timeframe, since, limit, signal) {
      const call = async (): Promise<unknown> => client.fetchOHLCV(symbol, timeframe, since, limit);
      return toTextCandles(await read("candles", call, signal));
    },
    async close() {
      budget.close();
      await client.close();
    },
  };
}

/** ccxt's table of what exchanges can do. */
function pageOf({ features }: CcxtClient): number {
  const step = (at: unknown, key: string): unknown =>
    typeof at === "object" && at !== null ? (at as CcxtRecord)[key] : undefined;
  const limit = ["spot", "fetchOHLCV", "limit"].reduce(step, features);
  return typeof limit === "number" && limit > 0 ? limit : CANDLES_PER_PAGE;
}
