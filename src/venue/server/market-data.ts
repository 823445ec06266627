/** What everybody may see of the markets: trades, prices and minute candles, from what the venue did. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { ZERO_LOTS, ZERO_MONEY, addLots, addMoney } from "../../domain/amounts.ts";
import { invariant } from "../../domain/assert.ts";
import type { Instant } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import { notional } from "../../domain/instrument.ts";
import type { Happening } from "./venue-world.ts";

export const MINUTE_MS = 60_000;
/** Trades kept for each symbol. */
const MOST_TRADES = 1_000;
/** Minute candles kept for each symbol: a little more than a week. */
const MOST_CANDLES = 11_000;

export interface TapeTrade {
  readonly id: number;
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
  readonly at: Instant;
  readonly isBuyerMaker: boolean;
}

/** The prices that the market stood at or traded at within one minute, and what was traded. */
export interface MinuteCandle {
  readonly openTime: number;
  readonly open: PriceTicks;
  readonly high: PriceTicks;
  readonly low: PriceTicks;
  readonly close: PriceTicks;
  readonly lots: QuantityLots;
  /** Quote value of what was traded. */
  readonly value: Money;
  readonly trades: number;
  /** What buyers took. */
  readonly takenLots: QuantityLots;
}

export interface SymbolData {
  readonly symbol: string;
  /** The last price traded or, in a market of unlimited depth, moved to. */
  readonly last: PriceTicks | undefined;
  /** Grows with every change of the book or the price. */
  readonly updateId: number;
  readonly trades: readonly TapeTrade[];
  readonly candles: readonly MinuteCandle[];
}

export type MarketDataState = readonly SymbolData[];

interface Writable {
  readonly symbol: string;
  readonly instrument: Instrument;
  last: PriceTicks | undefined;
  updateId: number;
  trades: TapeTrade[];
  candles: MinuteCandle[];
}

export class MarketData {
  readonly #bySymbol = new Map<string, Writable>();
  readonly #movesTrade: boolean;

  /** `movesTrade`: the market itself trades at the price it is moved to, so that this is its last price. */
  constructor(instruments: readonly Instrument[], movesTrade: boolean) {
    this.#movesTrade = movesTrade;
    for (const instrument of instruments) {
      const { symbol } = instrument;
      this.#bySymbol.set(symbol, {
        symbol,
        instrument,
        last: undefined,
        updateId: 1,
        trades: [],
        candles: [],
      });
    }
  }

  of(symbol: string): SymbolData {
    return this.#writable(symbol);
  }

  /** Takes in what a command did; returns the trades of it, oldest first. */
  note({ command, events }: Happening): readonly TapeTrade[] {
    if (command.kind === "deposit") return NO_TRADES;
    const data = this.#writable(command.symbol);
    if (command.kind === "move") {
      data.updateId += 1;
      if (this.#movesTrade || data.last === undefined)
        this.#see(data, command.price, command.time, undefined);
    }
    let trades: TapeTrade[] | undefined;
    for (const event of events) {
      data.updateId += 1;
      if (event.kind !== "fill") continue;
      const { tradeId, price, quantity, at, side, liquidity } = event.execution;
      const id = Number(tradeId);
      // The taker's side of a trade whose maker was told of just before.
      if (trades?.[trades.length - 1]?.id === id) continue;
      const trade = { id, price, quantity, at, isBuyerMaker: (side === "buy") === (liquidity === "maker") };
      (trades ??= []).push(trade);
      data.trades.push(trade);
      this.#see(data, price, at, trade);
    }
    if (command.kind === "move") {
      data.updateId += 1;
      // The orders that it filled were on the way.
      if (this.#movesTrade || data.last === undefined)
        this.#see(data, command.price, command.time, undefined);
    }
    if (data.trades.length > 2 * MOST_TRADES) data.trades = data.trades.slice(-MOST_TRADES);
    if (data.candles.length > 2 * MOST_CANDLES) data.candles = data.candles.slice(-MOST_CANDLES);
    return trades ?? NO_TRADES;
  }

  state(): MarketDataState {
    return [...this.#bySymbol.values()].map(({ symbol, last, updateId, trades, candles }) => ({
      symbol,
      last,
      updateId,
      trades,
      candles,
    }));
  }

  restore(state: MarketDataState): void {
    for (const { symbol, last, updateId, trades, candles } of state) {
      Object.assign(this.#writable(symbol), { last, updateId, trades: [...trades], candles: [...candles] });
    }
  }

  #writable(symbol: string): Writable {
    const data = this.#bySymbol.get(symbol);
    invariant(data !== undefined, `no market data of ${symbol}`);
    return data;
  }

  #see(data: Writable, price: PriceTicks, at: Instant, trade: TapeTrade | undefined): void {
    data.last = price;
    const openTime = at - (at % MINUTE_MS);
    const newest = data.candles[data.candles.length - 1];
    const isNew = newest === undefined || newest.openTime < openTime;
    const candle = isNew ? emptyCandle(openTime, newest?.close ?? price) : newest;
    const quantity = trade?.quantity ?? ZERO_LOTS;
    const next: MinuteCandle = {
      openTime: candle.openTime,
      open: isNew ? price : candle.open,
      high: isNew || price > candle.high ? price : candle.high,
      low: isNew || price < candle.low ? price : candle.low,
      close: price,
      lots: addLots(candle.lots, quantity),
      value: trade ? addMoney(candle.value, notional(data.instrument, price, quantity)) : candle.value,
      trades: candle.trades + (trade ? 1 : 0),
      takenLots: trade?.isBuyerMaker === false ? addLots(candle.takenLots, quantity) : candle.takenLots,
    };
    if (isNew) data.candles.push(next);
    else data.candles[data.candles.length - 1] = next;
  }
}

const NO_TRADES: readonly TapeTrade[] = [];

function emptyCandle(openTime: number, price: PriceTicks): MinuteCandle {
  return {
    openTime,
    open: price,
    high: price,
    low: price,
    close: price,
    lots: ZERO_LOTS,
    value: ZERO_MONEY,
    trades: 0,
    takenLots: ZERO_LOTS,
  };
}
