/** ccxt's structures → our words. Pure; throws EXCHANGE_UNAVAILABLE where an answer makes no sense. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { parseMoney, priceTicks, quantityLots } from "../../domain/amounts.ts";
import { DECIMAL_PLACES, divideDown, formatDecimal, parseDecimal } from "../../domain/decimal.ts";
import type { TextCandle } from "../../domain/candle.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Execution } from "../../domain/fill.ts";
import type { ClientOrderId, Instant } from "../../domain/ids.ts";
import { instant } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import { createInstrument, parsePrice, parseQuantity } from "../../domain/instrument.ts";
import type { Balance, ExchangeOrder } from "../exchange.ts";
import type { CcxtRecord } from "./ccxt-client.ts";

/** ccxt's way of giving a precision as the size of a step; the other way is a number of decimal places. */
const TICK_SIZE = 4;

const STATUSES: Readonly<Record<string, ExchangeOrder["status"]>> = {
  open: "open",
  // Of somebody's order list, as Binance says it: ccxt has no word for it.
  PENDING_NEW: "open",
  canceling: "open",
  closed: "filled",
  canceled: "canceled",
  expired: "expired",
  rejected: "rejected",
};

export interface Fees {
  readonly maker: string;
  readonly taker: string;
}

/** The rules of a spot market. Throws CONFIG_INVALID where it is none, or is not traded. */
export function toInstrument(
  exchange: string,
  market: CcxtRecord,
  precisionMode: number,
  fees: Fees,
): Instrument {
  const symbol = textOf(market, "symbol");
  if (market["spot"] !== true) {
    throw new QuantmeshError("CONFIG_INVALID", `${symbol} on ${exchange} is not a spot market`);
  }
  if (market["active"] === false) {
    throw new QuantmeshError("CONFIG_INVALID", `${symbol} is not traded on ${exchange} at present`);
  }
  const stepOf = (of: "price" | "amount"): string => {
    const precision = String(recordOf(market, "precision")[of]);
    return precisionMode === TICK_SIZE ? plain(precision) : stepOfPlaces(Number(precision));
  };
  const limits = recordOf(market, "limits");
  const least = (of: "amount" | "cost"): string | undefined => {
    const min = optionalRecordOf(limits, of)?.["min"];
    return min === undefined || min === null ? undefined : plain(String(min));
  };
  const lotSize = stepOf("amount");
  return createInstrument({
    exchange,
    symbol,
    tickSize: stepOf("price"),
    lotSize,
    minQuantity: roundedUp(least("amount") ?? lotSize, lotSize),
    minNotional: least("cost") ?? "0",
    makerFee: plain(fees.maker),
    takerFee: plain(fees.taker),
  });
}

/** An order, ours or not. Of others, what is off the tick or lot of today is rounded down. */
export function toOrder(instrument: Instrument, order: CcxtRecord): ExchangeOrder {
  const status = STATUSES[textOf(order, "status")];
  if (status === undefined) throw senseless(`an order has status "${textOf(order, "status")}"`);
  const type = textOf(order, "type");
  const price = optionalTextOf(order, "price");
  const id = optionalTextOf(order, "clientOrderId");
  return {
    id: id === undefined ? undefined : (id as ClientOrderId),
    exchangeOrderId: textOf(order, "id"),
    side: sideOf(order),
    type: type === "market" ? "market" : order["postOnly"] === true ? "limit_maker" : "limit",
    price: price === undefined ? priceTicks(0) : toNearestPrice(instrument, price),
    quantity: toWholeLots(instrument, textOf(order, "amount")),
    executed: toWholeLots(instrument, textOf(order, "filled")),
    status,
    createdAt: timeOf(order),
  };
}

/** An execution of our account. Throws DATA_INVALID where it is off the tick or lot of today. */
export function toExecution(instrument: Instrument, trade: CcxtRecord): Execution {
  const fee = optionalRecordOf(trade, "fee");
  const cost = fee && optionalTextOf(fee, "cost");
  return {
    tradeId: textOf(trade, "id"),
    exchangeOrderId: textOf(trade, "order"),
    side: sideOf(trade),
    price: parsePrice(instrument, plain(textOf(trade, "price"))),
    quantity: parseQuantity(instrument, plain(textOf(trade, "amount"))),
    fee: cost === undefined ? parseMoney("0") : parseMoney(plain(cost)),
    feeAsset: (fee && optionalTextOf(fee, "currency")) ?? instrument.quote,
    liquidity: trade["takerOrMaker"] === "maker" ? "maker" : "taker",
    at: timeOf(trade),
  };
}

/** Every asset of which the account has any. */
export function toBalances(answer: CcxtRecord): readonly Balance[] {
  const free = recordOf(answer, "free");
  const used = recordOf(answer, "used");
  return Object.keys(free)
    .map((asset) => ({ asset, free: amountIn(free, asset), locked: amountIn(used, asset) }))
    .filter((balance) => balance.free !== 0n || balance.locked !== 0n);
}

/** The last price of a ticker, and when it was; `now` where the exchange does not say. */
export function toPrice(
  instrument: Instrument,
  ticker: CcxtRecord,
  now: Instant,
): { readonly price: PriceTicks; readonly at: Instant } {
  const text = optionalTextOf(ticker, "last") ?? optionalTextOf(ticker, "close");
  if (text === undefined) {
    throw new QuantmeshError("EXCHANGE_UNAVAILABLE", `${instrument.symbol} has no price yet`);
  }
  const at = ticker["timestamp"];
  return {
    price: toNearestPrice(instrument, text),
    at: typeof at === "number" && at > 0 ? instant(Math.round(at)) : now,
  };
}

/** Candles, ascending and each once; one without a price, as some exchanges show where nobody traded, is none. */
export function toTextCandles(answer: unknown): readonly TextCandle[] {
  if (!Array.isArray(answer)) throw senseless("candles are no list");
  const candles = new Map<number, TextCandle>();
  for (const row of answer as readonly unknown[]) {
    if (!Array.isArray(row)) throw senseless("a candle is no list");
    const [openTime, ...values] = row as readonly unknown[];
    if (typeof openTime !== "number" || !Number.isSafeInteger(openTime))
      throw senseless("a candle has no time");
    if (values.slice(0, 4).some((value) => value === undefined || value === null || Number(value) === 0))
      continue;
    const [open = "", high = "", low = "", close = "", volume = ""] = values.slice(0, 5).map(exactText);
    const [top, bottom] = [parseDecimal(high), parseDecimal(low)];
    const isWithin = (price: string): boolean => parseDecimal(price) <= top && parseDecimal(price) >= bottom;
    if (bottom <= 0n || ![open, close, low].every(isWithin))
      throw senseless("a candle has impossible prices");
    candles.set(openTime, { openTime: instant(openTime), open, high, low, close, volume });
  }
  return [...candles.values()].sort((a, b) => a.openTime - b.openTime);
}

function exactText(value: unknown): string {
  try {
    return formatDecimal(parseDecimal(plain(String(value ?? "0"))));
  } catch {
    throw senseless(`a candle has "${String(value)}" for a number`);
  }
}

/** The id of an order in an answer; undefined where it has none, so that nothing is believed of it. */
export function idOf(answer: unknown): string | undefined {
  return isRecord(answer) ? optionalTextOf(answer, "id") : undefined;
}

/** `1e-8` → `0.00000001`; ccxt writes small steps the way JavaScript does. */
function plain(text: string): string {
  const match = /^([+-]?)(\d+)(?:\.(\d*))?e([+-]?\d+)$/i.exec(text);
  if (!match) return text;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const shift = Number(exponent);
  const digits = `${"0".repeat(Math.max(0, -shift))}${whole}${fraction}${"0".repeat(Math.max(0, shift))}`;
  const point = Math.max(0, -shift) + whole.length + shift;
  return `${sign}${digits.slice(0, point) || "0"}.${digits.slice(point)}`;
}

function stepOfPlaces(places: number): string {
  if (!Number.isInteger(places) || places < 0 || places > DECIMAL_PLACES) {
    throw senseless(`a market has ${places} decimal places`);
  }
  return places === 0 ? "1" : `0.${"0".repeat(places - 1)}1`;
}

function roundedUp(text: string, step: string): string {
  const units = parseDecimal(text);
  const size = parseDecimal(step);
  return size === 0n ? text : formatDecimal(((units + size - 1n) / size) * size);
}

function toNearestPrice({ tickSize }: Instrument, text: string): PriceTicks {
  return priceTicks(Number(divideDown(parseDecimal(plain(text)) * 2n + tickSize, tickSize * 2n)));
}

function toWholeLots({ lotSize }: Instrument, text: string): QuantityLots {
  return quantityLots(Number(divideDown(parseDecimal(plain(text)), lotSize)));
}

function amountIn(record: CcxtRecord, asset: string): Money {
  return parseMoney(plain(optionalTextOf(record, asset) ?? "0"));
}

function sideOf(record: CcxtRecord): "buy" | "sell" {
  const side = record["side"];
  if (side !== "buy" && side !== "sell") throw senseless(`a side is "${String(side)}"`);
  return side;
}

function timeOf(record: CcxtRecord): Instant {
  const at = record["timestamp"];
  return instant(typeof at === "number" ? Math.round(at) : 0);
}

function textOf(record: CcxtRecord, key: string): string {
  const text = optionalTextOf(record, key);
  if (text === undefined) throw senseless(`an answer has no ${key}`);
  return text;
}

function optionalTextOf(record: CcxtRecord, key: string): string | undefined {
  const value = record[key];
  if (typeof value === "string") return value === "" ? undefined : value;
  return typeof value === "number" && Number.isSafeInteger(value) ? String(value) : undefined;
}

function recordOf(record: CcxtRecord, key: string): CcxtRecord {
  const value = optionalRecordOf(record, key);
  if (!value) throw senseless(`an answer has no ${key}`);
  return value;
}

function optionalRecordOf(record: CcxtRecord, key: string): CcxtRecord | undefined {
  const value = record[key];
  return isRecord(value) ? value : undefined;
}

function isRecord(value: unknown): value is CcxtRecord {
  return typeof value === "object" && value !== null;
}

function senseless(what: string): QuantmeshError {
  return new QuantmeshError("EXCHANGE_UNAVAILABLE", `the exchange's answer makes no sense: ${what}`);
}
