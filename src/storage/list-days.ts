/** Pages of days for people and scripts: each bot's own figures, told from how its totals stood on two days. */
import type { Kysely } from "kysely";
import { parseMoney, subtractMoney } from "../domain/amounts.ts";
import { formatDecimal } from "../domain/decimal.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { isBelow } from "./keyset.ts";
import { amountText } from "./column-text.ts";
import type { Schema } from "./schema.ts";
import type { DayRow, PageQuery } from "./storage.ts";

export async function listDays(db: Kysely<Schema>, query: PageQuery): Promise<readonly DayRow[]> {
  const { code, before, limit } = query;
  const rows = await db
    .selectFrom("daily_totals as own")
    .innerJoin("bots", "bots.code", "own.bot_code")
    .leftJoin("daily_totals as last", (join) =>
      join.onRef("last.bot_code", "=", "own.bot_code").on("last.day", "=", (eb) =>
        eb
          .selectFrom("daily_totals as earlier")
          .select(({ fn }) => fn.max("earlier.day").as("day"))
          .whereRef("earlier.bot_code", "=", "own.bot_code")
          .whereRef("earlier.day", "<", "own.day"),
      ),
    )
    .selectAll("own")
    .select([
      "bots.symbol",
      "last.fill_count as last_fill_count",
      "last.trade_count as last_trade_count",
      "last.grid_profit as last_grid_profit",
      "last.inventory_sells as last_inventory_sells",
      "last.inventory_pnl as last_inventory_pnl",
      "last.fees as last_fees",
      "last.cash_flow as last_cash_flow",
    ])
    .$if(code !== undefined, (page) => page.where("own.bot_code", "=", code ?? ""))
    .$if(before !== undefined, (page) =>
      page.where((eb) => isBelow(eb, ["own.day", "own.bot_code"], decodeCursor(before ?? "", ["", ""]))),
    )
    .orderBy("own.day", "desc")
    .orderBy("own.bot_code", "desc")
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    cursor: encodeCursor([row.day, row.bot_code]),
    day: row.day === "" ? undefined : row.day,
    bot: row.bot_code,
    symbol: row.symbol,
    fills: row.fill_count - (row.last_fill_count ?? 0),
    trades: row.trade_count - (row.last_trade_count ?? 0),
    gridProfit: difference(row.grid_profit, row.last_grid_profit),
    inventorySells: row.inventory_sells - (row.last_inventory_sells ?? 0),
    inventoryPnl: difference(row.inventory_pnl, row.last_inventory_pnl),
    fees: difference(row.fees, row.last_fees),
    cashFlow: difference(row.cash_flow, row.last_cash_flow),
    position: amountText(row.position),
  }));
}

function difference(amount: string, earlier: string | null): string {
  return formatDecimal(subtractMoney(parseMoney(amount), parseMoney(earlier ?? "0")));
}
