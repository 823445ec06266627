/** The claim rows: who owns a market, and the fence that every write of an owner passes. */
import { randomUUID } from "node:crypto";
import type { Kysely, Transaction } from "kysely";
import type { Claim, MarketKey } from "../domain/claim.ts";
import type { Database } from "./database.ts";
import type { Schema } from "./schema.ts";

/** The token of a claim that was given back: no write carries it. */
const RELEASED = "";

/** Gives the market to `holder`: the next epoch and a fresh token. */
export function takeClaim(database: Database, market: MarketKey, holder: string): Promise<Claim> {
  const { exchange, account, symbol } = market;
  return database.transaction(async (trx) => {
    const last = await trx
      .selectFrom("claims")
      .select("epoch")
      .where("exchange", "=", exchange)
      .where("account", "=", account)
      .where("symbol", "=", symbol)
      .$if(database.traits.locksRows, (query) => query.forUpdate())
      .executeTakeFirst();
    const claim: Claim = { market, epoch: (last?.epoch ?? 0) + 1, token: randomUUID(), holder };
    const holding = { epoch: claim.epoch, token: claim.token, holder, expires_at: null };
    if (last) {
      await trx
        .updateTable("claims")
        .set(holding)
        .where("exchange", "=", exchange)
        .where("account", "=", account)
        .where("symbol", "=", symbol)
        .execute();
    } else {
      await trx
        .insertInto("claims")
        .values({ exchange, account, symbol, ...holding })
        .execute();
    }
    return claim;
  });
}

/** The holder of a claim that was not released. */
export async function findHolder(database: Database, market: MarketKey): Promise<string | undefined> {
  const row = await database.run((db) =>
    db
      .selectFrom("claims")
      .select(["holder", "token"])
      .where("exchange", "=", market.exchange)
      .where("account", "=", market.account)
      .where("symbol", "=", market.symbol)
      .executeTakeFirst(),
  );
  return row === undefined || row.token === RELEASED ? undefined : row.holder;
}

/** The epoch stays: the next claim's is above it. */
export async function freeClaim(database: Database, { market, epoch, token }: Claim): Promise<void> {
  await database.run((db) =>
    db
      .updateTable("claims")
      .set({ token: RELEASED })
      .where("exchange", "=", market.exchange)
      .where("account", "=", market.account)
      .where("symbol", "=", market.symbol)
      .where("epoch", "=", epoch)
      .where("token", "=", token)
      .execute(),
  );
}

/**
 * Runs `work` in one transaction if `claim` still is the claim of `market`; `stale` if not. The claim's row stays
 * locked until the end, so that nobody takes the market in between.
 */
export function fenced<Result>(
  database: Database,
  claim: Claim,
  market: MarketKey,
  work: (trx: Transaction<Schema>) => Promise<Result>,
): Promise<Result | "stale"> {
  return database.transaction(async (trx) => {
    const held = await claimRow(trx, claim, market)
      .select("epoch")
      .$if(database.traits.locksRows, (query) => query.forUpdate())
      .executeTakeFirst();
    return held ? work(trx) : "stale";
  });
}

/** The row of `market` where it is `claim`'s; no row where somebody newer owns the market. */
export function claimRow(db: Kysely<Schema>, claim: Claim, market: MarketKey) {
  return db
    .selectFrom("claims")
    .where("exchange", "=", market.exchange)
    .where("account", "=", market.account)
    .where("symbol", "=", market.symbol)
    .where("epoch", "=", claim.epoch)
    .where("token", "=", claim.token);
}
