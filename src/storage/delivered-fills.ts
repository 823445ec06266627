/** Fills that were kept in a spool while the database was away: facts that wait here for the market's owner. */
import type { Kysely, Transaction } from "kysely";
import type { Execution, Fill } from "../domain/fill.ts";
import type { Bot } from "../domain/grid.ts";
import { chunks } from "./apply-records.ts";
import { deliveredFillRow, fillOf } from "./mapping.ts";
import type { Schema } from "./schema.ts";

/** Adds those of `fills` that are neither counted nor delivered yet, whoever owns the market. */
export async function deliverFills(
  trx: Transaction<Schema>,
  bot: Bot,
  fills: readonly Fill[],
): Promise<void> {
  const uncounted = await withoutRows(trx, "fills", bot, fills);
  const fresh = await withoutRows(trx, "delivered_fills", bot, uncounted);
  for (const some of chunks(fresh)) {
    await trx
      .insertInto("delivered_fills")
      .values(some.map((fill) => deliveredFillRow(bot, fill)))
      .execute();
  }
}

/** The delivered fills that still wait to be counted, oldest first; forgets those that are. */
export async function deliveredFills(trx: Transaction<Schema>, bot: Bot): Promise<readonly Fill[]> {
  const rows = await trx
    .selectFrom("delivered_fills")
    .selectAll()
    .where("bot_code", "=", bot.code)
    .orderBy("at")
    .execute();
  const fills = rows.map((row) => fillOf(bot.instrument, row));
  const waiting = new Set(await withoutRows(trx, "fills", bot, fills));
  for (const { tradeId, side } of fills.filter((fill) => !waiting.has(fill))) {
    const { exchange, account, symbol } = bot.market;
    await trx
      .deleteFrom("delivered_fills")
      .where("exchange", "=", exchange)
      .where("account", "=", account)
      .where("symbol", "=", symbol)
      .where("trade_id", "=", tradeId)
      .where("side", "=", side)
      .execute();
  }
  return fills.filter((fill) => waiting.has(fill));
}

/** Those of `executions` that have no row in `table`. */
export async function withoutRows<Known extends Execution>(
  db: Kysely<Schema>,
  table: "fills" | "delivered_fills",
  bot: Bot,
  executions: readonly Known[],
): Promise<readonly Known[]> {
  const { exchange, account, symbol } = bot.market;
  const known = new Set<string>();
  for (const part of chunks(executions)) {
    const rows = await db
      .selectFrom(table)
      .select(["trade_id", "side"])
      .where("exchange", "=", exchange)
      .where("account", "=", account)
      .where("symbol", "=", symbol)
      .where(
        "trade_id",
        "in",
        part.map(({ tradeId }) => tradeId),
      )
      .execute();
    for (const { trade_id, side } of rows) known.add(`${trade_id} ${side}`);
  }
  return executions.filter(({ tradeId, side }) => !known.has(`${tradeId} ${side}`));
}
