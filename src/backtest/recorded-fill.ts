/** What an export keeps of each execution of a back-test; everything else follows from these and the candles. */
import type { Money } from "../domain/amounts.ts";
import { money } from "../domain/amounts.ts";
import type { Execution } from "../domain/fill.ts";
import type { Totals } from "../domain/grid.ts";
import type { Instrument } from "../domain/instrument.ts";
import { notional } from "../domain/instrument.ts";
import type { OrderRef } from "../domain/order.ts";

export interface RecordedFill {
  readonly order: OrderRef;
  readonly execution: Execution;
  /** After it. */
  readonly totals: Totals;
}

/** Equity right after the fill, at its price, in quote. */
export function equityAfter(instrument: Instrument, initialEquity: Money, fill: RecordedFill): Money {
  const { execution, totals } = fill;
  return money(initialEquity + totals.cashFlow + notional(instrument, execution.price, totals.position));
}
