/** The storage port: everything durable. One implementation over Kysely, whatever the database. */
import type { Money } from "../domain/amounts.ts";
import type { Claim, MarketKey } from "../domain/claim.ts";
import type { Execution, Fill } from "../domain/fill.ts";
import type { Bot, BotMode, Parcel, Totals, Trade } from "../domain/grid.ts";
import type { BotCode, ClientOrderId, Instant, Side } from "../domain/ids.ts";
import type { BotLedger } from "../domain/ledger.ts";
import type { OrderStatus, OrderTerms } from "../domain/order.ts";
import type { StoreRecord } from "../domain/records.ts";

export type { BotLedger, LastOrder, StoredOrder } from "../domain/ledger.ts";

/** The durable record that an order is about to be sent. */
export interface Intent {
  readonly terms: OrderTerms;
  /** In exchange time: the request is dead after it. */
  readonly validUntil: Instant;
  /** What the order would spend of the account's quote; left out where nothing needs to be set aside for it. */
  readonly reserve?: Money | undefined;
}

/** One set of exchange keys: all bots on it spend the same money. */
export type AccountKey = Pick<MarketKey, "exchange" | "account">;

export interface BalanceReading {
  readonly asset: string;
  /** What may be spent of it, whether it is free or in open orders. */
  readonly usable: Money;
  /** From `openBalances`, asked before the exchange was. */
  readonly version: number;
}

/** What an account has of an asset, and what is tied up of that. */
export interface BalanceUse {
  readonly asset: string;
  readonly usable: Money;
  /** By open buys. */
  readonly reserved: Money;
  /** By bots that trade the asset as their base. */
  readonly held: Money;
}

/** Asks for a market as a lease, which ends by itself; requests made together have one holder and one lifetime. */
export interface ClaimRequest {
  readonly market: MarketKey;
  readonly holder: string;
  /** How long it lasts unless it is renewed, by the database's clock. */
  readonly ttlMs: number;
  /**
   * The epoch of a claim that the caller knows to be void before its end: its own of before, or that of an owner who
   * was proven dead. It is replaced only if it still is the newest.
   */
  readonly replaces?: number;
}

/** `held`: somebody has it (nobody is named where it is being written at this moment), for as long as `expiresInMs` unless they renew it. */
export type ClaimAnswer =
  | { readonly kind: "claimed"; readonly claim: Claim }
  | {
      readonly kind: "held";
      readonly holder: string;
      readonly epoch: number;
      readonly expiresInMs: number;
    };

/** Who holds a market, under which epoch. */
export interface HeldClaim extends MarketKey {
  readonly holder: string;
  readonly epoch: number;
}

/**
 * `stale`: somebody newer owns the market. `taken`: this (bot, slot, side) has an unfinished order, or the id is used.
 * `short`: the account has not enough left for it.
 */
export type IntentOutcome = "stored" | "stale" | "taken" | "short";
/** `duplicate`: a fill of these records was stored before; nothing of them is. */
export type CommitOutcome = "stored" | "stale" | "duplicate";

/** Newest first; `before` is the `cursor` of the last row of the page before. */
export interface PageQuery {
  readonly code?: BotCode;
  readonly limit: number;
  readonly before?: string;
}

/** Rows for people and scripts: amounts are exact decimal text, times are Instants. */
export interface OrderRow {
  readonly cursor: string;
  readonly id: string;
  readonly bot: string;
  readonly symbol: string;
  readonly slot: number;
  readonly side: Side;
  readonly generation: number;
  readonly type: string;
  readonly status: string;
  readonly price: string;
  readonly quantity: string;
  readonly executed: string;
  readonly exchangeOrderId: string | undefined;
  readonly validUntil: Instant;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

export interface FillRow {
  readonly cursor: string;
  readonly tradeId: string;
  readonly orderId: string;
  readonly bot: string;
  readonly symbol: string;
  readonly slot: number;
  readonly generation: number;
  readonly side: Side;
  readonly price: string;
  readonly quantity: string;
  readonly fee: string;
  readonly feeAsset: string;
  readonly liquidity: string;
  readonly at: Instant;
}

export interface TradeRow {
  readonly cursor: string;
  readonly bot: string;
  readonly symbol: string;
  readonly slot: number;
  readonly generation: number;
  readonly origin: Parcel["origin"];
  readonly quantity: string;
  readonly buyQuote: string;
  readonly buyFee: string;
  readonly sellQuote: string;
  readonly sellFee: string;
  readonly profit: string;
  readonly at: Instant;
}

export interface BotSummary {
  readonly bot: Bot;
  readonly mode: BotMode;
  readonly modeReason: string;
  readonly totals: Totals;
  readonly workingOrders: number;
}

/** What one bot did on one day; amounts are exact decimal text. */
export interface DayRow {
  readonly cursor: string;
  /** `2026-11-20` in UTC; undefined: all before the first day that was kept. A late fill counts when it was stored. */
  readonly day: string | undefined;
  readonly bot: string;
  readonly symbol: string;
  readonly fills: number;
  readonly trades: number;
  readonly gridProfit: string;
  readonly inventorySells: number;
  readonly inventoryPnl: string;
  readonly fees: string;
  readonly cashFlow: string;
  /** At the end of the day. */
  readonly position: string;
}

/** A fill that could not be stored, and whose it is. */
export interface SpooledFill {
  readonly market: MarketKey;
  readonly code: BotCode;
  readonly fill: Fill;
}

/** `duplicate`: one of the fills is in the spool already. `full`: no room, or no disk. Of both nothing is kept. */
export type SpoolOutcome = "stored" | "duplicate" | "full";

/**
 * Keeps fills on the local disk while the database is away. What is kept has survived a power cut when the call
 * returns; a fill that is there is never lost and never twice there.
 */
export interface FillSpool {
  /** Of how many fills; at `capacity` it takes no more. */
  readonly depth: number;
  readonly capacity: number;
  /** When the oldest was kept, by the wall clock, ms; undefined where it is empty. */
  readonly oldestAt: number | undefined;
  add(fills: readonly SpooledFill[]): SpoolOutcome;
  has(market: MarketKey, execution: Execution): boolean;
  /** In the order of keeping. */
  oldest(limit: number): readonly SpooledFill[];
  /** Throws STORAGE_UNAVAILABLE, as the reads do, where the disk does not do it now: then all of them stay. */
  remove(fills: readonly SpooledFill[]): void;
  close(): void;
}

/** Names that one grant of the lock table holds. */
export interface HeldLocks {
  readonly names: readonly string[];
  /** New for each grant. */
  readonly token: string;
}

interface LockTerms {
  readonly fleet: string;
  readonly epoch: number;
  readonly ttlMs: number;
}

export interface LockRequest extends HeldLocks, LockTerms {}

/** Several grants of one name each. */
export interface EachLockRequest extends LockTerms {
  readonly locks: readonly { readonly name: string; readonly token: string }[];
}

/**
 * Everything durable. All methods throw STORAGE_UNAVAILABLE where the database cannot be asked or its answer is
 * lost. Of the error of a write, `isOutcomeUnknown` says whether it may have happened; then the market must be claimed
 * anew before anything is believed. So must it where another server answers than before, or the same after a restart:
 * writes under older claims throw STORAGE_UNAVAILABLE from then on.
 */
export interface Storage {
  /** The fleet's id, drawn once and kept in the database for ever. */
  fleetId(): Promise<string>;
  /**
   * Takes the market, whoever holds it: a new epoch, one above the last, and a fresh token. It is no lease; anybody may
   * take it over. For an instance that is alone.
   */
  claim(market: MarketKey, holder: string): Promise<Claim>;
  /**
   * Takes markets in one transaction, each as a lease if it was never claimed, was released, has expired by the
   * database's clock, or its claim is the one that the request replaces; the answers are in the order of the requests.
   * After an answer that was lost, `replaces` is the epoch that `held` names, if it names this holder: a holder's name
   * must be new for each process.
   */
  requestClaims(requests: readonly ClaimRequest[]): Promise<readonly ClaimAnswer[]>;
  /**
   * Lets leases last for `ttlMs` from now, by the database's clock; returns those that are still held. A lease that
   * ended and that nobody took meanwhile is held again; one that was taken from another server, or from the same before
   * a restart, is not. A permit counts from the moment before the call.
   */
  renewClaims(claims: readonly Claim[], ttlMs: number): Promise<readonly Claim[]>;
  /** Frees the market at once; no write under the claim passes any more. Nothing where it is not the newest. */
  releaseClaim(claim: Claim): Promise<void>;
  /** Every market that somebody holds. */
  listClaims(): Promise<readonly HeldClaim[]>;
  findBot(market: MarketKey): Promise<Bot | undefined>;
  /** Stores a new bot and its slots. `stale` where the claim is not the market's. */
  createBot(claim: Claim, bot: Bot): Promise<"stored" | "stale">;
  loadLedger(bot: Bot): Promise<BotLedger>;
  /**
   * One row = permission to send. With `reserve`, only if the account's quote covers it beside what the open buys of all
   * bots need, and what others hold of it as their base; it is set aside in the same transaction, until the order is
   * terminal or its fills have spent it.
   */
  insertIntent(claim: Claim, bot: Bot, intent: Intent): Promise<IntentOutcome>;
  /** All records and, where given, the fill cursor in one transaction, or nothing. */
  commit(claim: Claim, bot: Bot, records: readonly StoreRecord[]): Promise<CommitOutcome>;
  saveFillCursor(claim: Claim, bot: Bot, cursor: string): Promise<"stored" | "stale">;
  /** The terms of the order with this exchange id, working or not: late fills name no client id. */
  findOrderByExchangeId(bot: Bot, exchangeOrderId: string): Promise<OrderTerms | undefined>;
  /** How the order stands in the books; undefined where they do not know it. */
  orderStatus(bot: Bot, id: ClientOrderId): Promise<OrderStatus | undefined>;
  /** Those of `executions` that are not stored. */
  unstoredFills(bot: Bot, executions: readonly Execution[]): Promise<readonly Execution[]>;
  /**
   * Hands over fills that a spool kept: facts, valid whoever owns the market; the owner counts them. Idempotent; those
   * that are counted already are left out.
   */
  deliverFills(bot: Bot, fills: readonly Fill[]): Promise<void>;
  /** Those handed over that no commit has counted yet, oldest first. */
  deliveredFills(bot: Bot): Promise<readonly Fill[]>;
  /** Every fill of the bot, in the order of storing. */
  fillsOf(bot: Bot): Promise<readonly Fill[]>;
  tradesOf(bot: Bot): Promise<readonly Trade[]>;
  listBots(): Promise<readonly BotSummary[]>;
  /** When an order of each bot last changed; a bot without orders is not in it. */
  lastChanges(): Promise<ReadonlyMap<BotCode, Instant>>;
  listOrders(query: PageQuery & { readonly working?: boolean }): Promise<readonly OrderRow[]>;
  listFills(query: PageQuery): Promise<readonly FillRow[]>;
  listTrades(query: PageQuery): Promise<readonly TradeRow[]>;
  /** Each bot's days on which it traded, newest first. */
  listDays(query: PageQuery): Promise<readonly DayRow[]>;
  /** Sets what the bot's open buys tie up anew from its orders; from there on every commit does. */
  openReservation(claim: Claim, bot: Bot): Promise<"stored" | "stale">;
  /** The version of each asset's balance, to be asked before the exchange is. */
  openBalances(account: AccountKey, assets: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /**
   * What the exchange has shown. Fills lower it at once; where some did since its version was asked, only a lower reading
   * counts. So it is never above what the account has.
   */
  saveBalances(account: AccountKey, readings: readonly BalanceReading[]): Promise<void>;
  balancesInUse(account: AccountKey): Promise<readonly BalanceUse[]>;
  /** The fence of a grant of all names; undefined where another fleet, or a newer epoch, holds one. */
  takeLocks(request: LockRequest): Promise<number | undefined>;
  /** The fence of each grant that is made, by its token, in one transaction. */
  takeEachLock(request: EachLockRequest): Promise<ReadonlyMap<string, number>>;
  /** Lets what is still held as a whole live for `ttlMs` from now, by the database's clock; the tokens of that. */
  extendLocks(held: readonly HeldLocks[], ttlMs: number): Promise<ReadonlySet<string>>;
  freeLocks(held: HeldLocks): Promise<void>;
  /** Resolves where the database answers and takes writes. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
