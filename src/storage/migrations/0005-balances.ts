/** The fifth schema: what an account has to spend of each asset, and how much of it each bot's open buys tie up. */
import type { DialectTraits } from "../dialect.ts";
import type { SchemaChange } from "./schema-change.ts";
import { createOnce, createTable } from "./schema-change.ts";

export function balances(traits: DialectTraits): SchemaChange {
  const { amountType } = traits;
  return {
    up: async (db) => {
      await createOnce(traits, () =>
        createTable(db, traits, "balances")
          .addColumn("exchange", "varchar(64)", (column) => column.notNull())
          .addColumn("account", "varchar(64)", (column) => column.notNull())
          .addColumn("asset", "varchar(32)", (column) => column.notNull())
          .addColumn("usable", amountType, (column) => column.notNull())
          .addColumn("version", "bigint", (column) => column.notNull())
          .addPrimaryKeyConstraint("balances_key", ["exchange", "account", "asset"])
          .execute(),
      );
      await createOnce(traits, () =>
        createTable(db, traits, "reservations")
          .addColumn("exchange", "varchar(64)", (column) => column.notNull())
          .addColumn("account", "varchar(64)", (column) => column.notNull())
          .addColumn("asset", "varchar(32)", (column) => column.notNull())
          .addColumn("bot_code", "varchar(10)", (column) => column.notNull())
          .addColumn("amount", amountType, (column) => column.notNull())
          .addPrimaryKeyConstraint("reservations_key", ["exchange", "account", "asset", "bot_code"])
          .execute(),
      );
    },
    down: async (db) => {
      await db.schema.dropTable("reservations").ifExists().execute();
      await db.schema.dropTable("balances").ifExists().execute();
    },
  };
}
