/** Stores the intent of an order in one statement: the permission to send it. */
import type { Claim } from "../domain/claim.ts";
import type { Bot } from "../domain/grid.ts";
import { assertCurrent } from "./claims.ts";
import type { Database } from "./database.ts";
import { newOrderRow } from "./mapping.ts";
import type { Statements } from "./statements.ts";
import type { Intent, IntentOutcome } from "./storage.ts";

/**
 * Inserts the order if the claim is still held. The keys over (bot, slot, side, unfinished) and over the
 * generation refuse it where another one works there or where its id is used.
 */
export function insertIntent(
  database: Database,
  statements: Statements,
  claim: Claim,
  bot: Bot,
  { terms, validUntil }: Intent,
): Promise<IntentOutcome> {
  const { exchange, account, symbol } = bot.market;
  const { epoch, token } = claim;
  const origin = { status: "pending", exchangeOrderId: null, validUntil, epoch } as const;
  // Assigned, not spread: that is ten times faster here, and every order passes.
  const values = Object.assign(newOrderRow(bot, terms, origin), { exchange, account, symbol, token });
  return database.write(async (db) => {
    assertCurrent(database, claim);
    try {
      const inserted = await statements.insertIntent.run(db, values);
      return inserted.numAffectedRows === 1n ? "stored" : "stale";
    } catch (error) {
      // Without the claim there was no row to insert, so a conflict tells of another order.
      if (database.isKeyConflict(error)) return "taken";
      throw error;
    }
  });
}
