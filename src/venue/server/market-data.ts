/** What everybody may see of the markets: trades, prices and candles, from what the venue did. */
import type { PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { invariant } from "../../domain/assert.ts";
import type { Instant } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import { notional } from "../../domain/instrument.ts";
import type { TapeCandle } from "./candle-series.ts";
import { CandleSeries } from "./candle-series.ts";
import type { Happening } from "./venue-world.ts";

export const MINUTE_MS = 60_000;
/** Trades kept for each symbol. */
const MOST_TRADES = 1_000;
/** Minute candles kept for each symbol: a little more than a week. */
const MOST_CANDLES = 11_000;
const SECOND_MS = 1_000;
/** Candles of a second: as many as are asked for at once. */
const MOST_SECONDS = 1_000;

export interface TapeTrade {
  readonly id: number;
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
  readonly at: Instant;
  readonly isBuyerMaker: boolean;
}

export interface SymbolData {
  readonly symbol: string;
  /** The last price traded or, in a market of unlimited depth, moved to. */
  readonly last: PriceTicks | undefined;
  /** Grows with every change of the book or the price. */
  readonly updateId: number;
  readonly trades: readonly TapeTrade[];
  /** Of minutes. */
  readonly candles: readonly TapeCandle[];
  readonly seconds: readonly TapeCandle[];
}

export type MarketDataState = readonly StoredSymbolData[];

interface StoredSymbolData extends Omit<SymbolData, "seconds"> {
  /** Older versions stored none. */
  readonly seconds?: readonly TapeCandle[];
}

interface Writable {
  readonly symbol: string;
  readonly instrument: Instrument;
  last: PriceTicks | undefined;
  updateId: number;
  trades: TapeTrade[];
  readonly minutes: CandleSeries;
  readonly seconds: CandleSeries;
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
        minutes: new CandleSeries(MINUTE_MS, MOST_CANDLES),
        seconds: new CandleSeries(SECOND_MS, MOST_SECONDS),
      });
    }
  }

  of(symbol: string): SymbolData {
    return shown(this.#writable(symbol));
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
    return trades ?? NO_TRADES;
  }

  state(): MarketDataState {
    return [...this.#bySymbol.values()].map(shown);
  }

  restore(state: MarketDataState): void {
    for (const { symbol, last, updateId, trades, candles, seconds = [] } of state) {
      const data = this.#writable(symbol);
      Object.assign(data, { last, updateId, trades: [...trades] });
      data.minutes.restore(candles);
      data.seconds.restore(seconds);
    }
  }

  #writable(symbol: string): Writable {
    const data = this.#bySymbol.get(symbol);
    invariant(data !== undefined, `no market data of ${symbol}`);
    return data;
  }

  #see(data: Writable, price: PriceTicks, at: Instant, trade: TapeTrade | undefined): void {
    data.last = price;
    const volume = trade && {
      lots: trade.quantity,
      value: notional(data.instrument, price, trade.quantity),
      isBuyerMaker: trade.isBuyerMaker,
    };
    data.minutes.see(price, at, volume);
    data.seconds.see(price, at, volume);
  }
}

const NO_TRADES: readonly TapeTrade[] = [];

function shown({ symbol, last, updateId, trades, minutes, seconds }: Writable): SymbolData {
  return { symbol, last, updateId, trades, candles: minutes.candles, seconds: seconds.candles };
}
