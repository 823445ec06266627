/** The second schema: a bot's totals as they stood at the end of each day, from which each day's own are told. */
import { sql } from "kysely";
import type { DialectTraits } from "../dialect.ts";
import type { SchemaChange } from "./schema-change.ts";
import { createOnce, createTable } from "./schema-change.ts";

const COUNTS = ["fill_count", "trade_count", "inventory_sells"] as const;
const AMOUNTS = ["grid_profit", "inventory_pnl", "fees", "cash_flow", "position", "base_fees"] as const;

export function dailyTotals(traits: DialectTraits): SchemaChange {
  return {
    up: async (db) => {
      await createOnce(traits, () => {
        let table = createTable(db, traits, "daily_totals")
          .addColumn("bot_code", "varchar(10)", (column) => column.notNull())
          .addColumn("day", "varchar(10)", (column) => column.notNull());
        for (const name of COUNTS) table = table.addColumn(name, "bigint", (column) => column.notNull());
        for (const name of AMOUNTS)
          table = table.addColumn(name, traits.amountType, (column) => column.notNull());
        return table
          .addPrimaryKeyConstraint("daily_totals_key", ["bot_code", "day"])
          .addForeignKeyConstraint("daily_totals_bot", ["bot_code"], "bots", ["code"])
          .execute();
      });
      await createOnce(traits, () =>
        db.schema
          .createIndex("daily_totals_newest")
          .on("daily_totals")
          .columns(["day", "bot_code"])
          .execute(),
      );
      // What a bot did before its days were kept stands under a day of no name, before all others.
      const columns = sql.raw([...COUNTS, ...AMOUNTS].join(", "));
      await sql`delete from daily_totals`.execute(db);
      await sql`insert into daily_totals (bot_code, day, ${columns}) select code, '', ${columns} from bots where fill_count > 0`.execute(
        db,
      );
    },
    down: async (db) => {
      await db.schema.dropTable("daily_totals").ifExists().execute();
    },
  };
}
