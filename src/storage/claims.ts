/** The claim rows: who owns a market and until when, and the fence that every write of an owner passes. */
import { randomUUID } from "node:crypto";
import type { ExpressionBuilder, Transaction } from "kysely";
import { sql } from "kysely";
import type { Claim, MarketKey } from "../domain/claim.ts";
import type { Database } from "./database.ts";
import { unavailable } from "./database.ts";
import { insertIfAbsent } from "./insert-if-absent.ts";
import type { ClaimsTable, Schema } from "./schema.ts";
import type { Statements } from "./statements.ts";

/** The token of a market that nobody holds: no claim has it. */
export const NO_TOKEN = "";

/** Gives the market to `holder`, whoever has it: the next epoch and a fresh token, valid until somebody else claims. */
export function takeClaim(database: Database, market: MarketKey, holder: string): Promise<Claim> {
  return changeClaim(database, market, ({ epoch }) => {
    const claim: Claim = { market, epoch: epoch + 1, token: randomUUID(), holder };
    return { claim, expiresAt: null, answer: claim };
  });
}

/**
 * Lets the claims that are still held live for `ttlMs` from now; returns those. What was taken from another server than the
 * one that answers may not be stored in this one: it is not held.
 */
export function renewClaims(
  database: Database,
  claims: readonly Claim[],
  ttlMs: number,
): Promise<readonly Claim[]> {
  if (claims.length === 0) return Promise.resolve([]);
  return database.transaction(async (trx) => {
    const current = claims.filter((claim) => database.isOfThisServer(claim));
    const held = new Set<string>();
    for (let from = 0; from < current.length; from += CLAIMS_AT_ONCE) {
      const some = current.slice(from, from + CLAIMS_AT_ONCE);
      const { numUpdatedRows } = await trx
        .updateTable("claims")
        .where((eb) => isAnyOf(eb, some))
        .set({ expires_at: sql`${sql.raw(database.traits.nowMs)} + ${ttlMs}` })
        .executeTakeFirstOrThrow();
      if (numUpdatedRows === BigInt(some.length))
        for (const claim of some) held.add(nameOf(claim, claim.market));
      else {
        const rows = await trx
          .selectFrom("claims")
          .select(["exchange", "account", "symbol", "token"])
          .where((eb) => isAnyOf(eb, some))
          .execute();
        for (const row of rows) held.add(nameOf(row, row));
      }
    }
    return current.filter((claim) => held.has(nameOf(claim, claim.market)));
  }, "urgent");
}

/** Frees the market for whoever asks next; nothing where the claim is not the market's any more. */
export function releaseClaim(database: Database, claim: Claim): Promise<void> {
  return database.write(async (db) => {
    await db
      .updateTable("claims")
      .set({ token: NO_TOKEN, expires_at: 0 })
      .where((eb) => isAnyOf(eb, [claim]))
      .execute();
  });
}

/**
 * Runs `work` in one transaction if `claim` still is the claim of `market`; `stale` if not. The claim's row stays
 * locked until the end, so that nobody takes the market in between.
 */
export function fenced<Result>(
  database: Database,
  { holdClaim }: Statements,
  claim: Claim,
  market: MarketKey,
  work: (trx: Transaction<Schema>) => Promise<Result>,
): Promise<Result | "stale"> {
  return database.transaction(async (trx) => {
    assertCurrent(database, claim);
    const { exchange, account, symbol } = market;
    const { epoch, token } = claim;
    const { rows } = await holdClaim.run(trx, { exchange, account, symbol, epoch, token });
    return rows.length === 1 ? work(trx) : "stale";
  });
}

/**
 * Throws STORAGE_UNAVAILABLE where another server answers than the one that the claim was taken from, or the same
 * after a restart: what was stored under the claim may not be there any more.
 */
export function assertCurrent(database: Database, claim: Claim): void {
  if (database.isOfThisServer(claim)) return;
  throw unavailable(
    database.name,
    new Error("the server was restarted or replaced; the market must be claimed anew"),
  );
}

const CLAIMS_AT_ONCE = 200;

/** Claims that were taken together share a token. */
function nameOf({ token }: Pick<Claim, "token">, { exchange, account, symbol }: MarketKey): string {
  return `${exchange} ${account} ${symbol} ${token}`;
}

export function isAnyMarket(eb: ExpressionBuilder<Schema, "claims">, markets: readonly MarketKey[]) {
  return eb.or(
    markets.map(({ exchange, account, symbol }) =>
      eb.and([eb("exchange", "=", exchange), eb("account", "=", account), eb("symbol", "=", symbol)]),
    ),
  );
}

/** By the key first, so that no other market's row is looked at, or waited for. */
function isAnyOf(eb: ExpressionBuilder<Schema, "claims">, claims: readonly Claim[]) {
  return eb.or(
    claims.map(({ market, epoch, token }) =>
      eb.and([
        eb("exchange", "=", market.exchange),
        eb("account", "=", market.account),
        eb("symbol", "=", market.symbol),
        eb("epoch", "=", epoch),
        eb("token", "=", token),
      ]),
    ),
  );
}

interface Change<Answer> {
  /** The market's new claim; undefined leaves the row as it is. */
  readonly claim?: Claim;
  readonly expiresAt?: number | null;
  readonly answer: Answer;
}

/** Reads the market's row under its lock and writes what `decide` makes of it. */
async function changeClaim<Answer>(
  database: Database,
  { exchange, account, symbol }: MarketKey,
  decide: (row: ClaimsTable, now: number) => Change<Answer>,
): Promise<Answer> {
  const { claim, answer, incarnation } = await database.transaction(async (trx) => {
    // If another server turns up from here on, this transaction breaks with its connection.
    const { incarnation } = database;
    const read = () =>
      trx
        .selectFrom("claims")
        .selectAll()
        .select(sql.raw<number>(database.traits.nowMs).as("now"))
        .where("exchange", "=", exchange)
        .where("account", "=", account)
        .where("symbol", "=", symbol)
        .$if(database.traits.locksRows, (query) => query.forUpdate())
        .executeTakeFirst();
    const free = { exchange, account, symbol, epoch: 0, token: NO_TOKEN, holder: "", expires_at: 0 };
    const insert = (): Promise<void> => insertIfAbsent(trx, database.traits, "claims", free);
    const found = (await read()) ?? (await insert().then(read));
    const { now, ...row } = found ?? { ...free, now: 0 };
    const change = decide(row, now);
    if (change.claim) {
      const { epoch, token, holder } = change.claim;
      await trx
        .updateTable("claims")
        .set({ epoch, token, holder, expires_at: change.expiresAt ?? null })
        .where("exchange", "=", exchange)
        .where("account", "=", account)
        .where("symbol", "=", symbol)
        .execute();
    }
    return { ...change, incarnation };
  });
  if (claim) database.noteClaim(claim, incarnation);
  return answer;
}
