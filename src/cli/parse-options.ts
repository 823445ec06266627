/** Option parsers: what a user types → a checked value, or a usage error that names the option. */
import { InvalidArgumentError } from "commander";
import { parseDecimal } from "../domain/decimal.ts";

export function parseWholeNumber(option: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) {
      throw new InvalidArgumentError(`${option} takes a whole number from 1.`);
    }
    return value;
  };
}

export function parseCount(option: string): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text)) return Number(text);
    throw new InvalidArgumentError(`${option} takes a whole number from 0.`);
  };
}

/** `10%` or `10`. */
export function parsePercent(option: string): (text: string) => number {
  return (text) => {
    const value = Number(/^(\d{1,3})%?$/.exec(text)?.[1]);
    if (value >= 1 && value <= 100) return value;
    throw new InvalidArgumentError(`${option} takes a share from 1% to 100%.`);
  };
}

export function parsePort(option: string): (text: string) => number {
  return (text) => {
    if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
    throw new InvalidArgumentError(`${option} takes a port from 0 to 65535.`);
  };
}

/** Keeps the exact text. */
export function parseAmount(option: string): (text: string) => string {
  return (text) => {
    try {
      if (parseDecimal(text) >= 0n) return text;
    } catch {
      // Said below.
    }
    throw new InvalidArgumentError(`${option} takes a plain decimal number of at least 0, like 0.001.`);
  };
}
