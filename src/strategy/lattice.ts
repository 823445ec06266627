/** The prices of a range grid: n cells between two bounds, exact to the tick. */
import type { PriceTicks } from "../domain/amounts.ts";
import { MOST_UNITS, priceTicks } from "../domain/amounts.ts";
import { divideDown, parseDecimal } from "../domain/decimal.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { Instrument } from "../domain/instrument.ts";
import { formatPrice } from "../domain/instrument.ts";
import type { RangeSettings } from "./settings.ts";

export const MAX_GRIDS = 1000;

/**
 * `grids + 1` strictly increasing prices from `lower` to `upper`, each rounded to the nearest tick, half up.
 * Arithmetic: L + i·(U − L)/n. Geometric: L·(U/L)^(i/n), rounded without computing a root.
 * Throws CONFIG_INVALID where the bounds make no grid or two prices fall on one tick.
 */
export function rangeLattice(settings: RangeSettings, instrument: Instrument): readonly PriceTicks[] {
  const lower = parseDecimal(settings.lower);
  const upper = parseDecimal(settings.upper);
  const n = settings.grids;
  if (lower <= 0n) throw invalid(`lower ${settings.lower} must be above 0`);
  if (lower >= upper) throw invalid(`lower ${settings.lower} must be below upper ${settings.upper}`);
  if (upper / instrument.tickSize > MOST_UNITS) {
    throw invalid(
      `upper ${settings.upper} is too high: prices are counted in ticks, up to ${MOST_UNITS} of them`,
    );
  }
  if (!Number.isInteger(n) || n < 1 || n > MAX_GRIDS) {
    throw invalid(`grids ${n} must be a whole number from 1 to ${MAX_GRIDS}`);
  }
  const round = settings.spacing === "arithmetic" ? arithmeticPrice : geometricPrice;
  const bounds = reduceBounds(lower, upper, instrument.tickSize);
  const prices: PriceTicks[] = [];
  for (let i = 0; i <= n; i++) prices.push(priceTicks(Number(round(bounds, n, i))));
  prices.forEach((price, i) => {
    const previous = prices[i - 1];
    if (price < 1) throw invalid(`price ${i} of the grid is below one tick: raise lower`);
    if (previous !== undefined && price <= previous) {
      throw invalid(
        `price ${i} of the grid falls on the same tick as the one below it (${formatPrice(instrument, price)}): ` +
          `use fewer grids than ${n} or a wider range`,
      );
    }
  });
  return prices;
}

/** Lower and upper bound and the tick as whole numbers without a common factor. */
interface Bounds {
  readonly lower: bigint;
  readonly upper: bigint;
  readonly tick: bigint;
}

function reduceBounds(lower: bigint, upper: bigint, tick: bigint): Bounds {
  const factor = greatestCommonDivisor(greatestCommonDivisor(lower, upper), tick);
  return { lower: lower / factor, upper: upper / factor, tick: tick / factor };
}

/** floor(x + ½) of x = (L·(n − i) + U·i) / (n·tick). */
function arithmeticPrice({ lower, upper, tick }: Bounds, n: number, i: number): bigint {
  const numerator = lower * BigInt(n - i) + upper * BigInt(i);
  const denominator = BigInt(n) * tick;
  return divideDown(2n * numerator + denominator, 2n * denominator);
}

/**
 * The largest t with (2t − 1)^n · tick^n ≤ 2^n · L^(n−i) · U^i, which is the geometric price rounded half up.
 * A float only says where to start looking.
 */
function geometricPrice({ lower, upper, tick }: Bounds, n: number, i: number): bigint {
  const power = BigInt(n);
  const limit = 2n ** power * lower ** BigInt(n - i) * upper ** BigInt(i);
  const scale = tick ** power;
  const isAtMost = (t: bigint): boolean => t <= 0n || (2n * t - 1n) ** power * scale <= limit;
  const exponent = Math.log(Number(lower)) + (i / n) * (Math.log(Number(upper)) - Math.log(Number(lower)));
  let t = BigInt(Math.round(Math.exp(exponent - Math.log(Number(tick)))));
  while (!isAtMost(t)) t -= 1n;
  while (isAtMost(t + 1n)) t += 1n;
  return t;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

function invalid(reason: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", `grid: ${reason}`);
}
