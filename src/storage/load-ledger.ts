/** Reads back all that is stored of a bot beyond its row. */
import type { Transaction } from "kysely";
import { instant, slotNumber, generation } from "../domain/ids.ts";
import type { Instant, SlotNumber } from "../domain/ids.ts";
import type { Bot, SlotHolding } from "../domain/grid.ts";
import type { BotLedger, LastOrder, StoredOrder } from "../domain/ledger.ts";
import { isTerminal } from "../domain/order.ts";
import { groupBy } from "./group-by.ts";
import { holdingOf, totalsOf } from "./bot-rows.ts";
import { workingOrderOf } from "./order-rows.ts";
import type { Schema } from "./schema.ts";

/** Reads in the caller's snapshot, so that orders, fills and totals are of one moment. */
export async function loadLedger(trx: Transaction<Schema>, bot: Bot): Promise<BotLedger> {
  const row = await trx.selectFrom("bots").selectAll().where("code", "=", bot.code).executeTakeFirstOrThrow();
  return {
    mode: row.mode,
    modeReason: row.mode_reason,
    initialDone: row.initial_done === 1,
    holdings: await loadHoldings(trx, bot),
    working: await loadWorking(trx, bot),
    lastOrders: await loadLastOrders(trx, bot),
    totals: totalsOf(bot.instrument, row),
    fillCursor: row.fill_cursor ?? undefined,
    lastIntentAt: await loadLastIntentAt(trx, bot),
  };
}

async function loadLastIntentAt(trx: Transaction<Schema>, bot: Bot): Promise<Instant | undefined> {
  const row = await trx
    .selectFrom("orders")
    .select("created_at")
    .where("bot_code", "=", bot.code)
    .orderBy("created_at", "desc")
    .limit(1)
    .executeTakeFirst();
  return row && instant(row.created_at);
}

async function loadHoldings(
  trx: Transaction<Schema>,
  bot: Bot,
): Promise<ReadonlyMap<SlotNumber, SlotHolding>> {
  const rows = await trx
    .selectFrom("slots")
    .select(["slot", "wants", "inventory", "dust"])
    .where("bot_code", "=", bot.code)
    .orderBy("slot")
    .execute();
  return new Map(rows.map((row) => [slotNumber(row.slot), holdingOf(bot.instrument, row)]));
}

async function loadWorking(trx: Transaction<Schema>, bot: Bot): Promise<readonly StoredOrder[]> {
  const orders = await trx
    .selectFrom("orders")
    .selectAll()
    .where("bot_code", "=", bot.code)
    .where("unfinished", "=", 1)
    .orderBy("slot")
    .orderBy("side")
    .execute();
  const fills = await trx
    .selectFrom("orders")
    .innerJoin("fills", "fills.client_order_id", "orders.client_order_id")
    .select(["fills.client_order_id", "fills.trade_id"])
    .where("orders.bot_code", "=", bot.code)
    .where("orders.unfinished", "=", 1)
    .orderBy("fills.seq")
    .execute();
  const tradeIds = groupBy(fills, (fill) => fill.client_order_id);
  return orders.map((row) => {
    const ofOrder = (tradeIds.get(row.client_order_id) ?? []).map((fill) => fill.trade_id);
    return {
      order: workingOrderOf(bot.instrument, row, ofOrder),
      validUntil: instant(row.valid_until),
    };
  });
}

async function loadLastOrders(trx: Transaction<Schema>, bot: Bot): Promise<readonly LastOrder[]> {
  const rows = await trx
    .selectFrom((eb) =>
      eb
        .selectFrom("orders")
        .select((newest) => ["slot", "side", newest.fn.max("generation").as("generation")])
        .where("bot_code", "=", bot.code)
        .groupBy(["slot", "side"])
        .as("newest"),
    )
    .innerJoin("orders", (join) =>
      join
        .onRef("orders.slot", "=", "newest.slot")
        .onRef("orders.side", "=", "newest.side")
        .onRef("orders.generation", "=", "newest.generation")
        .on("orders.bot_code", "=", bot.code),
    )
    .select(["orders.slot", "orders.side", "orders.generation", "orders.status"])
    .orderBy("orders.slot")
    .orderBy("orders.side")
    .execute();
  return rows.map(({ slot, side, generation: number, status }) => ({
    slot: slotNumber(slot),
    side,
    generation: generation(number),
    status: isTerminal(status) ? status : "working",
  }));
}
