/** Stores the intent of an order in one statement: the permission to send it. */
import type { Claim } from "../domain/claim.ts";
import type { Bot } from "../domain/grid.ts";
import { claimRow } from "./claims.ts";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import { newOrderRow } from "./mapping.ts";
import type { OrdersTable } from "./schema.ts";
import type { Intent, IntentOutcome } from "./storage.ts";

/**
 * Inserts the order if the claim is still held. The keys over (bot, slot, side, unfinished) and over the
 * generation refuse it where another one works there or where its id is used.
 */
export function insertIntent(
  database: Database,
  claim: Claim,
  bot: Bot,
  { terms, validUntil }: Intent,
): Promise<IntentOutcome> {
  const row = newOrderRow(bot, terms, {
    status: "pending",
    exchangeOrderId: null,
    validUntil,
    epoch: claim.epoch,
  });
  const { traits } = database;
  return database.write(async (db) => {
    try {
      const inserted = await db
        .insertInto("orders")
        .columns(COLUMNS)
        .expression((eb) =>
          claimRow(db, claim, bot.market)
            .select(COLUMNS.map((column) => eb.val(row[column]).as(column)))
            .$if(traits.locksRows && traits.saysForShare, (query) => query.forShare())
            .$if(traits.locksRows && !traits.saysForShare, (query) =>
              query.modifyEnd(sql`lock in share mode`),
            ),
        )
        .executeTakeFirst();
      return inserted.numInsertedOrUpdatedRows === 1n ? "stored" : "stale";
    } catch (error) {
      // Without the claim there was no row to insert, so a conflict tells of another order.
      if (database.isKeyConflict(error)) return "taken";
      throw error;
    }
  });
}

const COLUMNS = [
  "client_order_id",
  "bot_code",
  "slot",
  "side",
  "generation",
  "type",
  "price",
  "quantity",
  "status",
  "unfinished",
  "exchange_order_id",
  "executed",
  "quote",
  "fee",
  "base_fee",
  "valid_until",
  "epoch",
  "created_at",
  "updated_at",
] as const satisfies readonly (keyof OrdersTable)[];
