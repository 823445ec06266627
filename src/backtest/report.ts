/** The figures of a back-test: exact decimal text, and the identity that proves them. */
import { addMoney, formatMoney } from "../domain/amounts.ts";
import { formatPrice, formatQuantity } from "../domain/instrument.ts";
import { initialEquity } from "../strategy/sizing.ts";
import { startingSlots } from "../strategy/window.ts";
import { valueGrid } from "../strategy/valuation.ts";
import type { BacktestOutcome, FillModel } from "./run-backtest.ts";
import type { SeenSummary } from "./seen-candles.ts";

/** Amounts are exact decimal text, in quote unless said otherwise. */
export interface BacktestReport {
  readonly symbol: string;
  readonly fill: FillModel;
  readonly from: string;
  readonly to: string;
  readonly candles: number;
  /** Holes between `from` and `to`, or in what was asked for: the price jumped over them. */
  readonly gaps: number;
  readonly missingCandles: number;
  readonly biggestGap: { readonly from: string; readonly to: string; readonly candles: number } | null;
  /** Executions; the initial purchase is one. */
  readonly fills: number;
  /** Cycles whose buy was a grid order. */
  readonly trades: number;
  /** Sells of what was bought at the start. */
  readonly inventorySells: number;
  /** Of the trades, net of both fees. */
  readonly gridProfit: string;
  /** Of the inventory sells, against their actual cost with its fee. */
  readonly inventoryPnl: string;
  /** Holdings at the last close against their cost with its fee; no sell fee. */
  readonly unrealizedPnl: string;
  readonly fees: string;
  readonly initialEquity: string;
  /** Equity − initial equity = gridProfit + inventoryPnl + unrealizedPnl. */
  readonly totalPnl: string;
  readonly equity: string;
  readonly maxDrawdown: string;
  /** Cash flow + holdings − totalPnl: "0", or the books are wrong. */
  readonly identityError: string;
  readonly startPrice: string;
  readonly lastPrice: string;
  /** Base held at the end. */
  readonly position: string;
  readonly openBuys: number;
  readonly openSells: number;
  /** Of the engine alone. */
  readonly seconds: number;
  readonly loadSeconds: number;
  readonly candlesPerSecond: number;
}

export interface Timing {
  readonly seconds: number;
  readonly loadSeconds: number;
}

export function reportBacktest(
  outcome: BacktestOutcome,
  seen: SeenSummary,
  fill: FillModel,
  timing: Timing,
): BacktestReport {
  const { state, lastPrice } = outcome;
  const { bot, totals } = state;
  const { instrument } = bot;
  const { unrealizedPnl, totalPnl, identityError } = valueGrid(state, lastPrice);
  const start = initialEquity(bot, instrument, startingSlots(bot, state.rules), bot.startPrice);
  const count = (kind: "buying" | "selling"): number =>
    state.slots.filter(({ phase }) => phase.kind === kind).length;
  return {
    symbol: instrument.symbol,
    fill,
    from: isoTime(seen.from),
    to: isoTime(seen.to),
    candles: seen.candles,
    ...describeGaps(seen),
    fills: totals.fills,
    trades: totals.trades,
    inventorySells: totals.inventorySells,
    gridProfit: formatMoney(totals.gridProfit),
    inventoryPnl: formatMoney(totals.inventoryPnl),
    unrealizedPnl: formatMoney(unrealizedPnl),
    fees: formatMoney(totals.fees),
    initialEquity: formatMoney(start),
    totalPnl: formatMoney(totalPnl),
    equity: formatMoney(addMoney(start, totalPnl)),
    maxDrawdown: formatMoney(outcome.maxDrawdown),
    identityError: formatMoney(identityError),
    startPrice: formatPrice(instrument, bot.startPrice),
    lastPrice: formatPrice(instrument, lastPrice),
    position: formatQuantity(instrument, totals.position),
    openBuys: count("buying"),
    openSells: count("selling"),
    seconds: timing.seconds,
    loadSeconds: timing.loadSeconds,
    candlesPerSecond: Math.round(seen.candles / timing.seconds),
  };
}

function describeGaps({ gaps }: SeenSummary): Pick<BacktestReport, "gaps" | "missingCandles" | "biggestGap"> {
  const biggest = gaps.reduce<SeenSummary["gaps"][number] | undefined>(
    (best, gap) => (best && best.candles >= gap.candles ? best : gap),
    undefined,
  );
  return {
    gaps: gaps.length,
    missingCandles: gaps.reduce((sum, { candles }) => sum + candles, 0),
    biggestGap: biggest
      ? { from: isoTime(biggest.from), to: isoTime(biggest.to), candles: biggest.candles }
      : null,
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
