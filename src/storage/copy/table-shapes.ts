/** The tables as a copy sees them: in which order they are filled, and how each column is written as text. */
import type { Schema } from "../schema.ts";

/** `amount`: an exact decimal, in its shortest form wherever two databases are compared. */
export type ColumnKind = "text" | "integer" | "amount";

export type TableName = keyof Schema;

export interface TableShape {
  readonly name: TableName;
  readonly columns: readonly (readonly [name: string, kind: ColumnKind])[];
  /** The primary key: the order in which databases without row numbers are read. */
  readonly key: readonly string[];
}

type Kind<Value> = [Value] extends [number | null] ? "integer" : "text" | "amount";
type Shapes = {
  readonly [Table in TableName]: {
    readonly columns: { readonly [Column in keyof Schema[Table]]-?: Kind<Schema[Table][Column]> };
    readonly key: readonly (keyof Schema[Table] & string)[];
  };
};

/** The compiler compares it with the schema; a test compares it with what the migrations make. */
const SHAPES: Shapes = {
  meta: { columns: { name: "text", value: "text" }, key: ["name"] },
  claims: {
    columns: {
      exchange: "text",
      account: "text",
      symbol: "text",
      epoch: "integer",
      token: "text",
      holder: "text",
      expires_at: "integer",
    },
    key: ["exchange", "account", "symbol"],
  },
  bots: {
    columns: {
      code: "text",
      exchange: "text",
      account: "text",
      symbol: "text",
      tick_size: "amount",
      lot_size: "amount",
      min_quantity: "amount",
      min_notional: "amount",
      maker_fee: "amount",
      taker_fee: "amount",
      settings: "text",
      lattice: "text",
      initial: "text",
      initial_done: "integer",
      start_price: "amount",
      created_at: "integer",
      mode: "text",
      mode_reason: "text",
      fill_count: "integer",
      trade_count: "integer",
      grid_profit: "amount",
      inventory_sells: "integer",
      inventory_pnl: "amount",
      fees: "amount",
      cash_flow: "amount",
      position: "amount",
      base_fees: "amount",
      fill_cursor: "text",
    },
    key: ["code"],
  },
  slots: {
    columns: {
      bot_code: "text",
      slot: "integer",
      buy_price: "amount",
      sell_price: "amount",
      quantity: "amount",
      wants: "text",
      inventory: "text",
      dust: "amount",
    },
    key: ["bot_code", "slot"],
  },
  orders: {
    columns: {
      client_order_id: "text",
      bot_code: "text",
      slot: "integer",
      side: "text",
      generation: "integer",
      type: "text",
      price: "amount",
      quantity: "amount",
      status: "text",
      unfinished: "integer",
      exchange_order_id: "text",
      executed: "amount",
      quote: "amount",
      fee: "amount",
      base_fee: "amount",
      valid_until: "integer",
      epoch: "integer",
      created_at: "integer",
      updated_at: "integer",
    },
    key: ["client_order_id"],
  },
  fills: {
    columns: {
      exchange: "text",
      account: "text",
      symbol: "text",
      trade_id: "text",
      side: "text",
      client_order_id: "text",
      bot_code: "text",
      price: "amount",
      quantity: "amount",
      fee: "amount",
      fee_asset: "text",
      liquidity: "text",
      exchange_order_id: "text",
      at: "integer",
      seq: "integer",
    },
    key: ["exchange", "account", "symbol", "trade_id", "side"],
  },
  delivered_fills: {
    columns: {
      exchange: "text",
      account: "text",
      symbol: "text",
      trade_id: "text",
      side: "text",
      client_order_id: "text",
      bot_code: "text",
      price: "amount",
      quantity: "amount",
      fee: "amount",
      fee_asset: "text",
      liquidity: "text",
      exchange_order_id: "text",
      at: "integer",
    },
    key: ["exchange", "account", "symbol", "trade_id", "side"],
  },
  trades: {
    columns: {
      bot_code: "text",
      slot: "integer",
      generation: "integer",
      part: "integer",
      origin: "text",
      quantity: "amount",
      buy_quote: "amount",
      buy_fee: "amount",
      sell_quote: "amount",
      sell_fee: "amount",
      profit: "amount",
      at: "integer",
    },
    key: ["bot_code", "slot", "generation", "part"],
  },
  events: {
    columns: { bot_code: "text", id: "integer", at: "integer", type: "text", detail: "text" },
    key: ["bot_code", "id"],
  },
  daily_totals: {
    columns: {
      bot_code: "text",
      day: "text",
      fill_count: "integer",
      trade_count: "integer",
      grid_profit: "amount",
      inventory_sells: "integer",
      inventory_pnl: "amount",
      fees: "amount",
      cash_flow: "amount",
      position: "amount",
      base_fees: "amount",
    },
    key: ["bot_code", "day"],
  },
  locks: {
    columns: {
      name: "text",
      fleet: "text",
      epoch: "integer",
      token: "text",
      fence: "integer",
      expires_at: "integer",
    },
    key: ["name"],
  },
  balances: {
    columns: { exchange: "text", account: "text", asset: "text", usable: "amount", version: "integer" },
    key: ["exchange", "account", "asset"],
  },
  reservations: {
    columns: { exchange: "text", account: "text", asset: "text", bot_code: "text", amount: "amount" },
    key: ["exchange", "account", "asset", "bot_code"],
  },
};

/** Every table, after those that it refers to. */
export const TABLES: readonly TableShape[] = Object.entries(SHAPES).map(([name, { columns, key }]) => ({
  name: name as TableName,
  columns: Object.entries(columns),
  key,
}));
