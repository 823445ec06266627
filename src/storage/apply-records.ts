/** Writes the records of one step into the tables, inside the caller's transaction. */
import type { Kysely, Transaction } from "kysely";
import { assertNever, invariant } from "../domain/assert.ts";
import { addLots, addMoney } from "../domain/amounts.ts";
import type { Claim } from "../domain/claim.ts";
import type { Fill } from "../domain/fill.ts";
import type { Bot } from "../domain/grid.ts";
import { instant } from "../domain/ids.ts";
import { formatQuantity } from "../domain/instrument.ts";
import type { Progress } from "../domain/order.ts";
import { isTerminal } from "../domain/order.ts";
import type {
  AdoptedOrderRecord,
  LateProgressRecord,
  EventRecord,
  OrderRecord,
  SlotRecord,
  StoreRecord,
} from "../domain/records.ts";
import type { Database } from "./database.ts";
import { holdingColumns, newSlotRow, totalsColumns } from "./bot-rows.ts";
import { dayOf, wholeMs } from "./column-text.ts";
import { fillRow, newOrderRow, progressColumns, progressOf, termsOf, tradeRow } from "./order-rows.ts";
import type { BotsTable, Schema, TotalsColumns, TradesTable } from "./schema.ts";
import type { Statements } from "./statements.ts";

/** Thrown to roll back a step of which a fill is stored already. */
export class DuplicateFill extends Error {}

/** Rows of one insert: databases bound the number of parameters of a statement. */
const ROWS_AT_ONCE = 500;

/** A transaction under way on a database with its statements. */
export interface Writing {
  readonly database: Database;
  readonly statements: Statements;
  readonly trx: Transaction<Schema>;
}

/** Writes all records. Throws DuplicateFill where a fill is stored already, INVARIANT where an order is unknown. */
export async function applyRecords(
  { database, statements, trx }: Writing,
  claim: Claim,
  bot: Bot,
  records: readonly StoreRecord[],
): Promise<void> {
  const fills: Fill[] = [];
  const trades: TradesTable[] = [];
  const events: EventRecord[] = [];
  let totals: TotalsColumns | undefined;
  let botColumns: Partial<BotsTable> = {};
  for (const record of records) {
    switch (record.kind) {
      case "order":
        await updateOrder(statements, trx, bot, record);
        break;
      case "lateProgress":
        await addLateProgress(trx, claim, bot, record);
        break;
      case "adoptedOrder":
        await adoptOrder(trx, claim, bot, record);
        break;
      case "slotOpened":
        await trx.insertInto("slots").values(newSlotRow(bot, record.terms)).execute();
        break;
      case "slot":
        await updateSlot(statements, trx, bot, record);
        break;
      case "fill":
        fills.push(record.fill);
        break;
      case "trade":
        trades.push(tradeRow(bot, record.trade));
        break;
      case "event":
        events.push(record);
        break;
      case "totals":
        totals = totalsColumns(bot.instrument, record.totals);
        break;
      case "mode":
        botColumns = { ...botColumns, mode: record.mode, mode_reason: record.reason };
        break;
      case "initialDone":
        botColumns = { ...botColumns, initial_done: 1 };
        break;
      default:
        assertNever(record);
    }
  }
  await insertFills(database, statements, trx, bot, fills);
  await statements.insertTrades.run(trx, trades);
  await insertEvents(statements, trx, bot, events);
  if (Object.keys(botColumns).length > 0) await updateBot(trx, bot, botColumns);
  if (totals) await updateTotals(statements, trx, bot, totals, fills);
}

/** Changes columns of the bot's row. */
export async function updateBot(db: Kysely<Schema>, bot: Bot, columns: Partial<BotsTable>): Promise<void> {
  const updated = await db.updateTable("bots").set(columns).where("code", "=", bot.code).executeTakeFirst();
  invariant(updated.numUpdatedRows === 1n, `bot ${bot.code} is not stored`);
}

export function chunks<Row>(rows: readonly Row[]): readonly (readonly Row[])[] {
  const parts: Row[][] = [];
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE)
    parts.push(rows.slice(from, from + ROWS_AT_ONCE));
  return parts;
}

async function updateOrder(
  { updateOrder }: Statements,
  trx: Transaction<Schema>,
  bot: Bot,
  record: OrderRecord,
): Promise<void> {
  const { numAffectedRows } = await updateOrder.run(trx, {
    status: record.status,
    unfinished: isTerminal(record.status) ? null : 1,
    ...progressColumns(bot.instrument, record.progress),
    updated_at: wholeMs(record.at),
    // An id once learned stays: late fills name nothing else.
    exchange_order_id: record.exchangeOrderId ?? null,
    client_order_id: record.id,
    bot_code: bot.code,
  });
  invariant(numAffectedRows === 1n, `order ${record.id} of bot ${bot.code} is not stored`);
}

/** Of an order that is not stored its fills tell all that is known: it had at least the quantity that it executed. */
async function addLateProgress(
  trx: Transaction<Schema>,
  claim: Claim,
  bot: Bot,
  { order, exchangeOrderId, price, at, progress }: LateProgressRecord,
): Promise<void> {
  const { instrument } = bot;
  const { id } = order;
  const stored = await trx
    .selectFrom("orders")
    .selectAll()
    .where("client_order_id", "=", id)
    .executeTakeFirst();
  if (!stored) {
    const { id, slot, side, generation } = order;
    const terms = { id, slot, side, generation, type: "limit", price, quantity: progress.executed } as const;
    const origin = { status: "canceled", exchangeOrderId, validUntil: at, epoch: claim.epoch } as const;
    // Orders that others have forgotten are looked for from the newest on: this one's age is not known.
    const row = newOrderRow(bot, { ...terms, createdAt: bot.createdAt }, origin);
    await trx
      .insertInto("orders")
      .values({ ...row, ...progressColumns(instrument, progress), updated_at: wholeMs(at) })
      .execute();
    return;
  }
  const sum = addProgress(progressOf(instrument, stored, []), progress);
  const { quantity } = termsOf(instrument, stored);
  await trx
    .updateTable("orders")
    .set(progressColumns(instrument, sum))
    .$if(sum.executed > quantity, (update) =>
      update.set({ quantity: formatQuantity(instrument, sum.executed) }),
    )
    .where("client_order_id", "=", id)
    .execute();
}

function addProgress(a: Progress, b: Progress): Progress {
  return {
    executed: addLots(a.executed, b.executed),
    quote: addMoney(a.quote, b.quote),
    fee: addMoney(a.fee, b.fee),
    baseFee: addMoney(a.baseFee, b.baseFee),
    tradeIds: [],
  };
}

async function adoptOrder(
  trx: Transaction<Schema>,
  claim: Claim,
  bot: Bot,
  { terms, status, exchangeOrderId }: AdoptedOrderRecord,
): Promise<void> {
  const origin = {
    status,
    exchangeOrderId,
    // Nobody waits for the request of an order that rests.
    validUntil: terms.createdAt,
    epoch: claim.epoch,
  } as const;
  await trx
    .insertInto("orders")
    .values(newOrderRow(bot, terms, origin))
    .execute();
}

async function updateSlot(
  { updateSlot }: Statements,
  trx: Transaction<Schema>,
  bot: Bot,
  { slot, holding }: SlotRecord,
): Promise<void> {
  const columns = holdingColumns(bot.instrument, holding);
  const { numAffectedRows } = await updateSlot.run(trx, { ...columns, bot_code: bot.code, slot });
  invariant(numAffectedRows === 1n, `slot ${slot} of bot ${bot.code} is not stored`);
}

/** Totals change with the fills that they come from, so the newest of those names the day. */
async function updateTotals(
  { updateTotals, saveDay }: Statements,
  trx: Transaction<Schema>,
  bot: Bot,
  totals: TotalsColumns,
  fills: readonly Fill[],
): Promise<void> {
  const { numAffectedRows } = await updateTotals.run(trx, Object.assign(totals, { code: bot.code }));
  invariant(numAffectedRows === 1n, `bot ${bot.code} is not stored`);
  if (fills.length === 0) return;
  const newest = fills.reduce((at, fill) => Math.max(at, fill.at), 0);
  await saveDay.run(trx, Object.assign(totals, { bot_code: bot.code, day: dayOf(instant(newest)) }));
}

async function insertFills(
  database: Database,
  { lastFill, insertFills }: Statements,
  trx: Transaction<Schema>,
  bot: Bot,
  fills: readonly Fill[],
): Promise<void> {
  if (fills.length === 0) return;
  const { rows } = await lastFill.run(trx, { bot_code: bot.code });
  const next = (rows[0]?.seq ?? 0) + 1;
  try {
    await insertFills.run(
      trx,
      fills.map((fill, index) => fillRow(bot, fill, next + index)),
    );
  } catch (error) {
    throw database.isKeyConflict(error) ? new DuplicateFill() : error;
  }
}

async function insertEvents(
  { lastEvent, insertEvents }: Statements,
  trx: Transaction<Schema>,
  bot: Bot,
  events: readonly EventRecord[],
): Promise<void> {
  if (events.length === 0) return;
  const { rows } = await lastEvent.run(trx, { bot_code: bot.code });
  const next = (rows[0]?.id ?? 0) + 1;
  await insertEvents.run(
    trx,
    events.map(({ at, type, detail }, index) => ({
      bot_code: bot.code,
      id: next + index,
      at: wholeMs(at),
      type,
      detail: JSON.stringify(detail),
    })),
  );
}
