/** The claim rows: who owns a market, and the fence that every write of an owner passes. */
import { randomUUID } from "node:crypto";
import type { Kysely, Transaction } from "kysely";
import type { Claim, MarketKey } from "../domain/claim.ts";
import type { Database } from "./database.ts";
import type { Schema } from "./schema.ts";
import type { ClaimAnswer, ClaimRequest } from "./storage.ts";

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

/** Gives the market to who asks, if it is free or if the request says whose claim is void. */
export async function requestClaim(
  database: Database,
  { market, holder, replaces }: ClaimRequest,
): Promise<ClaimAnswer> {
  const { exchange, account, symbol } = market;
  const row = await database.read((db) =>
    db
      .selectFrom("claims")
      .selectAll()
      .where("exchange", "=", exchange)
      .where("account", "=", account)
      .where("symbol", "=", symbol)
      .executeTakeFirst(),
  );
  if (row !== undefined && row.token !== "" && row.epoch !== replaces) {
    return { kind: "held", holder: row.holder, epoch: row.epoch, expiresInMs: Number.MAX_SAFE_INTEGER };
  }
  return { kind: "claimed", claim: await takeClaim(database, market, holder) };
}

export async function releaseClaim(database: Database, { market, epoch, token }: Claim): Promise<void> {
  await database.write((db) =>
    db
      .updateTable("claims")
      .set({ token: "" })
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
