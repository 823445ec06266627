/** The tables as Kysely sees them. Amounts are exact decimal text and are never compared or added in SQL. */
import type { BotMode, InitialMode, Parcel, Wants } from "../domain/grid.ts";
import type { Side } from "../domain/ids.ts";
import type { OrderStatus, OrderType } from "../domain/order.ts";

export interface Schema {
  readonly meta: MetaTable;
  readonly claims: ClaimsTable;
  readonly bots: BotsTable;
  readonly slots: SlotsTable;
  readonly orders: OrdersTable;
  readonly fills: FillsTable;
  readonly delivered_fills: DeliveredFillsTable;
  readonly trades: TradesTable;
  readonly events: EventsTable;
  readonly daily_totals: DailyTotalsTable;
  readonly locks: LocksTable;
  readonly balances: BalancesTable;
  readonly reservations: ReservationsTable;
}

export interface MetaTable {
  readonly name: string;
  readonly value: string;
}

export interface ClaimsTable {
  readonly exchange: string;
  readonly account: string;
  readonly symbol: string;
  readonly epoch: number;
  readonly token: string;
  readonly holder: string;
  /** In the database's time; null where a claim is nobody's lease, and anybody may take it. */
  readonly expires_at: number | null;
}

export interface TotalsColumns {
  readonly fill_count: number;
  readonly trade_count: number;
  readonly grid_profit: string;
  readonly inventory_sells: number;
  readonly inventory_pnl: string;
  readonly fees: string;
  readonly cash_flow: string;
  readonly position: string;
  readonly base_fees: string;
}

export interface BotsTable extends TotalsColumns {
  readonly code: string;
  readonly exchange: string;
  readonly account: string;
  readonly symbol: string;
  readonly tick_size: string;
  readonly lot_size: string;
  readonly min_quantity: string;
  readonly min_notional: string;
  readonly maker_fee: string;
  readonly taker_fee: string;
  readonly settings: string;
  /** JSON: the lattice, amounts as decimal text. */
  readonly lattice: string;
  readonly initial: InitialMode;
  readonly initial_done: number;
  readonly start_price: string;
  readonly created_at: number;
  readonly mode: BotMode;
  readonly mode_reason: string;
  readonly fill_cursor: string | null;
}

export interface SlotsTable {
  readonly bot_code: string;
  readonly slot: number;
  readonly buy_price: string;
  readonly sell_price: string;
  readonly quantity: string;
  readonly wants: Wants;
  /** JSON: the parcels, amounts as decimal text. */
  readonly inventory: string;
  readonly dust: string;
}

export interface ProgressColumns {
  readonly executed: string;
  readonly quote: string;
  readonly fee: string;
  readonly base_fee: string;
}

export interface OrdersTable extends ProgressColumns {
  readonly client_order_id: string;
  readonly bot_code: string;
  readonly slot: number;
  readonly side: Side;
  readonly generation: number;
  readonly type: OrderType;
  readonly price: string;
  readonly quantity: string;
  readonly status: OrderStatus;
  /**
   * 1 until the order is terminal, then null. A unique key over (bot, slot, side, unfinished) lets each database
   * itself refuse a second working order: keys with a null in them never conflict.
   */
  readonly unfinished: 1 | null;
  readonly exchange_order_id: string | null;
  readonly valid_until: number;
  readonly epoch: number;
  readonly created_at: number;
  readonly updated_at: number;
}

/** A fill that a spool has told of and that the market's owner has not counted yet. */
export interface DeliveredFillsTable {
  readonly exchange: string;
  readonly account: string;
  readonly symbol: string;
  readonly trade_id: string;
  readonly side: Side;
  readonly client_order_id: string;
  readonly bot_code: string;
  readonly price: string;
  readonly quantity: string;
  readonly fee: string;
  readonly fee_asset: string;
  readonly liquidity: "maker" | "taker";
  readonly exchange_order_id: string;
  readonly at: number;
}

/** A fill that is counted in its slot and in the totals. */
export interface FillsTable extends DeliveredFillsTable {
  /** The order of storing within the bot, from 1. */
  readonly seq: number;
}

export interface TradesTable {
  readonly bot_code: string;
  readonly slot: number;
  readonly generation: number;
  readonly part: number;
  readonly origin: Parcel["origin"];
  readonly quantity: string;
  readonly buy_quote: string;
  readonly buy_fee: string;
  readonly sell_quote: string;
  readonly sell_fee: string;
  readonly profit: string;
  readonly at: number;
}

export interface EventsTable {
  readonly bot_code: string;
  /** Running number within the bot, from 1. */
  readonly id: number;
  readonly at: number;
  readonly type: string;
  /** JSON. */
  readonly detail: string;
}

/** A bot's totals as they stood at the end of a day. */
export interface DailyTotalsTable extends TotalsColumns {
  readonly bot_code: string;
  /** `2026-11-20` in UTC; empty before the first day that was kept. */
  readonly day: string;
}

export interface LocksTable {
  readonly name: string;
  readonly fleet: string;
  readonly epoch: number;
  /** Empty where nobody holds the name. */
  readonly token: string;
  /** Grows with every grant of the name. */
  readonly fence: number;
  /** By the database's clock, ms since 1970. */
  readonly expires_at: number;
}

/** What an account may spend of an asset, as the exchange showed it, less what was spent since. */
export interface BalancesTable {
  readonly exchange: string;
  readonly account: string;
  readonly asset: string;
  readonly usable: string;
  /** Grows with each change. */
  readonly version: number;
}

/** What the open buys of one bot still need. */
export interface ReservationsTable {
  readonly exchange: string;
  readonly account: string;
  readonly asset: string;
  readonly bot_code: string;
  readonly amount: string;
}
