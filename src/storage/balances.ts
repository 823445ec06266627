/**
 * What an account may still spend: what the exchange showed of it, less what the open buys of all bots tie up. The
 * asset's row in `balances` is the lock: who holds it decides alone.
 */
import type { Kysely, Transaction } from "kysely";
import { sql } from "kysely";
import type { Money } from "../domain/amounts.ts";
import {
  ZERO_MONEY,
  addMoney,
  formatMoney,
  money,
  parseMoney,
  quantityLots,
  subtractMoney,
} from "../domain/amounts.ts";
import type { Fill } from "../domain/fill.ts";
import type { Bot } from "../domain/grid.ts";
import { notional, parsePrice, parseQuantity } from "../domain/instrument.ts";
import type { Database } from "./database.ts";
import type { DialectTraits } from "./dialect.ts";
import { insertIfAbsent } from "./insert-if-absent.ts";
import { RepeatedQuery } from "./repeated-query.ts";
import type { ReservingBlock } from "./reserving-block.ts";
import { compileReservingBlock } from "./reserving-block.ts";
import type { BalancesTable, ReservationsTable, Schema } from "./schema.ts";
import type { AccountKey, BalanceReading, BalanceUse } from "./storage.ts";

type AssetKey = Pick<BalancesTable, "exchange" | "account" | "asset">;

export interface BalanceStatements {
  /** undefined where the server runs no blocks. */
  readonly reservingBlock: ReservingBlock | undefined;
  /** The asset's row under its lock. */
  readonly holdBalance: RepeatedQuery<AssetKey, Pick<BalancesTable, "usable" | "version">>;
  /** What open buys tie up of the asset, and what bots own that trade it as their base. */
  readonly tiedUp: RepeatedQuery<
    AssetKey & { readonly markets: string },
    { readonly bot_code: string; readonly is_buy: number; readonly amount: string; readonly less: string }
  >;
  readonly setReservation: RepeatedQuery<ReservationsTable>;
  readonly setUsable: RepeatedQuery<AssetKey & Pick<BalancesTable, "usable">>;
  readonly openBuys: RepeatedQuery<
    { readonly bot_code: string },
    { readonly price: string; readonly quantity: string; readonly executed: string }
  >;
}

export function compileBalanceStatements(db: Kysely<Schema>, traits: DialectTraits): BalanceStatements {
  const key = ["exchange", "account", "asset"] as const;
  return {
    reservingBlock: traits.runsBlocks ? compileReservingBlock(db) : undefined,
    holdBalance: new RepeatedQuery(key, ({ exchange, account, asset }) =>
      db
        .selectFrom("balances")
        .select(["usable", "version"])
        .where("exchange", "=", exchange)
        .where("account", "=", account)
        .where("asset", "=", asset)
        .$if(traits.locksRows, (query) => query.forUpdate()),
    ),
    tiedUp: new RepeatedQuery([...key, "markets"], ({ exchange, account, asset, markets }) =>
      db
        .selectFrom("reservations")
        .select(["bot_code", "amount"])
        .select(sql<string>`0`.as("less"))
        .select(sql<number>`1`.as("is_buy"))
        .where("exchange", "=", exchange)
        .where("account", "=", account)
        .where("asset", "=", asset)
        .unionAll(
          db
            .selectFrom("bots")
            .select(["code as bot_code", "position as amount", "base_fees as less"])
            .select(sql<number>`0`.as("is_buy"))
            .where("exchange", "=", exchange)
            .where("account", "=", account)
            .where("symbol", "like", markets),
        ),
    ),
    setReservation: new RepeatedQuery([...key, "bot_code", "amount"], (row) => {
      const insert = db.insertInto("reservations").values(row);
      return traits.saysOnConflict
        ? insert.onConflict((conflict) =>
            conflict
              .columns([...key, "bot_code"])
              .doUpdateSet((eb) => ({ amount: eb.ref("excluded.amount") })),
          )
        : insert.onDuplicateKeyUpdate({ amount: sql`values(amount)` });
    }),
    setUsable: new RepeatedQuery([...key, "usable"], ({ exchange, account, asset, usable }) =>
      db
        .updateTable("balances")
        .set({ usable, version: sql<number>`version + 1` })
        .where("exchange", "=", exchange)
        .where("account", "=", account)
        .where("asset", "=", asset),
    ),
    openBuys: new RepeatedQuery(["bot_code"], ({ bot_code }) =>
      db
        .selectFrom("orders")
        .select(["price", "quantity", "executed"])
        .where("bot_code", "=", bot_code)
        .where("side", "=", "buy")
        .where("unfinished", "=", 1),
    ),
  };
}

/** Rows for the assets that have none yet; the version of each. */
export function openBalances(
  database: Database,
  { exchange, account }: AccountKey,
  assets: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (assets.length === 0) return Promise.resolve(new Map());
  return database.transaction(async (trx) => {
    const rows = assets.map((asset) => ({ exchange, account, asset, usable: "0", version: 0 }));
    await insertIfAbsent(trx, database.traits, "balances", rows);
    const found = await trx
      .selectFrom("balances")
      .select(["asset", "version"])
      .where("exchange", "=", exchange)
      .where("account", "=", account)
      .where("asset", "in", assets)
      .execute();
    return new Map(found.map(({ asset, version }) => [asset, Number(version)]));
  });
}

/**
 * What was spent since the reading began may be in it or not: then it counts only where it is the lower one. So an
 * amount is never higher than what the account has.
 */
export function saveBalances(
  database: Database,
  { holdBalance, setUsable }: BalanceStatements,
  { exchange, account }: AccountKey,
  readings: readonly BalanceReading[],
): Promise<void> {
  return database.transaction(async (trx) => {
    for (const { asset, usable, version } of inOrder(readings)) {
      const key = { exchange, account, asset };
      const { rows } = await holdBalance.run(trx, key);
      const [row] = rows;
      if (!row) continue;
      const known = parseMoney(String(row.usable));
      const isOfThen = Number(row.version) === version;
      if (!isOfThen && known <= usable) continue;
      await setUsable.run(trx, { ...key, usable: formatMoney(usable) });
    }
  });
}

/** What is left of the asset, under its lock; undefined where the account's balance was never read. */
export async function freeUnderLock(
  { holdBalance, tiedUp }: BalanceStatements,
  trx: Transaction<Schema>,
  key: AssetKey,
  code: string,
): Promise<{ readonly free: Money; readonly own: Money } | undefined> {
  const [row] = (await holdBalance.run(trx, key)).rows;
  if (!row) return undefined;
  let free = parseMoney(String(row.usable));
  let own = ZERO_MONEY;
  // Only now: what others have stored before they gave the lock back is seen.
  for (const tied of (await tiedUp.run(trx, { ...key, markets: `${key.asset}/%` })).rows) {
    const amount = subtractMoney(parseMoney(String(tied.amount)), parseMoney(String(tied.less)));
    free = subtractMoney(free, amount);
    if (Number(tied.is_buy) === 1 && tied.bot_code === code) own = amount;
  }
  return { free, own };
}

/**
 * After records of orders and fills, in the same transaction: what was spent is gone from the account, whether or not
 * the exchange has shown it yet, and the bot's reservation is what its open buys still need. Proceeds count only when
 * the exchange shows them.
 */
export async function settleReservation(
  statements: BalanceStatements,
  trx: Transaction<Schema>,
  bot: Bot,
  fills: readonly Fill[],
): Promise<void> {
  const { exchange, account } = bot.market;
  const { instrument } = bot;
  for (const { asset, amount } of inOrder(spentBy(bot, fills))) {
    const key = { exchange, account, asset };
    const [row] = (await statements.holdBalance.run(trx, key)).rows;
    if (!row) continue;
    const usable = formatMoney(subtractMoney(parseMoney(String(row.usable)), amount));
    await statements.setUsable.run(trx, { ...key, usable });
  }
  let needed = ZERO_MONEY;
  for (const row of (await statements.openBuys.run(trx, { bot_code: bot.code })).rows) {
    const left = parseQuantity(instrument, row.quantity) - parseQuantity(instrument, row.executed);
    needed = addMoney(needed, notional(instrument, parsePrice(instrument, row.price), quantityLots(left)));
  }
  const amount = formatMoney(needed);
  const { quote: asset } = instrument;
  await statements.setReservation.run(trx, { exchange, account, asset, bot_code: bot.code, amount });
}

/** What the account has of each asset that somebody buys with, and what is tied up of it. */
export async function balancesInUse(
  db: Kysely<Schema>,
  { tiedUp }: BalanceStatements,
  { exchange, account }: AccountKey,
): Promise<readonly BalanceUse[]> {
  const rows = await db
    .selectFrom("balances")
    .select(["asset", "usable"])
    .where("exchange", "=", exchange)
    .where("account", "=", account)
    .orderBy("asset")
    .execute();
  const uses: BalanceUse[] = [];
  for (const { asset, usable } of rows) {
    let [reserved, held] = [ZERO_MONEY, ZERO_MONEY];
    const key = { exchange, account, asset, markets: `${asset}/%` };
    for (const { is_buy, amount, less } of (await tiedUp.run(db, key)).rows) {
      const tied = subtractMoney(parseMoney(String(amount)), parseMoney(String(less)));
      if (Number(is_buy) === 1) reserved = addMoney(reserved, tied);
      else held = addMoney(held, tied);
    }
    uses.push({ asset, usable: parseMoney(String(usable)), reserved, held });
  }
  return uses;
}

/** Buys pay in quote and sells in base, and a fee is on top where it is taken in the same. */
function spentBy(
  { instrument }: Bot,
  fills: readonly Fill[],
): readonly { readonly asset: string; readonly amount: Money }[] {
  const spent = new Map<string, Money>();
  for (const { side, price, quantity, fee, feeAsset } of fills) {
    const { base, quote, lotSize } = instrument;
    const asset = side === "buy" ? quote : base;
    const paid = side === "buy" ? notional(instrument, price, quantity) : money(BigInt(quantity) * lotSize);
    const amount = feeAsset === asset ? addMoney(paid, fee) : paid;
    spent.set(asset, addMoney(spent.get(asset) ?? ZERO_MONEY, amount));
  }
  return [...spent].map(([asset, amount]) => ({ asset, amount }));
}

/** Everybody locks several assets in the same order, so that nobody waits in a ring. */
function inOrder<Item extends { readonly asset: string }>(items: readonly Item[]): readonly Item[] {
  return [...items].sort((a, b) => (a.asset < b.asset ? -1 : 1));
}
