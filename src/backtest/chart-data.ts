/** What the charts of the report draw: floats, thinned out to some thousands of points. Exact figures stand beside them. */
import type { Money, PriceTicks } from "../domain/amounts.ts";
import { ONE, formatDecimal } from "../domain/decimal.ts";
import type { Bot } from "../domain/grid.ts";
import type { Instrument } from "../domain/instrument.ts";
import { POINTS_PER_CANDLE, pathInstant, pathPrice } from "../venue/market/candle-path.ts";
import type { Candles } from "../venue/market/candles.ts";
import { markFills } from "./fill-markers.ts";
import { keepExtremes } from "./keep-extremes.ts";
import type { RecordedFill } from "./recorded-fill.ts";

const PRICE_BUCKETS = 1500;
const EQUITY_BUCKETS = 600;
const MAX_MARKERS = 4000;
const DAY_MS = 86_400_000;

/** Columns of numbers; times in seconds since 1970 UTC, amounts in quote. */
export interface ChartData {
  readonly price: { readonly time: readonly number[]; readonly price: readonly number[] };
  /** Every price of the grid. */
  readonly levels: readonly number[];
  /** 1 for a buy, −1 for a sell. */
  readonly markers: {
    readonly time: readonly number[];
    readonly price: readonly number[];
    readonly side: readonly number[];
  };
  /** At the start and at each close. */
  readonly equity: {
    readonly time: readonly number[];
    readonly grid: readonly number[];
    readonly hold: readonly number[];
    /** Equity below its maximum so far: at most 0. */
    readonly drawdown: readonly number[];
  };
  /** By UTC day, days without a trade included. */
  readonly days: { readonly time: readonly number[]; readonly trades: readonly number[] };
}

export function chartData(
  bot: Bot,
  candles: Candles,
  fills: readonly RecordedFill[],
  initialEquity: Money,
): ChartData {
  return {
    price: pricePath(bot.instrument, candles),
    levels: levelsOf(bot).map((ticks) => priceNumber(bot.instrument, ticks)),
    markers: markersOf(bot.instrument, fills),
    equity: equityPath(bot, candles, fills, amountNumber(initialEquity)),
    days: tradesPerDay(candles, fills),
  };
}

/** Every price of the grid, ascending. */
export function levelsOf(bot: Bot): readonly PriceTicks[] {
  const levels = new Set(bot.slots.flatMap(({ buyPrice, sellPrice }) => [buyPrice, sellPrice]));
  return [...levels].sort((a, b) => a - b);
}

/** The path that the back-test took through each candle. */
function pricePath(instrument: Instrument, candles: Candles): ChartData["price"] {
  const indexOf = (point: number): number => Math.floor(point / POINTS_PER_CANDLE);
  const ticksAt = (point: number): PriceTicks =>
    pathPrice(candles, indexOf(point), point % POINTS_PER_CANDLE);
  const kept = keepExtremes(candles.length * POINTS_PER_CANDLE, [ticksAt], PRICE_BUCKETS);
  return {
    time: kept.map((point) => seconds(pathInstant(candles, indexOf(point), point % POINTS_PER_CANDLE))),
    price: kept.map((point) => priceNumber(instrument, ticksAt(point))),
  };
}

function markersOf(instrument: Instrument, fills: readonly RecordedFill[]): ChartData["markers"] {
  const markers = markFills(fills, MAX_MARKERS);
  return {
    time: markers.map(({ at }) => seconds(at)),
    price: markers.map(({ price }) => priceNumber(instrument, price)),
    side: markers.map(({ side }) => (side === "buy" ? 1 : -1)),
  };
}

function equityPath(
  { instrument, startPrice }: Bot,
  candles: Candles,
  fills: readonly RecordedFill[],
  start: number,
): ChartData["equity"] {
  const lotValue = Number(instrument.notionalUnit) / Number(ONE);
  // Point 0 is the start, point i + 1 the close of candle i.
  const length = candles.length + 1;
  const grid = new Float64Array(length).fill(start);
  const hold = new Float64Array(length).fill(start);
  const drawdown = new Float64Array(length);
  let next = 0;
  let cash = 0;
  let lots = 0;
  let peak = start;
  for (let i = 0; i < candles.length; i++) {
    const close = candles.close[i] as number;
    const endsAt = (candles.timestamp[i] as number) + candles.intervalMs;
    for (let fill = fills[next]; fill && fill.execution.at < endsAt; fill = fills[++next]) {
      cash = amountNumber(fill.totals.cashFlow);
      lots = fill.totals.position;
    }
    const equity = start + cash + lots * close * lotValue;
    if (equity > peak) peak = equity;
    grid[i + 1] = equity;
    hold[i + 1] = (start * close) / startPrice;
    drawdown[i + 1] = equity - peak;
  }
  const columns = [grid, hold, drawdown];
  const kept = keepExtremes(
    length,
    columns.map((column) => (index: number) => column[index] as number),
    EQUITY_BUCKETS,
  );
  const thin = (column: Float64Array): readonly number[] =>
    kept.map((index) => Number((column[index] as number).toPrecision(10)));
  return {
    time: kept.map((index) =>
      seconds(
        index === 0 ? pathInstant(candles, 0, 0) : pathInstant(candles, index - 1, POINTS_PER_CANDLE - 1),
      ),
    ),
    grid: thin(grid),
    hold: thin(hold),
    drawdown: thin(drawdown),
  };
}

function tradesPerDay(candles: Candles, fills: readonly RecordedFill[]): ChartData["days"] {
  const first = dayOf(candles.timestamp[0] as number);
  const last = dayOf(pathInstant(candles, candles.length - 1, POINTS_PER_CANDLE - 1));
  const trades = new Array<number>(last - first + 1).fill(0);
  let before = 0;
  for (const { execution, totals } of fills) {
    const day = dayOf(execution.at) - first;
    trades[day] = (trades[day] ?? 0) + totals.trades - before;
    before = totals.trades;
  }
  return { time: trades.map((_, day) => seconds((first + day) * DAY_MS)), trades };
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

function seconds(ms: number): number {
  return ms / 1000;
}

function priceNumber(instrument: Instrument, ticks: PriceTicks): number {
  return Number(formatDecimal(BigInt(ticks) * instrument.tickSize));
}

function amountNumber(amount: Money): number {
  return Number(formatDecimal(amount));
}
