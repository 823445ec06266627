/** Fills that were kept in a spool while the database was away: facts that wait here for the market's owner. */
import type { Kysely, Transaction } from "kysely";
import type { Execution, Fill } from "../domain/fill.ts";
import type { Bot } from "../domain/grid.ts";
import { chunks } from "./apply-records.ts";
import type { DialectTraits } from "./dialect.ts";
import { deliveredFillRow, fillOf } from "./order-rows.ts";
import type { Schema } from "./schema.ts";

/** Adds those of `fills` that are neither counted nor delivered yet, whoever owns the market or delivers, too. */
export async function deliverFills(
  trx: Transaction<Schema>,
  { saysOnConflict }: DialectTraits,
  bot: Bot,
  fills: readonly Fill[],
): Promise<void> {
  for (const some of chunks(await uncountedFills(trx, bot, fills))) {
    const insert = trx.insertInto("delivered_fills").values(some.map((fill) => deliveredFillRow(bot, fill)));
    await (saysOnConflict
      ? insert.onConflict((conflict) => conflict.doNothing())
      : insert.ignore()
    ).execute();
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
  const waiting = new Set(await uncountedFills(trx, bot, fills));
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

/** Those of `executions` that are not counted. */
export async function uncountedFills<Known extends Execution>(
  db: Kysely<Schema>,
  bot: Bot,
  executions: readonly Known[],
): Promise<readonly Known[]> {
  const { exchange, account, symbol } = bot.market;
  const known = new Set<string>();
  for (const part of chunks(executions)) {
    const rows = await db
      .selectFrom("fills")
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
