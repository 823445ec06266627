/** What the adapter must know of one exchange beyond what ccxt makes equal everywhere. */
import type { Instant } from "../../domain/ids.ts";
import type { RejectReason } from "../exchange.ts";
import type { UsedLimit } from "../limits/request-budget.ts";
import type { WindowLimit } from "../limits/budget-window.ts";
import type { CcxtClient, CcxtParams, CcxtRecord } from "./ccxt-client.ts";

/** The requests that the adapter sends, by what they cost of the exchange's weight. */
export type RequestKind =
  | "time"
  | "price"
  | "candles"
  | "fees"
  | "keyRights"
  | "place"
  | "cancel"
  | "findOrder"
  | "openOrders"
  | "orders"
  | "fills"
  | "balances";

/** What an answer that is not a success says for certain. */
export type Verdict =
  | { readonly kind: "refused"; readonly reason: RejectReason }
  | { readonly kind: "duplicate" }
  | { readonly kind: "noSuchOrder" }
  | { readonly kind: "unproven" };

/** What the key may do; undefined where the exchange does not tell. */
export interface KeyRights {
  readonly canTrade: boolean;
  readonly canWithdraw: boolean;
  /** True where it works from listed addresses only; undefined where the exchange does not tell. */
  readonly isIpRestricted: boolean | undefined;
}

/** Sends one read of its kind within the limits; throws as the port's reads do. */
export type Read = <Answer>(
  kind: RequestKind,
  call: (client: CcxtClient) => Promise<Answer>,
) => Promise<Answer>;

export interface Dialect {
  /** ccxt's options of the exchange. */
  readonly options: CcxtRecord;
  /** ccxt's addresses of a private server of the same dialect. */
  urls(rest: string, ws: string): CcxtRecord;
  /** The exchange's own code and words in `reply`, the parsed body of an answer; undefined where it has none. */
  codeOf(reply: unknown): { readonly code: string; readonly message: string } | undefined;
  /** What the code proves. Only what is listed proves anything. */
  judge(status: number, code: string | undefined, message: string): Verdict;
  /** Makes a request die at `validUntil`. */
  bound(validUntil: Instant, windowMs: number): CcxtParams;
  /** How much of its limits the exchange says is used, in the headers of an answer. */
  usedOf(headers: CcxtRecord): readonly UsedLimit[];
  /** The limits that an answer tells, where it is one that does. */
  limitsIn(reply: unknown): readonly WindowLimit[] | undefined;
  /** What they are where the exchange does not tell. */
  readonly limits: readonly WindowLimit[];
  readonly weights: Readonly<Record<RequestKind, number>>;
  /** Every order created at or after `since`, open and closed, ascending; `now` in exchange time. */
  ordersSince(read: Read, symbol: string, since: Instant, now: Instant): Promise<readonly CcxtRecord[]>;
  /** Every trade of the account whose id is at least `fromId`, ascending. */
  tradesFrom(read: Read, symbol: string, fromId: string): Promise<readonly CcxtRecord[]>;
  /** The client id of the order of a streamed trade. */
  clientIdOfTrade(trade: CcxtRecord): string | undefined;
  /** Resolves once the stream of the account's own orders is open. */
  openOrderStream(client: CcxtClient): Promise<void>;
  /** How many orders of one account may rest in `market`; undefined where it does not tell. */
  mostOpenOrders(market: CcxtRecord): number | undefined;
  keyRights(client: CcxtClient): Promise<KeyRights | undefined>;
}
