/** The exchange port over ccxt: one account, nothing ever repeated, and an outcome believed only where it is proven. */
import { formatMoney } from "../../domain/amounts.ts";
import type { Clock } from "../../domain/clock.ts";
import { QuantmeshError, hasCode } from "../../domain/errors.ts";
import type { Execution } from "../../domain/fill.ts";
import type { ClientOrderId, Instant } from "../../domain/ids.ts";
import { instant } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import { formatPrice, formatQuantity } from "../../domain/instrument.ts";
import type { Log } from "../../domain/log.ts";
import type { OrderTerms } from "../../domain/order.ts";
import type {
  Admission,
  Balance,
  CancelOutcome,
  CancelRequest,
  Exchange,
  ExchangeOrder,
  FillPage,
  MarketHint,
  OrderRequest,
  PlaceOutcome,
} from "../exchange.ts";
import type { OpenOrders } from "../limits/open-orders.ts";
import type { RequestBudget } from "../limits/request-budget.ts";
import { cursorAfter } from "./binance-lists.ts";
import type { CcxtClient, CcxtRecord } from "./ccxt-client.ts";
import type { Fees } from "./ccxt-normalize.ts";
import { idOf, toBalances, toExecution, toInstrument, toOrder, toPrice } from "./ccxt-normalize.ts";
import type { CcxtStreams } from "./ccxt-streams.ts";
import type { Dialect, KeyRights, RequestKind } from "./dialect.ts";
import { describeCall, failureOf } from "./failures.ts";
import { ExchangeReply } from "./exchange-reply.ts";
import type { OffsetClock } from "./offset-clock.ts";
import type { OrderGate } from "./order-gate.ts";

export interface CcxtExchangeParts {
  readonly name: string;
  readonly account: string;
  readonly requestWindowMs: number;
  readonly settleMs: number;
  readonly client: CcxtClient;
  readonly dialect: Dialect;
  readonly streams: CcxtStreams;
  readonly budget: RequestBudget;
  readonly openOrders: OpenOrders;
  /** Filled by `instrument`. */
  readonly instruments: Map<string, Instrument>;
  readonly gate: OrderGate;
  /** What the config says of fees; asked of the exchange where it says nothing. */
  readonly fees: Fees | undefined;
  /** False without keys: then the fees are those that the exchange publishes for everybody. */
  readonly asksFees: boolean;
  readonly clock: Clock;
  readonly time: OffsetClock;
  readonly log: Log;
}

/** Reads wait so long for room in the limits before they give up. */
const READ_WAIT_MS = 10_000;
/** A cancel that waited longer could be dead before it arrives. */
const CANCEL_WAIT_MS = 500;

export class CcxtExchange implements Exchange {
  readonly name: string;
  readonly account: string;
  readonly requestWindowMs: number;
  readonly settleMs: number;
  readonly #parts: CcxtExchangeParts;

  constructor(parts: CcxtExchangeParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.account = parts.account;
    this.requestWindowMs = parts.requestWindowMs;
    this.settleMs = parts.settleMs;
  }

  async time(): Promise<Instant> {
    const { client: asked, clock, time } = this.#parts;
    if (asked.has["fetchTime"] !== true) return time.now();
    return this.#read("time", async (client) => {
      const sent = clock.monotonic();
      const told = await client.fetchTime();
      if (typeof told !== "number") throw new QuantmeshError("EXCHANGE_UNAVAILABLE", "it told no time");
      time.note(told, sent, clock.monotonic());
      return instant(told);
    });
  }

  async instrument(symbol: string): Promise<Instrument> {
    const { instruments } = this.#parts;
    const known = instruments.get(symbol);
    if (known) return known;
    const described = await this.#describe(symbol);
    instruments.set(symbol, described);
    return described;
  }

  async price(symbol: string): ReturnType<Exchange["price"]> {
    const instrument = await this.instrument(symbol);
    const ticker = await this.#read("price", async (client) => client.fetchTicker(symbol));
    return toPrice(instrument, ticker, this.#parts.time.now());
  }

  mostOpenOrders(symbol: string): number | undefined {
    const { client, dialect } = this.#parts;
    return dialect.mostOpenOrders(client.markets?.[symbol] ?? {});
  }

  async admit(symbol: string, terms: OrderTerms, signal: AbortSignal): Promise<Admission> {
    const instrument = await this.instrument(symbol);
    return this.#parts.gate.admit(instrument, terms, signal);
  }

  async placeOrder({ symbol, terms, validUntil }: OrderRequest): Promise<PlaceOutcome> {
    const { gate, openOrders } = this.#parts;
    const { id } = terms;
    const instrument = await this.instrument(symbol);
    const refusal = gate.pass(instrument, terms);
    if (refusal) return { kind: "rejected", ...refusal };
    // Until its fate is known it counts as one that rests.
    openOrders.add(symbol, id);
    const outcome = await this.#send(instrument, terms, validUntil);
    if (outcome.kind === "accepted" || outcome.kind === "rejected") openOrders.remove(symbol, id);
    if (outcome.kind === "accepted") openOrders.add(symbol, outcome.exchangeOrderId);
    return outcome;
  }

  async #send(instrument: Instrument, terms: OrderTerms, validUntil: Instant): Promise<PlaceOutcome> {
    const { client, dialect, streams } = this.#parts;
    const { symbol } = instrument;
    const { id, side, type, price, quantity } = terms;
    try {
      const answer = await client.createOrder(
        symbol,
        type === "market" ? "market" : "limit",
        side,
        formatQuantity(instrument, quantity),
        type === "market" ? undefined : formatPrice(instrument, price),
        {
          clientOrderId: id,
          ...dialect.bound(validUntil, this.requestWindowMs),
          ...(type === "limit_maker" ? { postOnly: true } : {}),
        },
      );
      const exchangeOrderId = idOf(answer);
      if (exchangeOrderId === undefined) return { kind: "unknown", message: "the answer names no order" };
      streams.expect(symbol, exchangeOrderId);
      return { kind: "accepted", exchangeOrderId };
    } catch (error) {
      return this.#placeOutcomeOf(error);
    }
  }

  async cancelOrder({ symbol, exchangeOrderId, validUntil }: CancelRequest): Promise<CancelOutcome> {
    const { client, dialect, budget, openOrders } = this.#parts;
    const instrument = await this.instrument(symbol);
    const cost = { weight: dialect.weights.cancel, orders: 0 };
    if (!(await budget.take(cost, "cancel", CANCEL_WAIT_MS))) {
      return { kind: "unknown", message: "no room in the exchange's limits; not sent" };
    }
    try {
      const params = dialect.bound(validUntil, this.requestWindowMs);
      const order = toOrder(instrument, await client.cancelOrder(exchangeOrderId, symbol, params));
      // What the exchange says it cancelled is believed only of the order that was meant.
      if (order.exchangeOrderId !== exchangeOrderId || order.status === "open") {
        return {
          kind: "unknown",
          message: `the answer is of order ${order.exchangeOrderId}, ${order.status}`,
        };
      }
      openOrders.remove(symbol, exchangeOrderId);
      return { kind: "canceled", executed: order.executed };
    } catch (error) {
      if (error instanceof ExchangeReply) {
        this.#noteReply(error);
        if (dialect.judge(error.status, error.code, error.message).kind === "noSuchOrder") {
          return { kind: "not_found" };
        }
      }
      return { kind: "unknown", message: describeCall("cancel", error) };
    }
  }

  async findOrder(symbol: string, id: ClientOrderId): Promise<ExchangeOrder | undefined> {
    const instrument = await this.instrument(symbol);
    const found = await this.#read("findOrder", async (client) => {
      try {
        return await client.fetchOrder(undefined, symbol, { clientOrderId: id });
      } catch (error) {
        if (error instanceof ExchangeReply) {
          const { dialect } = this.#parts;
          const verdict = dialect.judge(error.status, error.code, error.message);
          if (verdict.kind === "noSuchOrder") return undefined;
        }
        throw error;
      }
    });
    return found && toOrder(instrument, found);
  }

  async openOrders(symbol: string): Promise<readonly ExchangeOrder[]> {
    const instrument = await this.instrument(symbol);
    const listed = await this.#read("openOrders", async (client) => client.fetchOpenOrders(symbol));
    const orders = listed.map((order) => toOrder(instrument, order));
    this.#parts.openOrders.replace(
      symbol,
      orders.map(({ exchangeOrderId }) => exchangeOrderId),
    );
    return orders;
  }

  async ordersSince(symbol: string, since: Instant): Promise<readonly ExchangeOrder[]> {
    const instrument = await this.instrument(symbol);
    const { dialect, time } = this.#parts;
    const listed = await dialect.ordersSince(this.#read, symbol, since, time.now());
    return listed
      .map((order) => toOrder(instrument, order))
      .filter((order) => order.createdAt >= since)
      .sort((a, b) => compareIds(a.exchangeOrderId, b.exchangeOrderId));
  }

  async fillsSince(symbol: string, cursor: string | undefined): Promise<FillPage> {
    const instrument = await this.instrument(symbol);
    const from = cursor ?? "0";
    const trades = await this.#parts.dialect.tradesFrom(this.#read, symbol, from);
    const fills = trades
      .flatMap((trade) => this.#executionOf(instrument, trade))
      .sort((a, b) => compareIds(a.tradeId, b.tradeId));
    return { fills, cursor: cursorAfter(fills, from) };
  }

  async balances(): Promise<readonly Balance[]> {
    return toBalances(await this.#read("balances", async (client) => client.fetchBalance()));
  }

  subscribe(symbol: string, listen: (hint: MarketHint) => void): () => void {
    return this.#parts.streams.subscribe(symbol, listen);
  }

  async ping(): Promise<void> {
    await this.time();
  }

  /** What the account's key may do; undefined where the exchange does not tell. */
  async keyRights(): Promise<KeyRights | undefined> {
    return this.#read("keyRights", async (client) => this.#parts.dialect.keyRights(client));
  }

  async close(): Promise<void> {
    const { streams, budget, client } = this.#parts;
    await streams.close();
    budget.close();
    await client.close();
  }

  async #describe(symbol: string): Promise<Instrument> {
    const { client, name } = this.#parts;
    const market = client.markets?.[symbol];
    if (!market) {
      throw new QuantmeshError("CONFIG_INVALID", `${name} has no symbol ${symbol}`);
    }
    const fees =
      this.#parts.fees ?? feesIn(name, this.#parts.asksFees ? await this.#askFees(symbol) : market);
    const instrument = toInstrument(name, market, client.precisionMode, fees);
    this.#parts.log.info(
      {
        exchange: name,
        symbol,
        tick: formatMoney(instrument.tickSize),
        lot: formatMoney(instrument.lotSize),
        ...fees,
      },
      "exchange.instrument",
    );
    return instrument;
  }

  async #askFees(symbol: string): Promise<CcxtRecord> {
    return this.#read("fees", async (client) => client.fetchTradingFee(symbol));
  }

  /** One that is finer than the market's tick or lot is not of an order of ours. */
  #executionOf(instrument: Instrument, trade: CcxtRecord): readonly Execution[] {
    try {
      return [toExecution(instrument, trade)];
    } catch (error) {
      if (!hasCode(error, "DATA_INVALID")) throw error;
      this.#parts.log.warn({ symbol: instrument.symbol, error }, "fill.unreadable");
      return [];
    }
  }

  /** Bound, because dialects read through it. */
  readonly #read = async <Answer>(
    kind: RequestKind,
    call: (client: CcxtClient) => Promise<Answer>,
  ): Promise<Answer> => {
    const { client, dialect, budget } = this.#parts;
    const cost = { weight: dialect.weights[kind], orders: 0 };
    if (
      budget.isBlocked ||
      !(await budget.take(cost, kind === "findOrder" ? "query" : "read", READ_WAIT_MS))
    ) {
      throw new QuantmeshError("RATE_LIMITED", `${this.name}: no room in the request limits for ${kind}`);
    }
    try {
      return await call(client);
    } catch (error) {
      if (error instanceof ExchangeReply) {
        this.#noteReply(error);
        const verdict = dialect.judge(error.status, error.code, error.message);
        if (verdict.kind === "refused" && verdict.reason === "expired") await this.resynchronize();
      }
      throw failureOf(this.name, dialect, kind, error);
    }
  };

  /** Reads the exchange's clock again, because it refused what was signed in its time. */
  async resynchronize(): Promise<void> {
    try {
      await this.time();
    } catch (error) {
      this.#parts.log.warn(
        { exchange: this.name, reason: describeCall("time", error) },
        "exchange.clock_unread",
      );
    }
  }

  #placeOutcomeOf(error: unknown): PlaceOutcome {
    if (error instanceof ExchangeReply) {
      this.#noteReply(error);
      const verdict = this.#parts.dialect.judge(error.status, error.code, error.message);
      if (verdict.kind === "refused") {
        return { kind: "rejected", reason: verdict.reason, message: `${error.code} ${error.message}` };
      }
      if (verdict.kind === "duplicate") return { kind: "duplicate" };
    }
    return { kind: "unknown", message: describeCall("place", error) };
  }

  #noteReply({ status, retryAfterMs }: ExchangeReply): void {
    const { budget } = this.#parts;
    // Without a time it is no ban but the account's number of orders: others may read and cancel.
    if (status === 429 && retryAfterMs === undefined) budget.block(10_000);
    else if (status === 429 || status === 418) budget.blockAll(retryAfterMs ?? 120_000);
  }
}

function feesIn(exchange: string, { maker, taker }: CcxtRecord): Fees {
  if (maker === undefined || taker === undefined) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `${exchange} does not tell its fees: set exchanges.${exchange}.fee_rate`,
    );
  }
  return { maker: String(maker), taker: String(taker) };
}

/** Ids of an exchange are numbers that only grow. */
function compareIds(a: string, b: string): number {
  return Number(BigInt(a) - BigInt(b));
}
