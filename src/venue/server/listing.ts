/** A symbol as Binance lists it: its name without a slash, and numbers as text with eight decimals. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { priceTicks, quantityLots } from "../../domain/amounts.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Instrument } from "../../domain/instrument.ts";
import type { Filters } from "../matching/filters.ts";
import { filterFailure, illegalCharacters, tooPrecise } from "./api-error.ts";
import type { KlineHistory } from "./kline-history.ts";
import type { VenueSymbol } from "./options.ts";

export const DECIMALS = 8;
const UNITS = 100_000_000;
/** Units of 1e-18 in one of 1e-8. */
export const STEP = 10n ** 10n;
const DECIMAL_RANGE = "^([0-9]{1,20})(\\.[0-9]{1,20})?$";

export interface Listing {
  /** `BTCUSDT`. */
  readonly id: string;
  /** `btcusdt`, as streams name it. */
  readonly stream: string;
  readonly symbol: string;
  readonly instrument: Instrument;
  readonly filters: Required<Filters>;
  readonly history: KlineHistory | undefined;
  /** The tick and the lot in units of 1e-8. */
  readonly tick: number;
  readonly lot: number;
}

/** Throws CONFIG_INVALID where the symbol does not fit into eight decimals. */
export function listingOf({ instrument, filters, history }: VenueSymbol): Listing {
  const { symbol, base, quote, tickSize, lotSize, notionalUnit } = instrument;
  for (const size of [tickSize, lotSize, notionalUnit]) {
    if (size % STEP === 0n) continue;
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `venue symbol ${symbol}: tick size, lot size and their product must be multiples of 0.00000001`,
    );
  }
  const id = `${base}${quote}`.toUpperCase();
  const [tick, lot] = [Number(tickSize / STEP), Number(lotSize / STEP)];
  return { id, stream: id.toLowerCase(), symbol, instrument, filters, history, tick, lot };
}

export function priceText({ tick }: Listing, price: PriceTicks): string {
  return productText(price, tick);
}

export function quantityText({ lot }: Listing, quantity: QuantityLots): string {
  return productText(quantity, lot);
}

/** What is finer than eight decimals is cut off; the venue itself never makes any. */
export function moneyText(amount: Money): string {
  const units = amount / STEP;
  if (units <= BigInt(Number.MAX_SAFE_INTEGER)) return unitsText(Number(units));
  const digits = units.toString();
  return `${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`;
}

function productText(count: number, size: number): string {
  const units = count * size;
  return Number.isSafeInteger(units)
    ? unitsText(units)
    : moneyText((BigInt(count) * BigInt(size) * STEP) as Money);
}

/** Of units of 1e-8, a safe integer. */
function unitsText(units: number): string {
  const whole = Math.floor(units / UNITS);
  return `${whole}.${String(units - whole * UNITS).padStart(DECIMALS, "0")}`;
}

/** Decimal text → ticks; throws the refusal of Binance's PRICE_FILTER. */
export function readPrice(listing: Listing, text: string): PriceTicks {
  const ticks = readCount("price", text, listing.tick);
  if (ticks === undefined) throw filterFailure("PRICE_FILTER");
  return priceTicks(ticks);
}

/** Decimal text → lots; throws the refusal of Binance's LOT_SIZE. */
export function readQuantity(listing: Listing, text: string, name = "quantity"): QuantityLots {
  const lots = readCount(name, text, listing.lot);
  if (lots === undefined) throw filterFailure("LOT_SIZE");
  return quantityLots(lots);
}

/** How many times `size`, in units of 1e-8, the text is; undefined unless a whole number above 0 that is safe. */
function readCount(name: string, text: string, size: number): number | undefined {
  const plain = plainUnits(text);
  if (plain !== undefined) {
    const count = plain / size;
    return Number.isSafeInteger(count) && count > 0 ? count : undefined;
  }
  const match = /^(\d{1,20})(?:\.(\d{1,20}))?$/.exec(text);
  if (!match) throw illegalCharacters(name, DECIMAL_RANGE);
  const fraction = match[2] ?? "";
  if (/[1-9]/.test(fraction.slice(DECIMALS))) throw tooPrecise(name);
  const digits = (match[1] ?? "0") + fraction.slice(0, DECIMALS).padEnd(DECIMALS, "0");
  const units = Number(digits);
  const count = Number.isSafeInteger(units) ? units / size : quotient(BigInt(digits), BigInt(size));
  return Number.isSafeInteger(count) && count > 0 ? count : undefined;
}

/** Units of 1e-8 of a number of few digits, as most are; undefined for any other text. */
function plainUnits(text: string): number | undefined {
  if (text.length > MOST_PLAIN_CHARACTERS) return undefined;
  let units = 0;
  let point = -1;
  for (let at = 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - DIGIT_ZERO;
    if (digit >= 0 && digit <= 9) units = units * 10 + digit;
    else if (digit === POINT - DIGIT_ZERO && point < 0 && at > 0) point = at;
    else return undefined;
  }
  const decimals = point < 0 ? 0 : text.length - point - 1;
  if (decimals > DECIMALS || point === text.length - 1 || text.length === 0) return undefined;
  const inUnits = units * (POWERS_OF_TEN[DECIMALS - decimals] ?? 0);
  return Number.isSafeInteger(inUnits) ? inUnits : undefined;
}

/** So many digits are a safe integer. */
const MOST_PLAIN_CHARACTERS = 15;
const DIGIT_ZERO = 48;
const POINT = 46;
const POWERS_OF_TEN = Array.from({ length: DECIMALS + 1 }, (_, power) => 10 ** power);

function quotient(units: bigint, size: bigint): number {
  return units % size === 0n ? Number(units / size) : Number.NaN;
}
