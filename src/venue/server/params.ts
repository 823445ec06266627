/** The parameters of a request: URL-encoded text → names and values, each read with its own complaint. */
import {
  badSymbol,
  duplicateParameter,
  emptyParameter,
  illegalCharacters,
  invalidParameter,
  mandatory,
} from "./api-error.ts";

export type Params = ReadonlyMap<string, string>;

const MOST_PARAMETERS = 64;
export const NO_PARAMS: Params = new Map();

/** Adds what `text` holds to `into`; a name that is there already keeps its value if it came from another text. */
export function parseParams(text: string, into = new Map<string, string>()): Map<string, string> {
  const earlier = into.size === 0 ? undefined : new Set(into.keys());
  const isPlain = !text.includes("%") && !text.includes("+");
  const read = (from: number, to: number): string => {
    const part = text.slice(from, to);
    return isPlain ? part : decode(part);
  };
  for (let start = 0; start < text.length; ) {
    let end = text.indexOf("&", start);
    if (end < 0) end = text.length;
    if (end > start) {
      const equals = text.indexOf("=", start);
      const split = equals < 0 || equals > end ? end : equals;
      const name = read(start, split);
      if (earlier?.has(name) !== true) {
        if (into.has(name)) throw duplicateParameter();
        if (into.size === MOST_PARAMETERS) throw duplicateParameter();
        into.set(name, read(split + 1, end));
      }
    }
    start = end + 1;
  }
  return into;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    // Half a percent sequence: Binance's gateway names no parameter either.
    throw illegalCharacters("params", "^[ -~]*$");
  }
}

export function required(params: Params, name: string): string {
  const value = params.get(name);
  if (value === undefined || value === "") throw mandatory(name);
  return value;
}

/** Undefined where it was not sent. */
export function optional(params: Params, name: string): string | undefined {
  const value = params.get(name);
  if (value === "") throw emptyParameter(name);
  return value;
}

/** A whole number of at most 16 digits. */
export function optionalInteger(params: Params, name: string): number | undefined {
  const value = optional(params, name);
  if (value === undefined) return undefined;
  if (!/^\d{1,20}$/.test(value)) throw illegalCharacters(name, "^[0-9]{1,20}$");
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw invalidParameter(name);
  return number;
}

export function requiredInteger(params: Params, name: string): number {
  required(params, name);
  return optionalInteger(params, name) ?? 0;
}

/** How many rows are asked for: `fallback` unless sent, never above `most`. */
export function limitOf(params: Params, fallback: number, most: number): number {
  const limit = optionalInteger(params, "limit") ?? fallback;
  if (limit < 1) throw invalidParameter("limit");
  return Math.min(limit, most);
}

const SYMBOL_RANGE = "^[A-Z0-9-_.]{1,20}$";

/** The name of one symbol, as Binance writes it. */
export function symbolText(params: Params, name = "symbol"): string {
  const value = required(params, name);
  if (!/^[A-Z0-9-_.]{1,20}$/.test(value)) throw illegalCharacters(name, SYMBOL_RANGE);
  return value;
}

/** The names of a JSON list like `["BTCUSDT","ETHUSDT"]`; undefined where it was not sent. */
export function symbolList(params: Params): readonly string[] | undefined {
  const value = optional(params, "symbols");
  if (value === undefined) return undefined;
  if (!/^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}")*\]$/.test(value)) {
    throw illegalCharacters("symbols", '^\\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\\]$');
  }
  const names = value.slice(2, -2).split('","');
  if (names.length === 0) throw badSymbol();
  return names;
}
