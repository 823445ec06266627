/** The first schema: claims, bots with their slots, orders, fills, trades and events. */
import type { DialectTraits } from "../dialect.ts";
import type { SchemaChange } from "./schema-change.ts";
import { createOnce, createTable } from "./schema-change.ts";

/** Names are text of a bounded length, because some databases cannot index unbounded text. */
export function initial(traits: DialectTraits): SchemaChange {
  const { amountType } = traits;
  return {
    up: async (db) => {
      await createOnce(traits, () =>
        createTable(db, traits, "meta")
          .addColumn("name", "varchar(32)", (column) => column.primaryKey())
          .addColumn("value", "text", (column) => column.notNull())
          .execute(),
      );
      await createOnce(traits, () =>
        createTable(db, traits, "claims")
          .addColumn("exchange", "varchar(64)", (column) => column.notNull())
          .addColumn("account", "varchar(64)", (column) => column.notNull())
          .addColumn("symbol", "varchar(64)", (column) => column.notNull())
          .addColumn("epoch", "bigint", (column) => column.notNull())
          .addColumn("token", "varchar(36)", (column) => column.notNull())
          .addColumn("holder", "varchar(255)", (column) => column.notNull())
          .addColumn("expires_at", "bigint")
          .addPrimaryKeyConstraint("claims_key", ["exchange", "account", "symbol"])
          .execute(),
      );
      await createOnce(traits, () =>
        createTable(db, traits, "bots")
          .addColumn("code", "varchar(10)", (column) => column.primaryKey())
          .addColumn("exchange", "varchar(64)", (column) => column.notNull())
          .addColumn("account", "varchar(64)", (column) => column.notNull())
          .addColumn("symbol", "varchar(64)", (column) => column.notNull())
          .addColumn("tick_size", amountType, (column) => column.notNull())
          .addColumn("lot_size", amountType, (column) => column.notNull())
          .addColumn("min_quantity", amountType, (column) => column.notNull())
          .addColumn("min_notional", amountType, (column) => column.notNull())
          .addColumn("maker_fee", amountType, (column) => column.notNull())
          .addColumn("taker_fee", amountType, (column) => column.notNull())
          .addColumn("settings", "text", (column) => column.notNull())
          .addColumn("lattice", "text", (column) => column.notNull())
          .addColumn("initial", "varchar(8)", (column) => column.notNull())
          .addColumn("initial_done", "integer", (column) => column.notNull())
          .addColumn("start_price", amountType, (column) => column.notNull())
          .addColumn("created_at", "bigint", (column) => column.notNull())
          .addColumn("mode", "varchar(16)", (column) => column.notNull())
          .addColumn("mode_reason", "text", (column) => column.notNull())
          .addColumn("fill_count", "bigint", (column) => column.notNull())
          .addColumn("trade_count", "bigint", (column) => column.notNull())
          .addColumn("grid_profit", amountType, (column) => column.notNull())
          .addColumn("inventory_sells", "bigint", (column) => column.notNull())
          .addColumn("inventory_pnl", amountType, (column) => column.notNull())
          .addColumn("fees", amountType, (column) => column.notNull())
          .addColumn("cash_flow", amountType, (column) => column.notNull())
          .addColumn("position", amountType, (column) => column.notNull())
          .addColumn("base_fees", amountType, (column) => column.notNull())
          .addColumn("fill_cursor", "text")
          .addUniqueConstraint("bots_market", ["exchange", "account", "symbol"])
          .execute(),
      );
      await createOnce(traits, () =>
        createTable(db, traits, "slots")
          .addColumn("bot_code", "varchar(10)", (column) => column.notNull())
          .addColumn("slot", "bigint", (column) => column.notNull())
          .addColumn("buy_price", amountType, (column) => column.notNull())
          .addColumn("sell_price", amountType, (column) => column.notNull())
          .addColumn("quantity", amountType, (column) => column.notNull())
          .addColumn("wants", "varchar(4)", (column) => column.notNull())
          .addColumn("inventory", "text", (column) => column.notNull())
          .addColumn("dust", amountType, (column) => column.notNull())
          .addPrimaryKeyConstraint("slots_key", ["bot_code", "slot"])
          .addForeignKeyConstraint("slots_bot", ["bot_code"], "bots", ["code"])
          .execute(),
      );
      await createOnce(traits, () =>
        createTable(db, traits, "orders")
          .addColumn("client_order_id", "varchar(36)", (column) => column.primaryKey())
          .addColumn("bot_code", "varchar(10)", (column) => column.notNull())
          .addColumn("slot", "bigint", (column) => column.notNull())
          .addColumn("side", "varchar(4)", (column) => column.notNull())
          .addColumn("generation", "bigint", (column) => column.notNull())
          .addColumn("type", "varchar(16)", (column) => column.notNull())
          .addColumn("price", amountType, (column) => column.notNull())
          .addColumn("quantity", amountType, (column) => column.notNull())
          .addColumn("status", "varchar(16)", (column) => column.notNull())
          .addColumn("unfinished", "integer")
          .addColumn("exchange_order_id", "varchar(64)")
          .addColumn("executed", amountType, (column) => column.notNull())
          .addColumn("quote", amountType, (column) => column.notNull())
          .addColumn("fee", amountType, (column) => column.notNull())
          .addColumn("base_fee", amountType, (column) => column.notNull())
          .addColumn("valid_until", "bigint", (column) => column.notNull())
          .addColumn("epoch", "bigint", (column) => column.notNull())
          .addColumn("created_at", "bigint", (column) => column.notNull())
          .addColumn("updated_at", "bigint", (column) => column.notNull())
          .addUniqueConstraint("orders_generation", ["bot_code", "slot", "side", "generation"])
          .addUniqueConstraint("orders_unfinished", ["unfinished", "bot_code", "slot", "side"])
          .addForeignKeyConstraint("orders_bot", ["bot_code"], "bots", ["code"])
          .execute(),
      );
      await createOnce(traits, () =>
        createTable(db, traits, "fills")
          .addColumn("exchange", "varchar(64)", (column) => column.notNull())
          .addColumn("account", "varchar(64)", (column) => column.notNull())
          .addColumn("symbol", "varchar(64)", (column) => column.notNull())
          .addColumn("trade_id", "varchar(64)", (column) => column.notNull())
          .addColumn("side", "varchar(4)", (column) => column.notNull())
          .addColumn("client_order_id", "varchar(36)", (column) => column.notNull())
          .addColumn("bot_code", "varchar(10)", (column) => column.notNull())
          .addColumn("price", amountType, (column) => column.notNull())
          .addColumn("quantity", amountType, (column) => column.notNull())
          .addColumn("fee", amountType, (column) => column.notNull())
          .addColumn("fee_asset", "varchar(32)", (column) => column.notNull())
          .addColumn("liquidity", "varchar(8)", (column) => column.notNull())
          .addColumn("exchange_order_id", "varchar(64)", (column) => column.notNull())
          .addColumn("at", "bigint", (column) => column.notNull())
          .addColumn("seq", "bigint", (column) => column.notNull())
          .addPrimaryKeyConstraint("fills_key", ["exchange", "account", "symbol", "trade_id", "side"])
          .addForeignKeyConstraint("fills_order", ["client_order_id"], "orders", ["client_order_id"])
          .addForeignKeyConstraint("fills_bot", ["bot_code"], "bots", ["code"])
          .execute(),
      );
      await createOnce(traits, () =>
        createTable(db, traits, "trades")
          .addColumn("bot_code", "varchar(10)", (column) => column.notNull())
          .addColumn("slot", "bigint", (column) => column.notNull())
          .addColumn("generation", "bigint", (column) => column.notNull())
          .addColumn("part", "integer", (column) => column.notNull())
          .addColumn("origin", "varchar(8)", (column) => column.notNull())
          .addColumn("quantity", amountType, (column) => column.notNull())
          .addColumn("buy_quote", amountType, (column) => column.notNull())
          .addColumn("buy_fee", amountType, (column) => column.notNull())
          .addColumn("sell_quote", amountType, (column) => column.notNull())
          .addColumn("sell_fee", amountType, (column) => column.notNull())
          .addColumn("profit", amountType, (column) => column.notNull())
          .addColumn("at", "bigint", (column) => column.notNull())
          .addPrimaryKeyConstraint("trades_key", ["bot_code", "slot", "generation", "part"])
          .addForeignKeyConstraint("trades_bot", ["bot_code"], "bots", ["code"])
          .execute(),
      );
      await createOnce(traits, () =>
        createTable(db, traits, "events")
          .addColumn("bot_code", "varchar(10)", (column) => column.notNull())
          .addColumn("id", "bigint", (column) => column.notNull())
          .addColumn("at", "bigint", (column) => column.notNull())
          .addColumn("type", "varchar(64)", (column) => column.notNull())
          .addColumn("detail", "text", (column) => column.notNull())
          .addPrimaryKeyConstraint("events_key", ["bot_code", "id"])
          .addForeignKeyConstraint("events_bot", ["bot_code"], "bots", ["code"])
          .execute(),
      );
      for (const [name, table, columns] of INDEXES) {
        await createOnce(traits, () =>
          db.schema
            .createIndex(name)
            .on(table)
            .columns([...columns])
            .execute(),
        );
      }
    },
    down: async (db) => {
      for (const table of TABLES_LAST_FIRST) await db.schema.dropTable(table).ifExists().execute();
    },
  };
}

const TABLES_LAST_FIRST = ["events", "trades", "fills", "orders", "slots", "bots", "claims", "meta"];

/** `…_newest` serve the lists over all bots, `…_newest_of_bot` those of one. */
const INDEXES: readonly (readonly [name: string, table: string, columns: readonly string[]])[] = [
  ["orders_exchange_id", "orders", ["bot_code", "exchange_order_id"]],
  ["orders_newest", "orders", ["created_at", "client_order_id"]],
  ["orders_newest_of_bot", "orders", ["bot_code", "created_at", "client_order_id"]],
  ["fills_order", "fills", ["client_order_id"]],
  ["fills_storing_order", "fills", ["bot_code", "seq"]],
  ["fills_newest", "fills", ["at", "bot_code", "seq"]],
  ["fills_newest_of_bot", "fills", ["bot_code", "at", "seq"]],
  ["trades_newest", "trades", ["at", "bot_code", "slot", "generation", "part"]],
  ["trades_newest_of_bot", "trades", ["bot_code", "at", "slot", "generation", "part"]],
];
