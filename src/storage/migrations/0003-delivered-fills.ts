/** Fills that a spool has told of wait in a table of their own until the market's owner counts them. */
import type { DialectTraits } from "../dialect.ts";
import type { SchemaChange } from "./schema-change.ts";
import { createOnce, createTable } from "./schema-change.ts";

export function deliveredFills(traits: DialectTraits): SchemaChange {
  const { amountType } = traits;
  return {
    up: async (db) => {
      await createOnce(traits, () =>
        createTable(db, traits, "delivered_fills")
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
          .addPrimaryKeyConstraint("delivered_fills_key", [
            "exchange",
            "account",
            "symbol",
            "trade_id",
            "side",
          ])
          .addForeignKeyConstraint("delivered_fills_bot", ["bot_code"], "bots", ["code"])
          .execute(),
      );
    },
    down: async (db) => {
      await db.schema.dropTable("delivered_fills").ifExists().execute();
    },
  };
}
