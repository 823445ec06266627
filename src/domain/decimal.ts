/** Exact decimals as text ↔ bigint in units of 1e-18; floats never pass through here. */
import { QuantmeshError } from "./errors.ts";

export const DECIMAL_PLACES = 18;
export const ONE = 10n ** BigInt(DECIMAL_PLACES);

const DECIMAL_PATTERN = /^([+-]?)(\d+)(?:\.(\d*))?$|^([+-]?)\.(\d+)$/;

/**
 * Reads `"-12.5"` as -12.5e18.
 * Throws DATA_INVALID on anything but plain decimal digits, or on more than 18 non-zero places.
 */
export function parseDecimal(text: string): bigint {
  const match = DECIMAL_PATTERN.exec(text.trim());
  if (!match) throw new QuantmeshError("DATA_INVALID", `"${text}" is not a plain decimal number`);
  const sign = match[1] ?? match[4] ?? "";
  const whole = match[2] ?? "0";
  const fraction = (match[3] ?? match[5] ?? "").replace(/0+$/, "");
  if (fraction.length > DECIMAL_PLACES) {
    throw new QuantmeshError("DATA_INVALID", `"${text}" has more than ${DECIMAL_PLACES} decimal places`);
  }
  const units = BigInt(whole) * ONE + BigInt(fraction.padEnd(DECIMAL_PLACES, "0"));
  return sign === "-" ? -units : units;
}

/** Writes units of 1e-18 as the shortest exact decimal text: no exponent, no trailing zeros. */
export function formatDecimal(units: bigint): string {
  const negative = units < 0n;
  const digits = (negative ? -units : units).toString().padStart(DECIMAL_PLACES + 1, "0");
  const whole = digits.slice(0, -DECIMAL_PLACES);
  const fraction = digits.slice(-DECIMAL_PLACES).replace(/0+$/, "");
  return `${negative ? "-" : ""}${whole}${fraction ? `.${fraction}` : ""}`;
}

/** Quotient rounded towards negative infinity; `divisor` > 0. */
export function divideDown(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return dividend < 0n && quotient * divisor !== dividend ? quotient - 1n : quotient;
}

/** Quotient rounded towards positive infinity; `divisor` > 0. */
export function divideUp(dividend: bigint, divisor: bigint): bigint {
  return -divideDown(-dividend, divisor);
}
