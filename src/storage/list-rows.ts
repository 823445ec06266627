/** Pages of orders, fills and trades for people and scripts, newest first. */
import type { Kysely } from "kysely";
import { instant } from "../domain/ids.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { isBelow } from "./keyset.ts";
import { amountText } from "./column-text.ts";
import type { Schema } from "./schema.ts";
import type { FillRow, OrderRow, PageQuery, TradeRow } from "./storage.ts";

const TRADE_KEY = [
  "trades.at",
  "trades.bot_code",
  "trades.slot",
  "trades.generation",
  "trades.part",
] as const;

export async function listOrders(
  db: Kysely<Schema>,
  query: PageQuery & { readonly working?: boolean },
): Promise<readonly OrderRow[]> {
  const { code, before, working, limit } = query;
  const rows = await db
    .selectFrom("orders")
    .innerJoin("bots", "bots.code", "orders.bot_code")
    .selectAll("orders")
    .select("bots.symbol")
    .$if(code !== undefined, (page) => page.where("orders.bot_code", "=", code ?? ""))
    .$if(working === true, (page) => page.where("orders.unfinished", "=", 1))
    .$if(working === false, (page) => page.where("orders.unfinished", "is", null))
    .$if(before !== undefined, (page) => {
      const key = decodeCursor(before ?? "", [0, ""]);
      return page.where((eb) => isBelow(eb, ["orders.created_at", "orders.client_order_id"], key));
    })
    .orderBy("orders.created_at", "desc")
    .orderBy("orders.client_order_id", "desc")
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    cursor: encodeCursor([row.created_at, row.client_order_id]),
    id: row.client_order_id,
    bot: row.bot_code,
    symbol: row.symbol,
    slot: row.slot,
    side: row.side,
    generation: row.generation,
    type: row.type,
    status: row.status,
    price: amountText(row.price),
    quantity: amountText(row.quantity),
    executed: amountText(row.executed),
    exchangeOrderId: row.exchange_order_id ?? undefined,
    validUntil: instant(row.valid_until),
    createdAt: instant(row.created_at),
    updatedAt: instant(row.updated_at),
  }));
}

export async function listFills(db: Kysely<Schema>, query: PageQuery): Promise<readonly FillRow[]> {
  const { code, before, limit } = query;
  const rows = await db
    .selectFrom("fills")
    .innerJoin("orders", "orders.client_order_id", "fills.client_order_id")
    .selectAll("fills")
    .select(["orders.slot", "orders.generation"])
    .$if(code !== undefined, (page) => page.where("fills.bot_code", "=", code ?? ""))
    .$if(before !== undefined, (page) => {
      const key = decodeCursor(before ?? "", [0, "", 0]);
      return page.where((eb) => isBelow(eb, ["fills.at", "fills.bot_code", "fills.seq"], key));
    })
    .orderBy("fills.at", "desc")
    .orderBy("fills.bot_code", "desc")
    .orderBy("fills.seq", "desc")
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    cursor: encodeCursor([row.at, row.bot_code, row.seq]),
    tradeId: row.trade_id,
    orderId: row.client_order_id,
    bot: row.bot_code,
    symbol: row.symbol,
    slot: row.slot,
    generation: row.generation,
    side: row.side,
    price: amountText(row.price),
    quantity: amountText(row.quantity),
    fee: amountText(row.fee),
    feeAsset: row.fee_asset,
    liquidity: row.liquidity,
    at: instant(row.at),
  }));
}

export async function listTrades(db: Kysely<Schema>, query: PageQuery): Promise<readonly TradeRow[]> {
  const { code, before, limit } = query;
  const rows = await db
    .selectFrom("trades")
    .innerJoin("bots", "bots.code", "trades.bot_code")
    .selectAll("trades")
    .select("bots.symbol")
    .$if(code !== undefined, (page) => page.where("trades.bot_code", "=", code ?? ""))
    .$if(before !== undefined, (page) => {
      const key = decodeCursor(before ?? "", [0, "", 0, 0, 0]);
      return page.where((eb) => isBelow(eb, TRADE_KEY, key));
    })
    .orderBy("trades.at", "desc")
    .orderBy("trades.bot_code", "desc")
    .orderBy("trades.slot", "desc")
    .orderBy("trades.generation", "desc")
    .orderBy("trades.part", "desc")
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    cursor: encodeCursor([row.at, row.bot_code, row.slot, row.generation, row.part]),
    bot: row.bot_code,
    symbol: row.symbol,
    slot: row.slot,
    generation: row.generation,
    origin: row.origin,
    quantity: amountText(row.quantity),
    buyQuote: amountText(row.buy_quote),
    buyFee: amountText(row.buy_fee),
    sellQuote: amountText(row.sell_quote),
    sellFee: amountText(row.sell_fee),
    profit: amountText(row.profit),
    at: instant(row.at),
  }));
}
