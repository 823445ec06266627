/** Whether an order may come in, and what it must be able to pay. */
import type { Money } from "../../domain/amounts.ts";
import { ZERO_MONEY, addMoney } from "../../domain/amounts.ts";
import type { Instrument } from "../../domain/instrument.ts";
import { notional } from "../../domain/instrument.ts";
import type { PlaceCommand, PlaceResult, RefusalReason } from "./commands.ts";
import { brokenFilter } from "./filters.ts";
import type { FeeRule, Market } from "./market.ts";
import { feeIn, times } from "./market.ts";
import type { VenueOrder } from "./order-history.ts";
import type { Take } from "./plan-take.ts";

/** The refusal that the order's own terms earn, or undefined; `open` is how many orders its account has open. */
export function refusalOf(
  { instrument, filters, price: marketPrice }: Market,
  command: PlaceCommand,
  take: Take<VenueOrder>,
  open: number,
): PlaceResult | undefined {
  const { type, price: limit, quantity, timeInForce = "GTC" } = command;
  if (type !== "limit" && timeInForce !== "GTC") {
    return refused("invalid_order", `only a limit order can be ${timeInForce}`);
  }
  const price = type === "market" ? undefined : limit;
  const valuedAt = price ?? marketPrice?.price ?? take.parts[0]?.price ?? limit;
  const broken = brokenFilter(instrument, filters, { price, valuedAt, quantity, open });
  if (broken !== undefined) return refused("invalid_order", `the order breaks the filter ${broken}`);
  if (type === "limit_maker" && take.crosses) return refused("would_cross", "a post-only order would take");
  return undefined;
}

/**
 * What one lot locks until it executes. A buy that pays its fee in quote covers the dearer of the two lot by lot: however the order is
 * split into fills, their fees, each rounded up, never exceed it.
 */
export function lockPerLotOf(
  instrument: Instrument,
  { side, type, price }: PlaceCommand,
  fees: FeeRule,
): Money {
  if (side === "sell") return instrument.lotSize;
  if (type === "market") return ZERO_MONEY;
  const { makerFee, takerFee, notionalUnit } = instrument;
  const value = times(notionalUnit, price);
  if (fees.asset === "base") return value;
  return addMoney(value, feeIn(fees, value, makerFee > takerFee ? makerFee : takerFee));
}

/** What must be free: the lock of the whole order, or all that a market buy pays at once. */
export function fundsNeeded(
  instrument: Instrument,
  command: PlaceCommand,
  take: Take<VenueOrder>,
  lockPerLot: Money,
  fees: FeeRule,
): Money {
  if (command.type !== "market" || command.side === "sell") return times(lockPerLot, command.quantity);
  return take.parts.reduce((sum, { price, quantity }) => {
    const value = notional(instrument, price, quantity);
    const fee = fees.asset === "base" ? ZERO_MONEY : feeIn(fees, value, instrument.takerFee);
    return addMoney(sum, addMoney(value, fee));
  }, ZERO_MONEY);
}

export function refused(reason: RefusalReason, message: string): PlaceResult {
  return { kind: "rejected", reason, message };
}
