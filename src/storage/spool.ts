/** The local spool: fills on this machine's disk while the database is away. */
import Database from "better-sqlite3";
import { money, priceTicks, quantityLots } from "../domain/amounts.ts";
import type { MarketKey } from "../domain/claim.ts";
import type { Execution } from "../domain/fill.ts";
import type { BotCode, ClientOrderId, Side } from "../domain/ids.ts";
import { instant } from "../domain/ids.ts";
import { unavailable } from "./database.ts";
import { cannotOpen, prepareFile } from "./sqlite-file.ts";
import { wholeMs } from "./column-text.ts";
import type { FillSpool, SpooledFill, SpoolOutcome } from "./storage.ts";

export interface SpoolOptions {
  /** A path, or `:memory:`; missing parent folders are created. */
  readonly file: string;
  /** Most fills that it takes. */
  readonly capacity: number;
  /** The wall clock, ms. */
  readonly now: () => number;
}

/** One process writes; whoever looks in from outside keeps it waiting no longer. */
const BUSY_TIMEOUT_MS = 200;

/** Opens the spool with all that it was left with. Throws STORAGE_UNAVAILABLE where it cannot be opened. */
export function openSpool({ file, capacity, now }: SpoolOptions): FillSpool {
  let database: Database.Database | undefined;
  try {
    prepareFile(file);
    database = new Database(file, { timeout: BUSY_TIMEOUT_MS });
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = FULL");
    database.exec(TABLE);
    return new SqliteSpool(database, file, capacity, now);
  } catch (error) {
    database?.close();
    throw cannotOpen(file, error);
  }
}

/** Amounts are whole numbers of the instrument's units, as text where they may be large. */
interface Row extends MarketKey {
  readonly trade_id: string;
  readonly side: Side;
  readonly bot_code: BotCode;
  readonly client_order_id: ClientOrderId;
  readonly exchange_order_id: string;
  readonly price: number;
  readonly quantity: number;
  readonly fee: string;
  readonly fee_asset: string;
  readonly liquidity: "maker" | "taker";
  readonly at: number;
  readonly kept_at: number;
}

const TABLE = `create table if not exists fills (
  seq integer primary key,
  exchange text not null, account text not null, symbol text not null, trade_id text not null, side text not null,
  bot_code text not null, client_order_id text not null, exchange_order_id text not null,
  price integer not null, quantity integer not null, fee text not null, fee_asset text not null,
  liquidity text not null, at integer not null, kept_at integer not null,
  unique (exchange, account, symbol, trade_id, side)
) strict`;

const INSERT = `insert into fills (exchange, account, symbol, trade_id, side, bot_code, client_order_id,
  exchange_order_id, price, quantity, fee, fee_asset, liquidity, at, kept_at)
  values (:exchange, :account, :symbol, :trade_id, :side, :bot_code, :client_order_id,
  :exchange_order_id, :price, :quantity, :fee, :fee_asset, :liquidity, :at, :kept_at)`;

const OF_KEY = `exchange = :exchange and account = :account and symbol = :symbol
  and trade_id = :trade_id and side = :side`;

class SqliteSpool implements FillSpool {
  readonly capacity: number;
  #depth: number;
  readonly #database: Database.Database;
  readonly #file: string;
  readonly #now: () => number;
  readonly #insert: Database.Statement<[Row]>;
  readonly #find: Database.Statement<[Key]>;
  readonly #delete: Database.Statement<[Key]>;
  readonly #list: Database.Statement<[number], Row>;
  readonly #first: Database.Statement<[], Pick<Row, "kept_at">>;

  constructor(database: Database.Database, file: string, capacity: number, now: () => number) {
    this.capacity = capacity;
    this.#database = database;
    this.#file = file;
    this.#now = now;
    this.#insert = database.prepare(INSERT);
    this.#find = database.prepare(`select 1 from fills where ${OF_KEY}`);
    this.#delete = database.prepare(`delete from fills where ${OF_KEY}`);
    this.#list = database.prepare("select * from fills order by seq limit ?");
    this.#first = database.prepare("select kept_at from fills order by seq limit 1");
    const row = database.prepare<[], { count: number }>("select count(*) as count from fills").get();
    this.#depth = row?.count ?? 0;
  }

  get depth(): number {
    return this.#depth;
  }

  get oldestAt(): number | undefined {
    return this.#depth === 0 ? undefined : this.#first.get()?.kept_at;
  }

  add(fills: readonly SpooledFill[]): SpoolOutcome {
    if (fills.length === 0) return "stored";
    if (this.#depth + fills.length > this.capacity) return "full";
    const keptAt = this.#now();
    try {
      this.#database.transaction(() => {
        for (const fill of fills) this.#insert.run(rowOf(fill, keptAt));
      })();
    } catch (error) {
      if (!(error instanceof Database.SqliteError)) throw error;
      // A disk that takes no more is a full spool: the exchange keeps the fills until there is room.
      return error.code === "SQLITE_CONSTRAINT_UNIQUE" ? "duplicate" : "full";
    }
    this.#depth += fills.length;
    return "stored";
  }

  has(market: MarketKey, execution: Execution): boolean {
    return this.#depth > 0 && this.#ask(() => this.#find.get(keyOf(market, execution))) !== undefined;
  }

  oldest(limit: number): readonly SpooledFill[] {
    return this.#depth === 0 ? [] : this.#ask(() => this.#list.all(limit)).map(fillOf);
  }

  remove(fills: readonly SpooledFill[]): void {
    const removeAll = this.#database.transaction(() =>
      fills.reduce((sum, { market, fill }) => sum + this.#delete.run(keyOf(market, fill)).changes, 0),
    );
    this.#depth -= this.#ask(removeAll);
  }

  close(): void {
    this.#database.close();
  }

  /** A disk that is full, or a file that somebody keeps, passes: nobody gives up for good because of it. */
  #ask<Answer>(work: () => Answer): Answer {
    try {
      return work();
    } catch (error) {
      throw error instanceof Database.SqliteError ? unavailable(this.#file, error) : error;
    }
  }
}

type Key = Pick<Row, "exchange" | "account" | "symbol" | "trade_id" | "side">;

function keyOf({ exchange, account, symbol }: MarketKey, { tradeId, side }: Execution): Key {
  return { exchange, account, symbol, trade_id: tradeId, side };
}

function rowOf({ market, code, fill }: SpooledFill, keptAt: number): Row {
  return {
    ...keyOf(market, fill),
    bot_code: code,
    client_order_id: fill.id,
    exchange_order_id: fill.exchangeOrderId,
    price: fill.price,
    quantity: fill.quantity,
    fee: fill.fee.toString(),
    fee_asset: fill.feeAsset,
    liquidity: fill.liquidity,
    at: wholeMs(fill.at),
    kept_at: keptAt,
  };
}

function fillOf(row: Row): SpooledFill {
  const { exchange, account, symbol } = row;
  return {
    market: { exchange, account, symbol },
    code: row.bot_code,
    fill: {
      tradeId: row.trade_id,
      exchangeOrderId: row.exchange_order_id,
      side: row.side,
      price: priceTicks(row.price),
      quantity: quantityLots(row.quantity),
      fee: money(BigInt(row.fee)),
      feeAsset: row.fee_asset,
      liquidity: row.liquidity,
      at: instant(row.at),
      id: row.client_order_id,
    },
  };
}
