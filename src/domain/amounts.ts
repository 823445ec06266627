/** The four kinds of number: ticks, lots, money and fee rates, each made in one checked place. */
import { invariant } from "./assert.ts";
import type { Brand } from "./brand.ts";
import { ONE, divideDown, divideUp, formatDecimal, parseDecimal } from "./decimal.ts";

/** A price in units of the instrument's tick: a safe integer. */
export type PriceTicks = Brand<number, "PriceTicks">;
/** A quantity in units of the instrument's lot: a safe integer. */
export type QuantityLots = Brand<number, "QuantityLots">;
/** An amount of one currency in units of 1e-18. */
export type Money = Brand<bigint, "Money">;
/** A fee as a share of the notional, in units of 1e-18 (0.1 % = 1e15). */
export type FeeRate = Brand<bigint, "FeeRate">;

export const ZERO_LOTS = 0 as QuantityLots;
export const ZERO_MONEY = 0n as Money;

/** Most ticks or lots that are counted exactly. */
export const MOST_UNITS = BigInt(Number.MAX_SAFE_INTEGER);

export function priceTicks(value: number): PriceTicks {
  invariant(Number.isSafeInteger(value), `price of ${value} ticks is not a safe integer`);
  return value as PriceTicks;
}

export function quantityLots(value: number): QuantityLots {
  invariant(Number.isSafeInteger(value), `quantity of ${value} lots is not a safe integer`);
  return value as QuantityLots;
}

export function money(units: bigint): Money {
  return units as Money;
}

export function parseMoney(text: string): Money {
  return parseDecimal(text) as Money;
}

export function formatMoney(amount: Money): string {
  return formatDecimal(amount);
}

export function feeRate(text: string): FeeRate {
  return parseDecimal(text) as FeeRate;
}

export function addMoney(a: Money, b: Money): Money {
  return (a + b) as Money;
}

export function subtractMoney(a: Money, b: Money): Money {
  return (a - b) as Money;
}

export function addLots(a: QuantityLots, b: QuantityLots): QuantityLots {
  return quantityLots(a + b);
}

export function subtractLots(a: QuantityLots, b: QuantityLots): QuantityLots {
  return quantityLots(a - b);
}

/** The fee on `notional`, rounded up: we never believe that we owe less than we do. */
export function feeOn(notional: Money, rate: FeeRate): Money {
  return divideUp(notional * rate, ONE) as Money;
}

/** `amount · part / whole`, rounded down; what is left stays with the rest. */
export function shareOf(amount: Money, part: QuantityLots, whole: QuantityLots): Money {
  if (part === whole) return amount;
  return divideDown(amount * BigInt(part), BigInt(whole)) as Money;
}
