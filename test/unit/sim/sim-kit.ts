/** Small simulated markets for tests, and short words for what a bot asks of them. */
import type { Money, PriceTicks, QuantityLots } from "../../../src/domain/amounts.ts";
import { parseMoney } from "../../../src/domain/amounts.ts";
import type { ClientOrderId, Generation, Instant, SlotNumber } from "../../../src/domain/ids.ts";
import { createInstrument } from "../../../src/domain/instrument.ts";
import type { OrderTerms } from "../../../src/domain/order.ts";
import type { CancelOutcome, Exchange, OrderRequest, PlaceOutcome } from "../../../src/exchange/exchange.ts";
import type { Idle } from "../../../src/exchange/sim/drive.ts";
import type { SimMarket, SimOptions } from "../../../src/exchange/sim/sim-exchange.ts";
import type { SimSymbol } from "../../../src/exchange/sim/sim-market.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import type { Candles } from "../../../src/venue/market/candles.ts";

export const SYMBOL = "BTC/USDT";
export const INSTRUMENT = createInstrument({
  exchange: "sim",
  symbol: SYMBOL,
  tickSize: "1",
  lotSize: "0.1",
  makerFee: "0.001",
  takerFee: "0.002",
});
export const BALANCES: Record<string, Money> = { USDT: parseMoney("10000"), BTC: parseMoney("100") };
export const START = 1_000_000;
export const INTERVAL_MS = 60_000;
export const ALWAYS_IDLE: Idle = { isIdle: () => true, whenIdle: () => Promise.resolve() };

/** One candle for each `[open, high, low, close]`, a minute apart, from START on. */
export function candlesOf(rows: readonly (readonly [number, number, number, number])[]): Candles {
  return {
    length: rows.length,
    intervalMs: INTERVAL_MS,
    timestamp: Float64Array.from(rows, (_row, index) => START + index * INTERVAL_MS),
    open: Float64Array.from(rows, ([open]) => open),
    high: Float64Array.from(rows, ([, high]) => high),
    low: Float64Array.from(rows, ([, , low]) => low),
    close: Float64Array.from(rows, ([, , , close]) => close),
  };
}

/** Candles that swing between 90 and 110 for ever. */
export function swings(count: number): Candles {
  return candlesOf(
    Array.from({ length: count }, (_each, index) =>
      index % 2 === 0 ? ([100, 110, 90, 105] as const) : ([105, 108, 92, 100] as const),
    ),
  );
}

export function replayOf(candles: Candles): SimSymbol {
  return { instrument: INSTRUMENT, market: { type: "replay", candles, fill: "touch" } };
}

export function walkOf(seed: number): SimSymbol {
  const startPrice = 100 as PriceTicks;
  return {
    instrument: INSTRUMENT,
    market: { type: "walk", seed, startPrice, stepTicks: 5, stepMs: 250, reversion: 10 },
  };
}

export function simOptions(symbol: SimSymbol, more: Partial<SimOptions> = {}): SimOptions {
  return {
    name: "sim",
    account: "main",
    journalFile: ":memory:",
    balances: BALANCES,
    symbols: [symbol],
    ...more,
  };
}

/** A request for a limit order that is good for one second. */
export function requestOf(
  now: Instant,
  id: string,
  side: OrderTerms["side"],
  price: number,
  quantity: number,
): OrderRequest {
  return {
    symbol: SYMBOL,
    terms: {
      id: id as ClientOrderId,
      slot: 0 as SlotNumber,
      side,
      generation: 1 as Generation,
      type: "limit",
      price: price as PriceTicks,
      quantity: quantity as QuantityLots,
      createdAt: now,
    },
    validUntil: (now + 1_000) as Instant,
  };
}

export async function place(
  exchange: Exchange,
  ...[id, side, price, quantity]: [id: string, side: OrderTerms["side"], price: number, quantity: number]
): Promise<PlaceOutcome> {
  return exchange.placeOrder(requestOf(await exchange.time(), id, side, price, quantity));
}

export async function cancel(exchange: Exchange, exchangeOrderId: string): Promise<CancelOutcome> {
  const validUntil = ((await exchange.time()) + 1_000) as Instant;
  return exchange.cancelOrder({ symbol: SYMBOL, id: "" as ClientOrderId, exchangeOrderId, validUntil });
}

/** Moves a market on by `points`, in a walk with the clock that it was opened with. */
export async function advance(market: SimMarket, points: number): Promise<void> {
  if (points === 0) return;
  const target = market.progress().position + points;
  const stop = new AbortController();
  const unsubscribe = market.exchange.subscribe(SYMBOL, ({ kind }) => {
    if (kind === "tick" && market.progress().position === target) stop.abort();
  });
  const driving = market.drive(ALWAYS_IDLE, stop.signal);
  while (market.progress().total === undefined && !stop.signal.aborted) await turnClock(market.clock);
  await driving;
  unsubscribe();
}

/** Everything that an account can see of its exchange. */
export async function everything(market: SimMarket): Promise<unknown> {
  const { exchange } = market;
  return {
    time: await exchange.time(),
    price: await exchange.price(SYMBOL),
    progress: market.progress(),
    open: await exchange.openOrders(SYMBOL),
    orders: await exchange.ordersSince(SYMBOL, 0 as Instant),
    fills: await exchange.fillsSince(SYMBOL, undefined),
    balances: await exchange.balances(),
  };
}

async function turnClock(clock: SimMarket["clock"]): Promise<void> {
  // Whoever waits for the timer has set it and gone on before this turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  if (!(clock instanceof VirtualClock)) throw new Error("a walk in a test goes by a virtual clock");
  const at = clock.nextTimerAt();
  if (at === undefined) return;
  clock.advanceTo(at);
  clock.runDueTimer();
}
