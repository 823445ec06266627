/** The storage port over Kysely, for every database that it speaks to. */
import { randomUUID } from "node:crypto";
import type { Claim, MarketKey } from "../domain/claim.ts";
import type { Execution, Fill } from "../domain/fill.ts";
import type { Bot, Trade } from "../domain/grid.ts";
import type { BotLedger } from "../domain/ledger.ts";
import type { BotCode, ClientOrderId, Instant } from "../domain/ids.ts";
import { instant } from "../domain/ids.ts";
import type { OrderStatus, OrderTerms } from "../domain/order.ts";
import type { StoreRecord } from "../domain/records.ts";
import { DuplicateFill, applyRecords, chunks, updateBot } from "./apply-records.ts";
import type { BalanceStatements } from "./balances.ts";
import {
  balancesInUse,
  compileBalanceStatements,
  openBalances,
  saveBalances,
  settleReservation,
} from "./balances.ts";
import { requestClaims } from "./request-claims.ts";
import { NO_TOKEN, fenced, releaseClaim, renewClaims, takeClaim } from "./claims.ts";
import type { Database } from "./database.ts";
import { deliverFills, deliveredFills, uncountedFills } from "./delivered-fills.ts";
import { groupBy } from "./group-by.ts";
import { insertIfAbsent } from "./insert-if-absent.ts";
import { insertIntent, insertReservingIntent } from "./insert-intent.ts";
import { listDays } from "./list-days.ts";
import { listFills, listOrders, listTrades } from "./list-rows.ts";
import { loadLedger } from "./load-ledger.ts";
import type { LockStatements } from "./locks.ts";
import { compileLockStatements, extendLocks, freeLocks, takeEachLock, takeLocks } from "./locks.ts";
import { botOf, newBotRow, newSlotRow, totalsOf } from "./bot-rows.ts";
import { fillOf, termsOf, tradeOf } from "./order-rows.ts";
import type { Statements } from "./statements.ts";
import { compileStatements } from "./statements.ts";
import type {
  AccountKey,
  BalanceReading,
  BalanceUse,
  BotSummary,
  ClaimAnswer,
  ClaimRequest,
  HeldClaim,
  CommitOutcome,
  DayRow,
  FillRow,
  EachLockRequest,
  HeldLocks,
  Intent,
  IntentOutcome,
  LockRequest,
  OrderRow,
  PageQuery,
  Storage,
  TradeRow,
} from "./storage.ts";

export class KyselyStorage implements Storage {
  readonly #database: Database;
  readonly #statements: Statements;
  readonly #lockStatements: LockStatements;
  readonly #balanceStatements: BalanceStatements;
  /** Bots whose open buys are set aside. */
  readonly #reserving = new Set<BotCode>();

  constructor(database: Database) {
    this.#database = database;
    this.#statements = compileStatements(database.compiler, database.traits);
    this.#lockStatements = compileLockStatements(database.compiler, database.traits);
    this.#balanceStatements = compileBalanceStatements(database.compiler, database.traits);
  }

  fleetId(): Promise<string> {
    return this.#database.transaction(async (trx) => {
      const row = { name: "fleet_id", value: randomUUID() };
      await insertIfAbsent(trx, this.#database.traits, "meta", row);
      const stored = trx.selectFrom("meta").select("value").where("name", "=", row.name);
      return (await stored.executeTakeFirstOrThrow()).value;
    });
  }

  claim(market: MarketKey, holder: string): Promise<Claim> {
    return takeClaim(this.#database, market, holder);
  }

  requestClaims(requests: readonly ClaimRequest[]): Promise<readonly ClaimAnswer[]> {
    return requestClaims(this.#database, requests);
  }

  renewClaims(claims: readonly Claim[], ttlMs: number): Promise<readonly Claim[]> {
    return renewClaims(this.#database, claims, ttlMs);
  }

  listClaims(): Promise<readonly HeldClaim[]> {
    return this.#database.read(
      (db) =>
        db
          .selectFrom("claims")
          .select(["exchange", "account", "symbol", "holder", "epoch"])
          .where("token", "<>", NO_TOKEN)
          .orderBy("symbol")
          .execute(),
      "urgent",
    );
  }

  releaseClaim(claim: Claim): Promise<void> {
    return releaseClaim(this.#database, claim);
  }

  findBot({ exchange, account, symbol }: MarketKey): Promise<Bot | undefined> {
    return this.#database.read(async (db) => {
      const row = await db
        .selectFrom("bots")
        .selectAll()
        .where("exchange", "=", exchange)
        .where("account", "=", account)
        .where("symbol", "=", symbol)
        .executeTakeFirst();
      if (!row) return undefined;
      const slots = await db.selectFrom("slots").selectAll().where("bot_code", "=", row.code).execute();
      return botOf(row, slots);
    });
  }

  createBot(claim: Claim, bot: Bot): Promise<"stored" | "stale"> {
    return fenced(this.#database, this.#statements, claim, bot.market, async (trx): Promise<"stored"> => {
      await trx.insertInto("bots").values(newBotRow(bot)).execute();
      const slots = bot.slots.map((terms) => newSlotRow(bot, terms));
      for (const rows of chunks(slots)) await trx.insertInto("slots").values(rows).execute();
      return "stored";
    });
  }

  loadLedger(bot: Bot): Promise<BotLedger> {
    return this.#database.snapshot((trx) => loadLedger(trx, bot));
  }

  insertIntent(claim: Claim, bot: Bot, intent: Intent): Promise<IntentOutcome> {
    const { reserve } = intent;
    if (reserve === undefined) return insertIntent(this.#database, this.#statements, claim, bot, intent);
    this.#reserving.add(bot.code);
    return insertReservingIntent(
      this.#database,
      this.#statements,
      this.#balanceStatements,
      claim,
      bot,
      intent,
      reserve,
    );
  }

  async commit(claim: Claim, bot: Bot, records: readonly StoreRecord[]): Promise<CommitOutcome> {
    if (records.length === 0) return "stored";
    try {
      return await fenced(
        this.#database,
        this.#statements,
        claim,
        bot.market,
        async (trx): Promise<"stored"> => {
          const writing = { database: this.#database, statements: this.#statements, trx };
          await applyRecords(writing, claim, bot, records);
          if (this.#reserving.has(bot.code) && records.some(touchesMoney)) {
            const fills = records.flatMap((record) => (record.kind === "fill" ? [record.fill] : []));
            await settleReservation(this.#balanceStatements, trx, bot, fills);
          }
          return "stored";
        },
      );
    } catch (error) {
      if (error instanceof DuplicateFill) return "duplicate";
      throw error;
    }
  }

  saveFillCursor(claim: Claim, bot: Bot, cursor: string): Promise<"stored" | "stale"> {
    return fenced(this.#database, this.#statements, claim, bot.market, async (trx): Promise<"stored"> => {
      await updateBot(trx, bot, { fill_cursor: cursor });
      return "stored";
    });
  }

  findOrderByExchangeId(bot: Bot, exchangeOrderId: string): Promise<OrderTerms | undefined> {
    return this.#database.read(async (db) => {
      const row = await db
        .selectFrom("orders")
        .selectAll()
        .where("bot_code", "=", bot.code)
        .where("exchange_order_id", "=", exchangeOrderId)
        .executeTakeFirst();
      return row && termsOf(bot.instrument, row);
    });
  }

  orderStatus(bot: Bot, id: ClientOrderId): Promise<OrderStatus | undefined> {
    return this.#database.read(async (db) => {
      const row = await db
        .selectFrom("orders")
        .select("status")
        .where("client_order_id", "=", id)
        .where("bot_code", "=", bot.code)
        .executeTakeFirst();
      return row?.status;
    });
  }

  unstoredFills(bot: Bot, executions: readonly Execution[]): Promise<readonly Execution[]> {
    return this.#database.read((db) => uncountedFills(db, bot, executions));
  }

  deliverFills(bot: Bot, fills: readonly Fill[]): Promise<void> {
    return this.#database.transaction((trx) => deliverFills(trx, this.#database.traits, bot, fills));
  }

  deliveredFills(bot: Bot): Promise<readonly Fill[]> {
    return this.#database.transaction((trx) => deliveredFills(trx, bot));
  }

  fillsOf(bot: Bot): Promise<readonly Fill[]> {
    return this.#database.read(async (db) => {
      const rows = await db
        .selectFrom("fills")
        .selectAll()
        .where("bot_code", "=", bot.code)
        .orderBy("seq")
        .execute();
      return rows.map((row) => fillOf(bot.instrument, row));
    });
  }

  /** In the order in which they were completed. */
  tradesOf(bot: Bot): Promise<readonly Trade[]> {
    return this.#database.read(async (db) => {
      const rows = await db
        .selectFrom("trades")
        .selectAll()
        .where("bot_code", "=", bot.code)
        .orderBy("at")
        .orderBy("slot")
        .orderBy("generation")
        .orderBy("part")
        .execute();
      return rows.map((row) => tradeOf(bot.instrument, row));
    });
  }

  async lastChanges(): Promise<ReadonlyMap<BotCode, Instant>> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("orders")
        .select(({ fn }) => ["bot_code", fn.max<number>("updated_at").as("at")])
        .groupBy("bot_code")
        .execute(),
    );
    return new Map(rows.map(({ bot_code, at }) => [bot_code as BotCode, instant(Number(at))]));
  }

  listBots(): Promise<readonly BotSummary[]> {
    return this.#database.snapshot(async (trx) => {
      const rows = await trx
        .selectFrom("bots")
        .selectAll()
        .orderBy("exchange")
        .orderBy("account")
        .orderBy("symbol")
        .execute();
      const slots = groupBy(await trx.selectFrom("slots").selectAll().execute(), (slot) => slot.bot_code);
      const counts = await trx
        .selectFrom("orders")
        .select(({ fn }) => ["bot_code", fn.countAll<number>().as("count")])
        .where("unfinished", "=", 1)
        .groupBy("bot_code")
        .execute();
      const working = new Map(counts.map(({ bot_code, count }) => [bot_code, count]));
      return rows.map((row) => {
        const bot = botOf(row, slots.get(row.code) ?? []);
        return {
          bot,
          mode: row.mode,
          modeReason: row.mode_reason,
          totals: totalsOf(bot.instrument, row),
          workingOrders: working.get(row.code) ?? 0,
        };
      });
    });
  }

  listOrders(query: PageQuery & { readonly working?: boolean }): Promise<readonly OrderRow[]> {
    return this.#database.read((db) => listOrders(db, query));
  }

  listFills(query: PageQuery): Promise<readonly FillRow[]> {
    return this.#database.read((db) => listFills(db, query));
  }

  listTrades(query: PageQuery): Promise<readonly TradeRow[]> {
    return this.#database.read((db) => listTrades(db, query));
  }

  listDays(query: PageQuery): Promise<readonly DayRow[]> {
    return this.#database.read((db) => listDays(db, query));
  }

  openReservation(claim: Claim, bot: Bot): Promise<"stored" | "stale"> {
    this.#reserving.add(bot.code);
    return fenced(this.#database, this.#statements, claim, bot.market, async (trx): Promise<"stored"> => {
      await settleReservation(this.#balanceStatements, trx, bot, []);
      return "stored";
    });
  }

  openBalances(account: AccountKey, assets: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return openBalances(this.#database, account, assets);
  }

  saveBalances(account: AccountKey, readings: readonly BalanceReading[]): Promise<void> {
    return saveBalances(this.#database, this.#balanceStatements, account, readings);
  }

  balancesInUse(account: AccountKey): Promise<readonly BalanceUse[]> {
    return this.#database.read((db) => balancesInUse(db, this.#balanceStatements, account));
  }

  takeLocks(request: LockRequest): Promise<number | undefined> {
    return takeLocks(this.#database, this.#lockStatements, request);
  }

  takeEachLock(request: EachLockRequest): Promise<ReadonlyMap<string, number>> {
    return takeEachLock(this.#database, request);
  }

  extendLocks(held: readonly HeldLocks[], ttlMs: number): Promise<ReadonlySet<string>> {
    return extendLocks(this.#database, held, ttlMs);
  }

  freeLocks(held: HeldLocks): Promise<void> {
    return freeLocks(this.#database, this.#lockStatements, held);
  }

  /** A row is written over with itself: a database that can only be read is of no use to an owner. */
  ping(): Promise<void> {
    return this.#database.writeOne(async (db) => {
      await db
        .updateTable("meta")
        .set((eb) => ({ value: eb.ref("value") }))
        .where("name", "=", "fleet_id")
        .execute();
    });
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

/** Records that change what open buys need, or what the account has. */
function touchesMoney({ kind }: StoreRecord): boolean {
  return kind === "order" || kind === "adoptedOrder" || kind === "lateProgress" || kind === "fill";
}
