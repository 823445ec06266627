/** The part of a ccxt exchange object that the adapter uses; what it answers is checked by whoever reads it. */
import type { UnreadRecords } from "./unread-records.ts";

export type CcxtParams = Readonly<Record<string, string | number | boolean>>;

/** A structure of ccxt's, in string mode: decimals are text, times milliseconds. */
export type CcxtRecord = Readonly<Record<string, unknown>>;

export interface CcxtSettings {
  readonly apiKey?: string;
  readonly secret?: string;
  readonly password?: string;
  readonly enableRateLimit: boolean;
  /** Of one request, ms. */
  readonly timeout: number;
  readonly options: CcxtRecord;
  readonly urls?: CcxtRecord;
}

export interface CcxtSocket {
  readonly connection?: { terminate?(): void };
  /** What somebody waits for, by a name of ccxt's own. */
  readonly futures: Readonly<Record<string, Promise<unknown>>>;
}

export interface CcxtClient {
  readonly id: string;
  readonly has: CcxtRecord;
  /** What it can do in detail, where ccxt knows. */
  readonly features: unknown;
  readonly timeframes: CcxtRecord | undefined;
  readonly precisionMode: number;
  readonly markets: Readonly<Record<string, CcxtRecord>> | undefined;
  readonly currencies: unknown;
  /** Its sockets, by address. */
  readonly clients: Readonly<Record<string, CcxtSocket>>;
  timeout: number;
  /** How ccxt makes a number of a decimal: with `String`, not at all. */
  number: unknown;
  /** The time that requests are signed with, ms. */
  nonce: () => number;
  /** What its streams have told of the account's orders, and of its trades. */
  orders: UnreadRecords;
  myTrades: UnreadRecords;
  handleErrors: HandleErrors;
  /** Called with the headers of each request just before it is sent; what it returns is sent. */
  setHeaders: (headers: CcxtRecord) => CcxtRecord;
  setSandboxMode(isOn: boolean): void;
  loadHttpProxyAgent(): Promise<unknown>;
  loadMarkets(): Promise<unknown>;
  setMarkets(markets: unknown, currencies: unknown): unknown;
  fetchTime(): Promise<unknown>;
  fetchTicker(symbol: string): Promise<CcxtRecord>;
  fetchOHLCV(symbol: string, timeframe: string, since: number, limit: number): Promise<unknown>;
  fetchTradingFee(symbol: string): Promise<CcxtRecord>;
  fetchBalance(): Promise<CcxtRecord>;
  createOrder(
    symbol: string,
    type: string,
    side: string,
    amount: string,
    price: string | undefined,
    params: CcxtParams,
  ): Promise<CcxtRecord>;
  cancelOrder(id: string, symbol: string, params: CcxtParams): Promise<CcxtRecord>;
  fetchOrder(id: string | undefined, symbol: string, params: CcxtParams): Promise<CcxtRecord>;
  fetchOpenOrders(symbol: string): Promise<readonly CcxtRecord[]>;
  fetchOrders(
    symbol: string,
    since: number | undefined,
    limit: number,
    params: CcxtParams,
  ): Promise<readonly CcxtRecord[]>;
  fetchMyTrades(
    symbol: string,
    since: number | undefined,
    limit: number,
    params: CcxtParams,
  ): Promise<readonly CcxtRecord[]>;
  watchTicker(symbol: string): Promise<CcxtRecord>;
  watchOrders(): Promise<readonly CcxtRecord[]>;
  watchMyTrades(): Promise<readonly CcxtRecord[]>;
  /** Opens the stream of the account's own orders where an exchange has one. */
  authenticate(params: CcxtParams): Promise<unknown>;
  /** Binance only: what the key may do. */
  sapiGetAccountApiRestrictions?(): Promise<CcxtRecord>;
  close(): Promise<unknown>;
}

/** Called by ccxt for every answer before it judges it itself; whatever it throws is what the call rejects with. */
export type HandleErrors = (
  status: number,
  reason: string,
  url: string,
  method: string,
  headers: CcxtRecord,
  body: string,
  reply: unknown,
  /** What `setHeaders` returned for the request; nothing of a message on a stream. */
  requestHeaders: CcxtRecord | undefined,
) => unknown;

/** Ends every socket at once, as a cut cable would: whoever awaits one learns of it, however the other end is. */
export function breakSockets({ clients }: CcxtClient): void {
  for (const { connection } of Object.values(clients)) connection?.terminate?.();
}

/** Lets promises of the sockets fail that nobody may be waiting for; whoever waits still learns of it. */
export function forgiveFutures({ clients }: CcxtClient): void {
  for (const { futures } of Object.values(clients)) {
    for (const future of Object.values(futures)) future.catch(() => undefined);
  }
}
