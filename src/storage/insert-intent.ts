/** Stores the intent of an order, in one statement where that is possible: the permission to send it. */
import { sql } from "kysely";
import { invariant } from "../domain/assert.ts";
import type { Claim } from "../domain/claim.ts";
import type { Bot } from "../domain/grid.ts";
import type { Money } from "../domain/amounts.ts";
import { addMoney, formatMoney } from "../domain/amounts.ts";
import type { BalanceStatements } from "./balances.ts";
import { freeUnderLock } from "./balances.ts";
import { assertCurrent, fenced } from "./claims.ts";
import type { Database } from "./database.ts";
import { newOrderRow } from "./order-rows.ts";
import type { ReservingBlock } from "./reserving-block.ts";
import { blockValues } from "./reserving-block.ts";
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
  intent: Intent,
): Promise<IntentOutcome> {
  const values = valuesOf(claim, bot, intent);
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

/** So too, if the account has `reserve` left of the bot's quote; the bot's reservation grows by it. */
export async function insertReservingIntent(
  database: Database,
  statements: Statements,
  balances: BalanceStatements,
  claim: Claim,
  bot: Bot,
  intent: Intent,
  reserve: Money,
): Promise<IntentOutcome> {
  const values = valuesOf(claim, bot, intent);
  const { reservingBlock } = balances;
  if (reservingBlock) return runBlock(database, reservingBlock, claim, blockValues(values, bot, reserve));
  const { exchange, account } = bot.market;
  const key = { exchange, account, asset: bot.instrument.quote };
  try {
    return await fenced(database, statements, claim, bot.market, async (trx): Promise<IntentOutcome> => {
      const left = await freeUnderLock(balances, trx, key, bot.code);
      if (!left || left.free < reserve) return "short";
      try {
        await statements.insertIntent.run(trx, values);
      } catch (error) {
        throw database.isKeyConflict(error) ? new Taken() : error;
      }
      const amount = formatMoney(addMoney(left.own, reserve));
      await balances.setReservation.run(trx, { ...key, bot_code: bot.code, amount });
      return "stored";
    });
  } catch (error) {
    if (error instanceof Taken) return "taken";
    throw error;
  }
}

async function runBlock(
  database: Database,
  block: ReservingBlock,
  claim: Claim,
  values: ReturnType<typeof blockValues>,
): Promise<IntentOutcome> {
  return database.write(async (db) => {
    assertCurrent(database, claim);
    try {
      const { rows } = await block.run(db, values);
      invariant(rows[0] !== undefined, "a block has an outcome");
      return rows[0].outcome;
    } catch (error) {
      // A transaction that is left open would be the next one's; a connection that cannot end it has lost it.
      await sql`rollback`.execute(db).catch(() => undefined);
      if (database.isKeyConflict(error)) return "taken";
      throw error;
    }
  });
}

/** Thrown to roll back: another order works there, or the id is used. */
class Taken extends Error {}

function valuesOf(claim: Claim, bot: Bot, { terms, validUntil }: Intent) {
  const { exchange, account, symbol } = bot.market;
  const { epoch, token } = claim;
  const origin = { status: "pending", exchangeOrderId: null, validUntil, epoch } as const;
  // Assigned, not spread: that is ten times faster here, and every order passes.
  return Object.assign(newOrderRow(bot, terms, origin), { exchange, account, symbol, token });
}
