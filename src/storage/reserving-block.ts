/**
 * The intent of a buy and the money set aside for it, as one statement, for servers that run blocks of statements: one
 * way there and back, and nobody can fall asleep while it keeps the account's row from others.
 */
import type { Kysely } from "kysely";
import { sql } from "kysely";
import { formatMoney } from "../domain/amounts.ts";
import type { Money } from "../domain/amounts.ts";
import type { Bot } from "../domain/grid.ts";
import { RepeatedQuery } from "./repeated-query.ts";
import type { OrdersTable, Schema } from "./schema.ts";
import type { ClaimKey } from "./statements.ts";
import { ORDER } from "./statements.ts";

interface BlockValues extends OrdersTable, ClaimKey {
  readonly asset: string;
  /** A pattern of the markets whose base the asset is. */
  readonly markets: string;
  readonly reserve: string;
}

export type ReservingBlock = RepeatedQuery<BlockValues, { readonly outcome: "stored" | "stale" | "short" }>;

/** Locks in the same order as everybody: the claim, then the account's row; a key conflict ends it amid its transaction. */
export function compileReservingBlock(db: Kysely<Schema>): ReservingBlock {
  const names = ["exchange", "account", "symbol", "token", "asset", "markets", "reserve", ...ORDER] as const;
  return new RepeatedQuery(names, (of) => {
    const values = sql.join(ORDER.map((name) => sql`${of[name]}`));
    const block = sql`begin not atomic
      declare my_reserve decimal(36, 18) default ${of.reserve};
      declare my_epoch bigint;
      declare my_usable decimal(36, 18);
      declare my_tied decimal(65, 18);
      declare my_outcome varchar(6) default 'stale';
      start transaction;
      select epoch into my_epoch from claims
        where exchange = ${of.exchange} and account = ${of.account} and symbol = ${of.symbol}
          and epoch = ${of.epoch} and token = ${of.token} for update;
      if my_epoch is not null then
        set my_outcome = 'short';
        select usable into my_usable from balances
          where exchange = ${of.exchange} and account = ${of.account} and asset = ${of.asset} for update;
        select sum(amount) into my_tied from (
          select amount from reservations
            where exchange = ${of.exchange} and account = ${of.account} and asset = ${of.asset}
          union all
          select position - base_fees from bots
            where exchange = ${of.exchange} and account = ${of.account} and symbol like ${of.markets}
        ) tied;
        if my_usable - coalesce(my_tied, 0) >= my_reserve then
          insert into orders (${sql.join(ORDER.map((name) => sql.ref(name)))}) values (${values});
          insert into reservations (exchange, account, asset, bot_code, amount)
            values (${of.exchange}, ${of.account}, ${of.asset}, ${of.bot_code}, my_reserve)
            on duplicate key update amount = amount + my_reserve;
          set my_outcome = 'stored';
        end if;
      end if;
      commit;
      select my_outcome as outcome;
    end`;
    return { compile: () => block.compile(db) };
  });
}

export function blockValues(
  row: OrdersTable & ClaimKey,
  { instrument: { quote } }: Bot,
  reserve: Money,
): BlockValues {
  return Object.assign(row, { asset: quote, markets: `${quote}/%`, reserve: formatMoney(reserve) });
}
