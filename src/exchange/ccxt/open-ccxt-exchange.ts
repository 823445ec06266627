/** Opens a real exchange: the key is checked, the clock is read, the markets are known and the order stream is open. */
import type { Clock } from "../../domain/clock.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { ClientOrderId } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import type { Log } from "../../domain/log.ts";
import type { Metrics } from "../../domain/metrics.ts";
import type { MarketHint } from "../exchange.ts";
import type { PriceSource } from "../paper/dry-run-exchange.ts";
import { OpenOrders } from "../limits/open-orders.ts";
import type { SharedLimits } from "../limits/choose-windows.ts";
import { chooseSharedBan, chooseWindows } from "../limits/choose-windows.ts";
import { RequestBudget } from "../limits/request-budget.ts";
import type { WindowLimit } from "../limits/budget-window.ts";
import { BINANCE } from "./binance.ts";
import type { CcxtClient, CcxtRecord } from "./ccxt-client.ts";
import { CcxtExchange } from "./ccxt-exchange.ts";
import type { Fees } from "./ccxt-normalize.ts";
import { toExecution, toOrder, toPrice } from "./ccxt-normalize.ts";
import type { StreamTimes } from "./ccxt-streams.ts";
import { CcxtStreams, STREAM_TIMES } from "./ccxt-streams.ts";
import type { Answer, Keys } from "./create-client.ts";
import { createClient } from "./create-client.ts";
import type { Dialect } from "./dialect.ts";
import { findExchange, refusalOf } from "./exchange-table.ts";
import { failureOf } from "./failures.ts";
import { OffsetClock } from "./offset-clock.ts";
import type { TradingLimits } from "./order-gate.ts";
import { OrderGate } from "./order-gate.ts";
import { PLAIN } from "./plain-dialect.ts";

export interface CcxtOptions {
  /** ccxt's id of the exchange. */
  readonly exchange: string;
  /** What it is called here; its id unless given. */
  readonly name?: string;
  readonly account: string;
  /** The exchange's own testnet. */
  readonly isSandbox?: boolean;
  /** A private server of the exchange's dialect instead of the exchange. */
  readonly urls?: { readonly rest: string; readonly ws: string } | undefined;
  /** How long a signed request stays alive, ms. */
  readonly requestWindowMs: number;
  /** How late the exchange's queries may be, ms; what the table says unless given. */
  readonly settleMs?: number | undefined;
  /** Asked of the exchange unless given. */
  readonly fees?: Fees | undefined;
  readonly limits?: TradingLimits & { readonly maxOrdersPerMinute: number | undefined };
  /** What the server allows, where it is not what the exchange documents. */
  readonly mostOf?: (limit: WindowLimit) => number | undefined;
  /** How many instances use the key, at most. Without `shared`, each takes an equal part of every limit; 1 unless given. */
  readonly instances?: number | undefined;
  /** Counts the requests of all instances with the key together. */
  readonly shared?: SharedLimits | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly streamTimes?: Partial<StreamTimes>;
}

export interface TradingOptions extends CcxtOptions {
  readonly keys: Keys;
  /** Trades with a key that could withdraw. */
  readonly mayWithdraw?: boolean;
}

const REQUEST_TIMEOUT_MS = 5_000;
const DEFAULT_SETTLE_MS = 2_000;
const NO_LIMITS = { maxOrderValue: undefined, maxOpenOrders: undefined, maxOrdersPerMinute: undefined };
const DIALECTS: Readonly<Record<string, Dialect>> = { binance: BINANCE };

/**
 * Opens the exchange for trading. Throws CONFIG_INVALID where it cannot be traded safely or the key may do too much
 * or too little, EXCHANGE_AUTH where the key is refused, EXCHANGE_UNAVAILABLE where nobody answers.
 */
export async function openCcxtExchange(options: TradingOptions): Promise<CcxtExchange> {
  const { exchange: name, keys } = options;
  const facts = findExchange(name);
  const dialect = DIALECTS[name];
  const refusal = facts ? refusalOf(facts) : `"${name}" is not in the exchange table`;
  if (refusal !== undefined) throw invalid(refusal);
  if (!dialect) throw new QuantmeshError("INVARIANT", `${name} is spoken, and has no dialect`);
  const { exchange, streams } = await build(options, dialect, keys);
  try {
    await exchange.time();
    await checkKey(exchange, options);
    await streams.start();
    return exchange;
  } catch (error) {
    await exchange.close();
    throw error;
  }
}

/** Opens the exchange for its prices and rules alone, without keys; any that ccxt knows. Throws as the other. */
export async function openCcxtPrices(options: CcxtOptions): Promise<PriceSource> {
  const { exchange, streams } = await build(options, DIALECTS[options.exchange] ?? PLAIN, undefined);
  await streams.start();
  return exchange;
}

/** An exchange that is looked at, and what its requests cost there. */
export interface CcxtView {
  readonly exchange: CcxtExchange;
  /** The exchange's own, or what the config says instead. */
  readonly allowed: readonly WindowLimit[];
  readonly weights: Dialect["weights"];
}

/**
 * Opens the exchange for looking only: no stream is opened, and neither the exchange nor the key is judged. Its lists
 * can be read with keys. Throws EXCHANGE_UNAVAILABLE where nobody answers.
 */
export async function openCcxtView(options: CcxtOptions, keys: Keys | undefined): Promise<CcxtView> {
  const dialect = DIALECTS[options.exchange] ?? PLAIN;
  const { exchange, allowed } = await build(options, dialect, keys);
  return { exchange, allowed, weights: dialect.weights };
}

async function build(
  options: CcxtOptions,
  dialect: Dialect,
  keys: Keys | undefined,
): Promise<{
  readonly exchange: CcxtExchange;
  readonly streams: CcxtStreams;
  readonly allowed: readonly WindowLimit[];
}> {
  const { exchange: id, account, clock, log, metrics, urls, isSandbox = false } = options;
  const { name = id } = options;
  const limits = options.limits ?? NO_LIMITS;
  const perMinute = limits.maxOrdersPerMinute;
  const own = perMinute === undefined ? [] : [{ counts: "orders" as const, most: perMinute, perMs: 60_000 }];
  const time = new OffsetClock(clock, name, log, metrics);
  /** Known once the markets are. */
  const limited: { by?: readonly WindowLimit[]; budget?: RequestBudget } = {};
  const noteAnswer = ({ headers, reply, sentAt }: Answer): void => {
    const told = dialect.limitsIn(reply);
    if (told) limited.by = told;
    if (sentAt === undefined) return;
    for (const used of dialect.usedOf(headers)) limited.budget?.noteUsed(used, sentAt);
  };
  const create = async (): Promise<CcxtClient> =>
    createClient({ exchange: id, dialect, keys, isSandbox, urls, now: () => time.now(), clock, noteAnswer });
  const client = await create();
  const streamClient = await create();
  try {
    await client.loadMarkets();
  } catch (error) {
    throw failureOf(name, dialect, "markets", error);
  }
  const allowed = (limited.by ?? dialect.limits).map((limit) => ({
    ...limit,
    most: options.mostOf?.(limit) ?? limit.most,
  }));
  const sharing = {
    exchange: name,
    key: keys?.apiKey,
    // Without a key nobody knows who else counts.
    shared: keys && options.shared,
    clock,
    log,
  };
  const budget = new RequestBudget(
    clock,
    (roomHasCome) =>
      chooseWindows({
        ...sharing,
        allowed,
        own,
        instances: options.instances,
        exchangeOffset: () => time.now() - clock.monotonic(),
        roomHasCome,
        metrics,
      }),
    (hear) => chooseSharedBan(sharing, hear),
  );
  limited.budget = budget;
  client.timeout = REQUEST_TIMEOUT_MS;
  streamClient.timeout = REQUEST_TIMEOUT_MS;
  streamClient.setMarkets(client.markets, client.currencies);

  const openOrders = new OpenOrders();
  const instruments = new Map<string, Instrument>();
  const streams: CcxtStreams = new CcxtStreams({
    exchange: name,
    client: streamClient,
    watchesOrders: keys !== undefined,
    openOrderStream: async (opened) => dialect.openOrderStream(opened),
    hintOfOrder: (order) =>
      hintOf(instruments, order, (instrument) => ({ kind: "order", order: toOrder(instrument, order) })),
    hintOfTrade: (trade) =>
      hintOf(instruments, trade, (instrument) => ({
        kind: "fill",
        execution: toExecution(instrument, trade),
        id: dialect.clientIdOfTrade(trade) as ClientOrderId | undefined,
      })),
    priceOf: (symbol, ticker) => {
      const instrument = instruments.get(symbol);
      if (!instrument) throw new QuantmeshError("INVARIANT", `${symbol} is watched but not known`);
      return toPrice(instrument, ticker, time.now());
    },
    readPrice: async (symbol) => exchange.price(symbol),
    resynchronize: async () => exchange.resynchronize(),
    noteClosed: (symbol, id) => openOrders.remove(symbol, id),
    // Its orders may rest on, and are those of whoever trades it next: that one reads their list first.
    noteLeft: (symbol) => openOrders.replace(symbol, []),
    clock,
    log,
    metrics,
    times: { ...STREAM_TIMES, ...options.streamTimes },
  });
  const exchange: CcxtExchange = new CcxtExchange({
    name,
    account,
    requestWindowMs: options.requestWindowMs,
    settleMs: options.settleMs ?? findExchange(id)?.settleMs ?? DEFAULT_SETTLE_MS,
    client,
    dialect,
    streams,
    budget,
    openOrders,
    instruments,
    gate: new OrderGate({ limits, budget, openOrders, clock }),
    fees: options.fees,
    asksFees: keys !== undefined,
    clock,
    time,
    log,
  });
  return { exchange, streams, allowed };
}

/** A key that can withdraw can lose all; one that cannot trade is of no use. */
async function checkKey(exchange: CcxtExchange, { mayWithdraw = false, log }: TradingOptions): Promise<void> {
  const rights = await exchange.keyRights();
  if (!rights) {
    log.warn({ exchange: exchange.name }, "exchange.key_rights_not_told");
    return;
  }
  if (rights.canWithdraw && !mayWithdraw) {
    throw invalid(
      `the API key of ${exchange.name} may withdraw: make one that may only read and trade, ` +
        `or set exchanges.${exchange.name}.allow_withdrawal_key: true`,
    );
  }
  if (!rights.canTrade) throw invalid(`the API key of ${exchange.name} may not trade: allow it spot trading`);
}

/** What cannot be read is no hint: the lists tell it. */
function hintOf(
  instruments: ReadonlyMap<string, Instrument>,
  record: CcxtRecord,
  read: (instrument: Instrument) => MarketHint,
): { readonly symbol: string; readonly hint: MarketHint } | undefined {
  const symbol = String(record["symbol"]);
  const instrument = instruments.get(symbol);
  if (!instrument) return undefined;
  try {
    return { symbol, hint: read(instrument) };
  } catch (error) {
    if (error instanceof QuantmeshError && error.code !== "INVARIANT") return undefined;
    throw error;
  }
}

function invalid(message: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", message);
}
