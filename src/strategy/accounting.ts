/** What fills do to parcels, trades and totals: every unit of quote is booked once, none is rounded away. */
import type { Money } from "../domain/amounts.ts";
import {
  ZERO_LOTS,
  ZERO_MONEY,
  addLots,
  addMoney,
  money,
  quantityLots,
  shareOf,
  subtractLots,
  subtractMoney,
} from "../domain/amounts.ts";
import { invariant } from "../domain/assert.ts";
import type { Execution } from "../domain/fill.ts";
import type { Parcel, Totals, Trade } from "../domain/grid.ts";
import type { Instant } from "../domain/ids.ts";
import type { OrderRef, Progress } from "../domain/order.ts";

export const NO_PROGRESS: Progress = {
  executed: ZERO_LOTS,
  quote: ZERO_MONEY,
  fee: ZERO_MONEY,
  baseFee: ZERO_MONEY,
  tradeIds: [],
};

export const NO_TOTALS: Totals = {
  fills: 0,
  trades: 0,
  gridProfit: ZERO_MONEY,
  inventorySells: 0,
  inventoryPnl: ZERO_MONEY,
  fees: ZERO_MONEY,
  cashFlow: ZERO_MONEY,
  position: ZERO_LOTS,
  baseFees: ZERO_MONEY,
};

/** What an execution moved. */
export interface ExecutionValue {
  /** Gross value. */
  readonly quote: Money;
  /** Paid in quote. */
  readonly fee: Money;
  /** Taken in base. */
  readonly baseFee: Money;
  /** What both fees are worth, in quote. */
  readonly feeValue: Money;
}

/** An order's progress with one more execution. */
export function addExecution(progress: Progress, execution: Execution, value: ExecutionValue): Progress {
  return {
    executed: addLots(progress.executed, execution.quantity),
    quote: addMoney(progress.quote, value.quote),
    fee: addMoney(progress.fee, value.fee),
    baseFee: addMoney(progress.baseFee, value.baseFee),
    tradeIds: [...progress.tradeIds, execution.tradeId],
  };
}

/** Totals after one execution, before any trade that it completes. */
export function countExecution(totals: Totals, execution: Execution, value: ExecutionValue): Totals {
  const isBuy = execution.side === "buy";
  return {
    ...totals,
    fills: totals.fills + 1,
    fees: addMoney(totals.fees, value.feeValue),
    baseFees: value.baseFee === 0n ? totals.baseFees : addMoney(totals.baseFees, value.baseFee),
    cashFlow: money(totals.cashFlow + (isBuy ? -value.quote : value.quote) - value.fee),
    position: quantityLots(totals.position + (isBuy ? execution.quantity : -execution.quantity)),
  };
}

/** Totals after a trade: what a grid buy earned, or what selling the starting inventory brought. */
export function countTrade(totals: Totals, trade: Trade): Totals {
  return trade.origin === "grid"
    ? { ...totals, trades: totals.trades + 1, gridProfit: addMoney(totals.gridProfit, trade.profit) }
    : {
        ...totals,
        inventorySells: totals.inventorySells + 1,
        inventoryPnl: addMoney(totals.inventoryPnl, trade.profit),
      };
}

/**
 * The inventory with `parcel` added: parcels of one origin are kept as one, initial first. A parcel of no whole lot
 * (a fee in base took the rest of it) still has a cost.
 */
export function addParcel(inventory: readonly Parcel[], parcel: Parcel): readonly Parcel[] {
  if (parcel.quantity === 0 && parcel.quote === 0n && parcel.fee === 0n) return inventory;
  if (inventory.length === 0) return [parcel];
  const same = inventory.find((held) => held.origin === parcel.origin);
  const merged = same ? mergeParcels(same, parcel) : parcel;
  const other = inventory.filter((held) => held.origin !== parcel.origin);
  return parcel.origin === "initial" ? [merged, ...other] : [...other, merged];
}

export interface Sale {
  readonly trades: readonly Trade[];
  readonly rest: readonly Parcel[];
}

/**
 * Takes what a sell executed out of the inventory, oldest origin first, one trade for each parcel touched.
 * Quote and fees are shared out by lots; the last part takes what rounding left. Undefined where the inventory
 * does not hold that much.
 */
export function sellFrom(
  inventory: readonly Parcel[],
  sold: Progress,
  order: OrderRef,
  at: Instant,
  firstPart: number,
): Sale | undefined {
  const trades: Trade[] = [];
  const rest: Parcel[] = [];
  let lots = sold.executed;
  let quote = sold.quote;
  let fee = sold.fee;
  for (const parcel of inventory) {
    if (lots === 0 || parcel.quantity === 0) {
      rest.push(parcel);
      continue;
    }
    const quantity = quantityLots(Math.min(lots, parcel.quantity));
    const buyQuote = shareOf(parcel.quote, quantity, parcel.quantity);
    const buyFee = shareOf(parcel.fee, quantity, parcel.quantity);
    const sellQuote = shareOf(quote, quantity, lots);
    const sellFee = shareOf(fee, quantity, lots);
    trades.push({
      slot: order.slot,
      generation: order.generation,
      part: firstPart + trades.length,
      origin: parcel.origin,
      quantity,
      buyQuote,
      buyFee,
      sellQuote,
      sellFee,
      profit: money(sellQuote - sellFee - buyQuote - buyFee),
      at,
    });
    if (quantity < parcel.quantity) {
      rest.push({
        origin: parcel.origin,
        quantity: subtractLots(parcel.quantity, quantity),
        quote: subtractMoney(parcel.quote, buyQuote),
        fee: subtractMoney(parcel.fee, buyFee),
      });
    }
    lots = subtractLots(lots, quantity);
    quote = subtractMoney(quote, sellQuote);
    fee = subtractMoney(fee, sellFee);
  }
  return lots === 0 ? { trades, rest } : undefined;
}

/** What the inventory cost, fees included. */
export function costOf(inventory: readonly Parcel[]): Money {
  return inventory.reduce((sum, parcel) => money(sum + parcel.quote + parcel.fee), ZERO_MONEY);
}

function mergeParcels(a: Parcel, b: Parcel): Parcel {
  invariant(a.origin === b.origin, "parcels of two origins are kept apart");
  return {
    origin: a.origin,
    quantity: addLots(a.quantity, b.quantity),
    quote: addMoney(a.quote, b.quote),
    fee: addMoney(a.fee, b.fee),
  };
}
