/** trades.csv: every execution of a back-test with its exact amounts; the columns add up to the report's totals. */
import type { Money } from "../domain/amounts.ts";
import { formatMoney, subtractMoney } from "../domain/amounts.ts";
import type { Totals } from "../domain/grid.ts";
import { slotName } from "../domain/ids.ts";
import type { Instrument } from "../domain/instrument.ts";
import { formatPrice, formatQuantity, notional } from "../domain/instrument.ts";
import { NO_TOTALS } from "../strategy/accounting.ts";
import type { RecordedFill } from "./recorded-fill.ts";
import { equityAfter } from "./recorded-fill.ts";

export const CSV_COLUMNS = [
  "time",
  /** Number of the slot, from 0 at the lowest; `initial` for the purchase at the start. */
  "slot",
  "side",
  "price",
  /** In base. */
  "quantity",
  /** Gross value. From here on all amounts are in quote. */
  "quote",
  "fee",
  /** Net of both fees, where the fill completed a cycle whose buy was a grid order; empty elsewhere. */
  "trade_profit",
  /** Against the actual cost, where the fill sold what was bought at the start; empty elsewhere. */
  "inventory_profit",
  /** Sum of `trade_profit` so far. */
  "grid_profit",
  /** After the fill, at its price. */
  "equity",
] as const;

export function formatTradesCsv(
  instrument: Instrument,
  initialEquity: Money,
  fills: readonly RecordedFill[],
): string {
  const lines: string[] = [CSV_COLUMNS.join(",")];
  let before: Totals = NO_TOTALS;
  for (const fill of fills) {
    lines.push(rowOf(instrument, initialEquity, fill, before).join(","));
    before = fill.totals;
  }
  return `${lines.join("\n")}\n`;
}

function rowOf(
  instrument: Instrument,
  initialEquity: Money,
  fill: RecordedFill,
  before: Totals,
): readonly string[] {
  const { order, execution, totals } = fill;
  const { price, quantity } = execution;
  const tradeProfit = subtractMoney(totals.gridProfit, before.gridProfit);
  const inventoryProfit = subtractMoney(totals.inventoryPnl, before.inventoryPnl);
  return [
    new Date(execution.at).toISOString(),
    slotName(order.slot),
    execution.side,
    formatPrice(instrument, price),
    formatQuantity(instrument, quantity),
    formatMoney(notional(instrument, price, quantity)),
    formatMoney(execution.fee),
    totals.trades > before.trades ? formatMoney(tradeProfit) : "",
    totals.inventorySells > before.inventorySells ? formatMoney(inventoryProfit) : "",
    formatMoney(totals.gridProfit),
    formatMoney(equityAfter(instrument, initialEquity, fill)),
  ];
}
