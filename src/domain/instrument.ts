/** A symbol's rules on one exchange, and the only conversions between its ticks, lots and money. */
import type { FeeRate, Money, PriceTicks, QuantityLots } from "./amounts.ts";
import { MOST_UNITS, formatMoney, money, priceTicks, quantityLots } from "./amounts.ts";
import { ONE, divideDown, formatDecimal, parseDecimal } from "./decimal.ts";
import { QuantmeshError } from "./errors.ts";

export interface Instrument {
  readonly exchange: string;
  /** ccxt's unified name, `BTC/USDT`. */
  readonly symbol: string;
  readonly base: string;
  readonly quote: string;
  /** Quote per base of one tick. */
  readonly tickSize: Money;
  /** Base of one lot. */
  readonly lotSize: Money;
  /** Quote value of one lot at a price of one tick; exact by construction. */
  readonly notionalUnit: Money;
  readonly minQuantity: QuantityLots;
  readonly minNotional: Money;
  readonly makerFee: FeeRate;
  readonly takerFee: FeeRate;
}

export interface InstrumentText {
  readonly exchange: string;
  readonly symbol: string;
  readonly tickSize: string;
  readonly lotSize: string;
  readonly minQuantity?: string;
  readonly minNotional?: string;
  readonly makerFee: string;
  readonly takerFee: string;
}

/**
 * Builds an instrument from decimal text.
 * Throws CONFIG_INVALID where the symbol, a size or a fee makes no sense, or where one lot at one tick is finer
 * than 1e-18 quote.
 */
export function createInstrument(text: InstrumentText): Instrument {
  const [base, quote] = text.symbol.split("/");
  if (!base || !quote) throw invalid(text, `symbol "${text.symbol}" is not of the form BASE/QUOTE`);
  const tickSize = positive(text, "tick size", text.tickSize);
  const lotSize = positive(text, "lot size", text.lotSize);
  const product = tickSize * lotSize;
  if (product % ONE !== 0n) throw invalid(text, "one lot at one tick is worth less than 1e-18 quote");
  const minQuantity = atLeastZero(text, "minimum quantity", text.minQuantity ?? text.lotSize);
  if (minQuantity % lotSize !== 0n) throw invalid(text, "minimum quantity is not a multiple of the lot size");
  return {
    exchange: text.exchange,
    symbol: text.symbol,
    base,
    quote,
    tickSize: money(tickSize),
    lotSize: money(lotSize),
    notionalUnit: money(product / ONE),
    minQuantity: quantityLots(Number(minQuantity / lotSize)),
    minNotional: money(atLeastZero(text, "minimum notional", text.minNotional ?? "0")),
    makerFee: fee(text, "maker fee", text.makerFee),
    takerFee: fee(text, "taker fee", text.takerFee),
  };
}

/** Exact quote value of `lots` at `price`. */
export function notional(instrument: Instrument, price: PriceTicks, lots: QuantityLots): Money {
  return money(BigInt(price) * BigInt(lots) * instrument.notionalUnit);
}

/** Exact quote value of an amount of base at `price`, rounded down where it is finer than 1e-18. */
export function valueOfBase(instrument: Instrument, price: PriceTicks, base: Money): Money {
  return money(divideDown(BigInt(price) * instrument.tickSize * base, ONE));
}

/** True if an order of this size is one the exchange takes. */
export function isOrderable(instrument: Instrument, price: PriceTicks, lots: QuantityLots): boolean {
  return (
    lots > 0 &&
    lots >= instrument.minQuantity &&
    (instrument.minNotional === 0n || notional(instrument, price, lots) >= instrument.minNotional)
  );
}

/** Decimal price text → ticks. Throws DATA_INVALID where the price is not on the tick, or too many of them. */
export function parsePrice(instrument: Instrument, text: string): PriceTicks {
  return priceTicks(Number(exactQuotient(parseDecimal(text), instrument.tickSize, text, "tick size")));
}

/** Decimal quantity text → lots. Throws DATA_INVALID where the quantity is not a multiple of the lot, or too large a one. */
export function parseQuantity(instrument: Instrument, text: string): QuantityLots {
  return quantityLots(Number(exactQuotient(parseDecimal(text), instrument.lotSize, text, "lot size")));
}

export function formatPrice(instrument: Instrument, price: PriceTicks): string {
  return formatDecimal(BigInt(price) * instrument.tickSize);
}

export function formatQuantity(instrument: Instrument, lots: QuantityLots): string {
  return formatDecimal(BigInt(lots) * instrument.lotSize);
}

function exactQuotient(units: bigint, size: Money, text: string, name: string): bigint {
  if (units % size !== 0n) {
    throw new QuantmeshError("DATA_INVALID", `${text} is not a multiple of the ${name} ${formatMoney(size)}`);
  }
  if (units / size > MOST_UNITS) {
    throw new QuantmeshError(
      "DATA_INVALID",
      `${text} is more than ${MOST_UNITS} times the ${name} ${formatMoney(size)}`,
    );
  }
  return units / size;
}

function positive(text: InstrumentText, name: string, value: string): bigint {
  const units = atLeastZero(text, name, value);
  if (units === 0n) throw invalid(text, `${name} ${value} must be above 0`);
  return units;
}

function atLeastZero(text: InstrumentText, name: string, value: string): bigint {
  try {
    const units = parseDecimal(value);
    if (units >= 0n) return units;
  } catch (cause) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `instrument ${text.symbol}: ${name} ${value} is not a decimal`,
      { cause },
    );
  }
  throw invalid(text, `${name} ${value} must not be below 0`);
}

function fee(text: InstrumentText, name: string, value: string): FeeRate {
  const units = atLeastZero(text, name, value);
  if (units >= ONE) throw invalid(text, `${name} ${value} must be at least 0 and below 1`);
  return units as FeeRate;
}

function invalid(text: InstrumentText, reason: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", `instrument ${text.symbol}: ${reason}`);
}
