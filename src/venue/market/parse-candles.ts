/** The candle parser: bytes to integer ticks, digit by digit; every complaint names the line. */
import type { Money } from "../../domain/amounts.ts";
import { formatMoney } from "../../domain/amounts.ts";
import { DECIMAL_PLACES } from "../../domain/decimal.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Candles } from "./candles.ts";

const HEADER = "timestamp,open,high,low,close,volume";
const COLUMNS = HEADER.split(",");
const ONE_MINUTE_MS = 60_000;
/** Seconds since 1970 of any year from 2001 to 5138 lie between these; as milliseconds they are of 1970 to 1973. */
const [SECONDS_FROM, SECONDS_TO] = [1e9, 1e11] as const;
/** Milliseconds of the year 5138: what is later counts microseconds, as Binance's files do since 2025. */
const MICROSECONDS_FROM = 1e14;
/** What some programs write before UTF-8 text. */
const BYTE_ORDER_MARK = "\u00ef\u00bb\u00bf";
const [NEWLINE, RETURN, COMMA, POINT, ZERO, NINE] = [10, 13, 44, 46, 48, 57] as const;

/** Reads the content of a candle file; `file` is only its name in errors. Throws DATA_INVALID. */
export function parseCandles(bytes: Uint8Array, file: string, tickSize: Money): Candles {
  return new CandleParser(bytes, file, tickSize).parse();
}

class CandleParser {
  readonly #bytes: Uint8Array;
  readonly #file: string;
  readonly #tickSize: Money;
  /** The tick is `tickFactor · 10^−tickPlaces`. */
  readonly #tickPlaces: number;
  readonly #tickFactor: number;
  #at = 0;
  #line = 1;
  #lineStart = 0;
  /** Where the number that was read last begins, and whether it has more places than were asked for. */
  #numberStart = 0;
  #isTooFine = false;

  constructor(bytes: Uint8Array, file: string, tickSize: Money) {
    this.#bytes = bytes;
    this.#file = file;
    this.#tickSize = tickSize;
    let factor: bigint = tickSize;
    let places = DECIMAL_PLACES;
    for (; places > 0 && factor % 10n === 0n; places -= 1) factor /= 10n;
    this.#tickPlaces = places;
    this.#tickFactor = Number(factor);
  }

  parse(): Candles {
    this.#readHeader();
    const most = this.#linesLeft();
    const column = (): Float64Array => new Float64Array(most);
    const [timestamp, open, high, low, close] = [column(), column(), column(), column(), column()];
    let intervalMs = Number.POSITIVE_INFINITY;
    let before = Number.NEGATIVE_INFINITY;
    let length = 0;
    for (; !this.#isAtEnd(); length += 1) {
      const at = this.#readTimestamp();
      if (at >= MICROSECONDS_FROM) throw this.#wrongUnit(at, "microseconds");
      if (length === 0 && at >= SECONDS_FROM && at < SECONDS_TO) throw this.#wrongUnit(at, "seconds");
      if (at <= before) throw this.#error(`timestamp ${at} is not after the one before it, ${before}`);
      intervalMs = Math.min(intervalMs, at - before);
      timestamp[length] = before = at;
      const first = (open[length] = this.#readPrice());
      const top = (high[length] = this.#readPrice());
      const bottom = (low[length] = this.#readPrice());
      const last = (close[length] = this.#readPrice());
      this.#skipVolume();
      if (top < first || top < last || top < bottom) throw this.#error("high is below open, low or close");
      if (bottom > first || bottom > last) throw this.#error("low is above open or close");
      this.#nextLine();
    }
    if (length === 0) throw new QuantmeshError("DATA_INVALID", `${this.#file} has no candles`);
    return {
      length,
      intervalMs: Number.isFinite(intervalMs) ? intervalMs : ONE_MINUTE_MS,
      timestamp: timestamp.subarray(0, length),
      open: open.subarray(0, length),
      high: high.subarray(0, length),
      low: low.subarray(0, length),
      close: close.subarray(0, length),
    };
  }

  #readHeader(): void {
    const start = this.#text(0, BYTE_ORDER_MARK.length) === BYTE_ORDER_MARK ? BYTE_ORDER_MARK.length : 0;
    this.#at = this.#lineEnd(start);
    if (this.#text(start, this.#at) !== HEADER) throw this.#error(`the header is not "${HEADER}"`);
    this.#nextLine();
  }

  #readTimestamp(): number {
    const value = this.#readNumber(0);
    if (this.#isTooFine) throw this.#malformed();
    this.#skipComma();
    return value;
  }

  /** Ticks of the next column. */
  #readPrice(): number {
    const value = this.#readNumber(this.#tickPlaces);
    if (this.#isTooFine || value % this.#tickFactor !== 0) throw this.#offTick();
    if (value === 0) throw this.#error("a price of 0");
    this.#skipComma();
    return value / this.#tickFactor;
  }

  /** The next number times `10^places`, exactly; places beyond that are only noticed. */
  #readNumber(places: number): number {
    const bytes = this.#bytes;
    let at = this.#at;
    let value = 0;
    let digits = 0;
    let decimals = -1;
    this.#numberStart = at;
    this.#isTooFine = false;
    for (; ; at += 1) {
      const byte = bytes[at];
      if (byte === undefined) break;
      if (byte >= ZERO && byte <= NINE) {
        digits += 1;
        if (decimals < places) {
          value = value * 10 + (byte - ZERO);
          if (decimals >= 0) decimals += 1;
        } else if (byte !== ZERO) {
          this.#isTooFine = true;
        }
      } else if (byte === POINT && decimals < 0) {
        decimals = 0;
      } else {
        break;
      }
    }
    for (let place = Math.max(decimals, 0); place < places; place += 1) value *= 10;
    this.#at = at;
    // Above the safe range digits were lost on the way; below it every step was exact.
    if (digits === 0 || bytes[at] !== COMMA || value > Number.MAX_SAFE_INTEGER) throw this.#malformed();
    return value;
  }

  #skipComma(): void {
    this.#at += 1;
  }

  #skipVolume(): void {
    const end = this.#lineEnd(this.#at);
    this.#numberStart = this.#at;
    if (this.#bytes.subarray(this.#at, end).includes(COMMA) || end === this.#at) throw this.#malformed();
    this.#at = end;
  }

  #nextLine(): void {
    if (this.#bytes[this.#at] === RETURN) this.#at += 1;
    this.#at += 1;
    this.#line += 1;
    this.#lineStart = this.#at;
  }

  /** True where nothing but empty lines follows. */
  #isAtEnd(): boolean {
    let at = this.#at;
    while (this.#bytes[at] === NEWLINE || this.#bytes[at] === RETURN) at += 1;
    return at >= this.#bytes.length;
  }

  #linesLeft(): number {
    let count = 1;
    for (
      let at = this.#bytes.indexOf(NEWLINE, this.#at);
      at >= 0;
      at = this.#bytes.indexOf(NEWLINE, at + 1)
    ) {
      count += 1;
    }
    return count;
  }

  #lineEnd(from: number): number {
    const newline = this.#bytes.indexOf(NEWLINE, from);
    const end = newline < 0 ? this.#bytes.length : newline;
    return end > from && this.#bytes[end - 1] === RETURN ? end - 1 : end;
  }

  #malformed(): QuantmeshError {
    const columns = this.#text(this.#lineStart, this.#lineEnd(this.#lineStart)).split(",");
    if (columns.length !== COLUMNS.length) {
      return this.#error(`${columns.length} columns instead of ${COLUMNS.length} (${HEADER})`);
    }
    const before = this.#text(this.#lineStart, this.#numberStart).split(",").length - 1;
    return this.#error(`${COLUMNS[before]} "${columns[before]}" is not a plain decimal number`);
  }

  #wrongUnit(at: number, unit: string): QuantmeshError {
    return this.#error(`timestamp ${at} looks like ${unit}: give milliseconds since 1970`);
  }

  #offTick(): QuantmeshError {
    const price = this.#text(this.#numberStart, this.#at);
    const places = price.split(".")[1]?.length ?? 0;
    const finer = places === 0 ? "1" : `0.${"1".padStart(places, "0")}`;
    return this.#error(
      `price ${price} is not a multiple of the tick size ${formatMoney(this.#tickSize)}; ` +
        `set the instrument's tick size to one that all prices of the file are on, such as ${finer}`,
    );
  }

  #text(start: number, end: number): string {
    return Buffer.from(this.#bytes.subarray(start, end)).toString("latin1");
  }

  #error(reason: string): QuantmeshError {
    return new QuantmeshError("DATA_INVALID", `${this.#file} line ${this.#line}: ${reason}`);
  }
}
