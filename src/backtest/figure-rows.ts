/** The figures of a back-test as name and value, in the order in which people read them. */
import type { BacktestReport } from "./report.ts";

export type FigureRow = readonly [name: string, value: string];

export function figureRows(report: BacktestReport): readonly FigureRow[] {
  const { candlesPerSecond, seconds, loadSeconds } = report;
  return [
    ["candles", `${report.candles}  ${report.from} – ${report.to}`],
    ["gaps", gapsText(report)],
    ["price", `${report.startPrice} → ${report.lastPrice}`],
    ["fills", String(report.fills)],
    ["trades", String(report.trades)],
    ["inventory sells", String(report.inventorySells)],
    ["grid profit", report.gridProfit],
    ["inventory pnl", report.inventoryPnl],
    ["unrealized pnl", report.unrealizedPnl],
    ["total pnl", report.totalPnl],
    ["fees paid", report.fees],
    ["initial equity", report.initialEquity],
    ["equity", report.equity],
    ["max drawdown", report.maxDrawdown],
    ["open orders", `${report.openBuys} buys, ${report.openSells} sells`],
    ["position", report.position],
    ["identity error", report.identityError],
    [
      "speed",
      `${candlesPerSecond} candles/s (${seconds.toFixed(3)} s; candles read in ${loadSeconds.toFixed(3)} s)`,
    ],
  ];
}

function gapsText({ gaps, missingCandles, biggestGap }: BacktestReport): string {
  if (!biggestGap) return "none";
  const { from, to, candles } = biggestGap;
  return `${gaps}, ${missingCandles} candles missing; the biggest of ${candles}, ${from} – ${to}`;
}

/** Why a back-test has no trades; undefined where it has some. */
export function noTradesReason(report: BacktestReport): string | undefined {
  if (report.trades > 0) return undefined;
  return `no trades: no cell was bought and sold while the price went from ${report.startPrice} to ${report.lastPrice}`;
}
