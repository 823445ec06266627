/** The statements of the way from tick to order and back: compiled once for each database. */
import type { Kysely, SelectQueryBuilder } from "kysely";
import { sql } from "kysely";
import type { DialectTraits } from "./dialect.ts";
import { RepeatedInsert } from "./repeated-insert.ts";
import { RepeatedQuery } from "./repeated-query.ts";
import type {
  BotsTable,
  DailyTotalsTable,
  EventsTable,
  FillsTable,
  OrdersTable,
  ProgressColumns,
  Schema,
  SlotsTable,
  TotalsColumns,
  TradesTable,
} from "./schema.ts";

/** A claim of a market, as the fence compares it. */
export interface ClaimKey {
  readonly exchange: string;
  readonly account: string;
  readonly symbol: string;
  readonly epoch: number;
  readonly token: string;
}

interface OrderChange extends ProgressColumns {
  readonly status: OrdersTable["status"];
  readonly unfinished: 1 | null;
  readonly updated_at: number;
  /** null keeps the one that is known. */
  readonly exchange_order_id: string | null;
  readonly client_order_id: string;
  readonly bot_code: string;
}

type SlotChange = Pick<SlotsTable, "wants" | "inventory" | "dust" | "bot_code" | "slot">;
type TotalsChange = TotalsColumns & Pick<BotsTable, "code">;

export interface Statements {
  /** The claim's row under its lock; none where it is not the newest. */
  readonly holdClaim: RepeatedQuery<ClaimKey>;
  readonly insertIntent: RepeatedQuery<OrdersTable & ClaimKey>;
  readonly updateOrder: RepeatedQuery<OrderChange>;
  readonly updateSlot: RepeatedQuery<SlotChange>;
  readonly updateTotals: RepeatedQuery<TotalsChange>;
  readonly saveDay: RepeatedQuery<DailyTotalsTable>;
  readonly lastFill: RepeatedQuery<Pick<FillsTable, "bot_code">, { readonly seq: number | null }>;
  readonly lastEvent: RepeatedQuery<Pick<EventsTable, "bot_code">, { readonly id: number | null }>;
  readonly insertFills: RepeatedInsert<FillsTable>;
  readonly insertTrades: RepeatedInsert<TradesTable>;
  readonly insertEvents: RepeatedInsert<EventsTable>;
}

export const TOTALS = [
  "fill_count",
  "trade_count",
  "grid_profit",
  "inventory_sells",
  "inventory_pnl",
  "fees",
  "cash_flow",
  "position",
  "base_fees",
] as const satisfies readonly (keyof TotalsColumns)[];

export function compileStatements(db: Kysely<Schema>, traits: DialectTraits): Statements {
  return {
    holdClaim: new RepeatedQuery(CLAIM_KEY, (key) =>
      claimRow(db, key)
        .select("epoch")
        .$if(traits.locksRows, (query) => query.forUpdate()),
    ),
    insertIntent: new RepeatedQuery([...CLAIM_KEY.filter((name) => name !== "epoch"), ...ORDER], (row) =>
      db
        .insertInto("orders")
        .columns(ORDER)
        .expression((eb) =>
          lockedShared(claimRow(db, row).select(ORDER.map((name) => eb.val(row[name]).as(name))), traits),
        ),
    ),
    updateOrder: new RepeatedQuery(
      [...PROGRESS, "status", "unfinished", "updated_at", "exchange_order_id", "client_order_id", "bot_code"],
      ({ exchange_order_id, client_order_id, bot_code, ...columns }) =>
        db
          .updateTable("orders")
          .set(columns)
          .set({ exchange_order_id: sql<string>`coalesce(${exchange_order_id}, exchange_order_id)` })
          .where("client_order_id", "=", client_order_id)
          .where("bot_code", "=", bot_code),
    ),
    updateSlot: new RepeatedQuery(
      ["wants", "inventory", "dust", "bot_code", "slot"],
      ({ bot_code, slot, ...columns }) =>
        db.updateTable("slots").set(columns).where("bot_code", "=", bot_code).where("slot", "=", slot),
    ),
    updateTotals: new RepeatedQuery([...TOTALS, "code"], ({ code, ...columns }) =>
      db.updateTable("bots").set(columns).where("code", "=", code),
    ),
    saveDay: new RepeatedQuery([...TOTALS, "bot_code", "day"], (row) => saveDay(db, traits, row)),
    lastFill: new RepeatedQuery(["bot_code"], ({ bot_code }) =>
      db
        .selectFrom("fills")
        .select((eb) => eb.fn.max("seq").as("seq"))
        .where("bot_code", "=", bot_code),
    ),
    lastEvent: new RepeatedQuery(["bot_code"], ({ bot_code }) =>
      db
        .selectFrom("events")
        .select((eb) => eb.fn.max("id").as("id"))
        .where("bot_code", "=", bot_code),
    ),
    insertFills: new RepeatedInsert(FILL, (rows) => db.insertInto("fills").values(rows)),
    insertTrades: new RepeatedInsert(TRADE, (rows) => db.insertInto("trades").values(rows)),
    insertEvents: new RepeatedInsert(EVENT, (rows) => db.insertInto("events").values(rows)),
  };
}

/** The row of a market where it is this claim's; no row where somebody newer owns the market. */
function claimRow(db: Kysely<Schema>, { exchange, account, symbol, epoch, token }: ClaimKey) {
  return db
    .selectFrom("claims")
    .where("exchange", "=", exchange)
    .where("account", "=", account)
    .where("symbol", "=", symbol)
    .where("epoch", "=", epoch)
    .where("token", "=", token);
}

/** The claim's row stays as it is until the insert is done, and many may read it so at once. */
function lockedShared<Row>(
  query: SelectQueryBuilder<Schema, "claims", Row>,
  { locksRows, saysForShare }: DialectTraits,
): SelectQueryBuilder<Schema, "claims", Row> {
  if (!locksRows) return query;
  return saysForShare ? query.forShare() : query.modifyEnd(sql`lock in share mode`);
}

/** Never under an earlier day than the last: what comes late counts when it comes, and ended days stay as they are. */
function saveDay(db: Kysely<Schema>, { saysOnConflict }: DialectTraits, row: DailyTotalsTable) {
  const insert = db
    .insertInto("daily_totals")
    .columns(["bot_code", "day", ...TOTALS])
    .expression((eb) => {
      const later = eb
        .selectFrom("daily_totals")
        .select(({ fn }) => fn.max("day").as("day"))
        .where("bot_code", "=", row.bot_code)
        .where("day", ">", row.day);
      return db.selectNoFrom([
        eb.val(row.bot_code).as("bot_code"),
        eb.fn.coalesce(later, eb.val(row.day)).as("day"),
        ...TOTALS.map((name) => eb.val(row[name]).as(name)),
      ]);
    });
  return saysOnConflict
    ? insert.onConflict((conflict) =>
        conflict
          .columns(["bot_code", "day"])
          .doUpdateSet((eb) => Object.fromEntries(TOTALS.map((name) => [name, eb.ref(`excluded.${name}`)]))),
      )
    : insert.onDuplicateKeyUpdate(
        Object.fromEntries(TOTALS.map((name) => [name, sql`values(${sql.ref(name)})`])),
      );
}

const CLAIM_KEY = ["exchange", "account", "symbol", "epoch", "token"] as const;
const PROGRESS = ["executed", "quote", "fee", "base_fee"] as const;

export const ORDER = [
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

const FILL = [
  "exchange",
  "account",
  "symbol",
  "trade_id",
  "side",
  "client_order_id",
  "bot_code",
  "price",
  "quantity",
  "fee",
  "fee_asset",
  "liquidity",
  "exchange_order_id",
  "at",
  "seq",
] as const satisfies readonly (keyof FillsTable)[];

const TRADE = [
  "bot_code",
  "slot",
  "generation",
  "part",
  "origin",
  "quantity",
  "buy_quote",
  "buy_fee",
  "sell_quote",
  "sell_fee",
  "profit",
  "at",
] as const satisfies readonly (keyof TradesTable)[];

const EVENT = ["bot_code", "id", "at", "type", "detail"] as const satisfies readonly (keyof EventsTable)[];
