/** What is known of each exchange that matters for safety, as data: printed, documented, and obeyed. */

/** `for ever`: an id is never accepted twice · `among open`: again once its order is closed · `none`: not promised. */
export type ClientIdPromise = "for ever" | "among open" | "none";

/** How a request is made to die at the exchange by itself. */
export interface RequestWindow {
  /** What carries it: a parameter or a header. */
  readonly carrier: string;
  /** Where the exchange compares it with its clock, as far as it documents that. */
  readonly checked: "matching" | "gateway" | "undocumented";
}

export interface ExchangeFacts {
  /** ccxt's id; also the exchange's name in the config. */
  readonly id: string;
  readonly clientIds: ClientIdPromise;
  /** Longest client id, and what it may be made of. */
  readonly maxIdLength: number;
  readonly idCharset: "letters and digits" | "hex" | "text";
  readonly requestWindow: RequestWindow | undefined;
  /** How late the exchange's own queries may be, ms: what is assumed unless it says more. */
  readonly settleMs: number;
  /** Cancels every order of the account when it is not fed any more; undefined where there is none for everybody. */
  readonly deadManSwitch: string | undefined;
  /** True where the adapter has a table of the exchange's refusals, and is tested against a server of its dialect. */
  readonly isSpoken: boolean;
}

/** 1: an id alone keeps an order single · 2: an id and a bounded request do · 3: nothing does. */
export type SafetyClass = 1 | 2 | 3;

/** Of our ids: fixed width, lower case letters and digits. */
export const CLIENT_ID_LENGTH = 25;

export const EXCHANGES: readonly ExchangeFacts[] = [
  {
    id: "binance",
    clientIds: "among open",
    maxIdLength: 36,
    idCharset: "text",
    requestWindow: { carrier: "timestamp + recvWindow", checked: "matching" },
    settleMs: 2_000,
    deadManSwitch: undefined,
    isSpoken: true,
  },
  {
    id: "bybit",
    clientIds: "for ever",
    maxIdLength: 36,
    idCharset: "text",
    requestWindow: { carrier: "X-BAPI-RECV-WINDOW", checked: "gateway" },
    settleMs: 2_000,
    deadManSwitch: undefined,
    isSpoken: false,
  },
  {
    id: "okx",
    clientIds: "among open",
    maxIdLength: 32,
    idCharset: "letters and digits",
    requestWindow: { carrier: "expTime", checked: "undocumented" },
    settleMs: 2_000,
    deadManSwitch: "cancel-all-after",
    isSpoken: false,
  },
  {
    id: "kucoin",
    clientIds: "among open",
    maxIdLength: 40,
    idCharset: "text",
    requestWindow: { carrier: "clientTimestamp + allowMaxTimeWindow", checked: "undocumented" },
    settleMs: 2_000,
    deadManSwitch: undefined,
    isSpoken: false,
  },
  {
    id: "gate",
    clientIds: "none",
    maxIdLength: 28,
    idCharset: "text",
    requestWindow: { carrier: "x-gate-exptime", checked: "undocumented" },
    settleMs: 2_000,
    deadManSwitch: "countdown_cancel_all",
    isSpoken: false,
  },
  {
    id: "kraken",
    clientIds: "among open",
    maxIdLength: 18,
    idCharset: "text",
    requestWindow: { carrier: "deadline", checked: "matching" },
    settleMs: 2_000,
    deadManSwitch: "CancelAllOrdersAfter",
    isSpoken: false,
  },
  {
    id: "bitmex",
    clientIds: "for ever",
    maxIdLength: 36,
    idCharset: "text",
    requestWindow: { carrier: "api-expires", checked: "gateway" },
    settleMs: 2_000,
    deadManSwitch: "cancelAllAfter",
    isSpoken: false,
  },
  {
    id: "whitebit",
    clientIds: "among open",
    maxIdLength: 32,
    idCharset: "text",
    requestWindow: undefined,
    settleMs: 2_000,
    deadManSwitch: undefined,
    isSpoken: false,
  },
  {
    id: "hyperliquid",
    clientIds: "none",
    maxIdLength: 32,
    idCharset: "hex",
    requestWindow: { carrier: "expiresAfter", checked: "undocumented" },
    settleMs: 2_000,
    deadManSwitch: "scheduleCancel",
    isSpoken: false,
  },
  {
    id: "coinbase",
    clientIds: "none",
    maxIdLength: 36,
    idCharset: "text",
    requestWindow: undefined,
    settleMs: 2_000,
    deadManSwitch: undefined,
    isSpoken: false,
  },
];

/** What is known of the exchange that ccxt calls `id`. */
export function findExchange(id: string): ExchangeFacts | undefined {
  return EXCHANGES.find((each) => each.id === id);
}

export function safetyClassOf({ clientIds, requestWindow }: ExchangeFacts): SafetyClass {
  if (clientIds === "for ever") return 1;
  return clientIds === "among open" && requestWindow !== undefined ? 2 : 3;
}

/** Why no order may be sent to this exchange, as a sentence; undefined where it is safe to. */
export function refusalOf(exchange: ExchangeFacts): string | undefined {
  const { id, clientIds, requestWindow, maxIdLength, idCharset, isSpoken } = exchange;
  const remedy = "mode: paper trades its prices without sending anything";
  if (safetyClassOf(exchange) === 3) {
    const reason =
      clientIds === "none"
        ? "does not promise to refuse a client order id that it has seen"
        : requestWindow === undefined
          ? "accepts the id of a closed order again, and its requests never expire"
          : "promises too little";
    return `${id} ${reason}, so an order could be placed twice; ${remedy}`;
  }
  if (maxIdLength < CLIENT_ID_LENGTH || idCharset === "hex") {
    const limit = idCharset === "hex" ? "only hexadecimal ids" : `ids of at most ${maxIdLength} characters`;
    return `${id} takes ${limit}, and ours have ${CLIENT_ID_LENGTH} letters and digits; ${remedy}`;
  }
  if (!isSpoken) {
    return `${id} could be traded safely, but this version has no tested table of its refusals, without which an answer proves nothing; ${remedy}`;
  }
  return undefined;
}
