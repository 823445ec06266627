/** Claims as leases: many markets are asked for in one transaction, as after a takeover. */
import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { Transaction } from "kysely";
import type { Claim, MarketKey } from "../domain/claim.ts";
import type { Database } from "./database.ts";
import { insertIfAbsent } from "./insert-if-absent.ts";
import type { ClaimsTable, Schema } from "./schema.ts";
import { isAnyMarket, NO_TOKEN } from "./claims.ts";
import type { ClaimAnswer, ClaimRequest } from "./storage.ts";

/** A statement names so many markets at most. */
const MARKETS_AT_ONCE = 200;

/**
 * Gives each market to who asks, if it is free or if the request says whose claim is void: all answers in the order of
 * the requests, in one transaction. All requests have one holder and one lifetime.
 */
export async function requestClaims(
  database: Database,
  requests: readonly ClaimRequest[],
): Promise<readonly ClaimAnswer[]> {
  // If another server turns up meanwhile, the claims count as the older one's and have to be made again.
  const { incarnation } = database;
  // In the order of their keys: two that ask for the same markets must not wait for each other.
  const sorted = requests.toSorted((a, b) => (keyOf(a.market) < keyOf(b.market) ? -1 : 1));
  const answers = await database.transaction(async (trx) => {
    const found = new Map<string, ClaimAnswer>();
    for (let from = 0; from < sorted.length; from += MARKETS_AT_ONCE) {
      const some = sorted.slice(from, from + MARKETS_AT_ONCE);
      for (const [key, answer] of await request(database, trx, some)) found.set(key, answer);
    }
    return found;
  }, "urgent");
  return requests.map(({ market }) => {
    const answer = answers.get(keyOf(market));
    if (!answer) throw new Error(`no answer for ${market.symbol}`);
    if (answer.kind === "claimed") database.noteClaim(answer.claim, incarnation);
    return answer;
  });
}

function newHolder({ traits }: Database, { holder, ttlMs }: ClaimRequest, token: string) {
  return {
    epoch: sql<number>`epoch + 1`,
    token,
    holder,
    expires_at: sql<number>`${sql.raw(traits.nowMs)} + ${ttlMs}`,
  };
}

async function request(
  database: Database,
  trx: Transaction<Schema>,
  requests: readonly ClaimRequest[],
): Promise<ReadonlyMap<string, ClaimAnswer>> {
  const { traits } = database;
  const markets = requests.map(({ market }) => market);
  let rows = await lockRows(trx, markets, traits.nowMs, traits.locksRows);
  if (rows.size < markets.length) {
    const known = await knownKeys(trx, markets);
    const absent = markets.filter((market) => !known.has(keyOf(market)));
    if (absent.length > 0) {
      const free = { epoch: 0, token: NO_TOKEN, holder: "", expires_at: 0 };
      const fresh = absent.map(({ exchange, account, symbol }) => ({ exchange, account, symbol, ...free }));
      await insertIfAbsent(trx, traits, "claims", fresh);
      rows = await lockRows(trx, markets, traits.nowMs, traits.locksRows);
    }
  }
  const isHeldUp = requests.some(
    ({ market, replaces }) => replaces !== undefined && !rows.has(keyOf(market)),
  );
  // Its claim is void, and it sleeps amid a write under it: what it has not committed never happens.
  if (isHeldUp && traits.endSleepers !== undefined) await sql.raw(traits.endSleepers).execute(trx);
  const token = randomUUID();
  const answers = requests.map(({ market, holder, replaces }): readonly [string, ClaimAnswer] => {
    const row = rows.get(keyOf(market));
    // Somebody writes under its claim at this moment, or sleeps in the middle of it: the others need not wait for it.
    if (!row) return [keyOf(market), { kind: "held", holder: "", epoch: 0, expiresInMs: 100 }];
    const { epoch, expiresInMs } = row;
    if (expiresInMs > 0 && epoch !== replaces) {
      return [keyOf(market), { kind: "held", holder: row.holder, epoch, expiresInMs }];
    }
    const claim: Claim = { market, epoch: epoch + 1, token, holder };
    return [keyOf(market), { kind: "claimed", claim }];
  });
  const won = answers.flatMap(([, answer]) => (answer.kind === "claimed" ? [answer.claim] : []));
  const [first] = requests;
  if (won.length > 0 && first) {
    await trx
      .updateTable("claims")
      .where((eb) =>
        isAnyMarket(
          eb,
          won.map(({ market }) => market),
        ),
      )
      .set(newHolder(database, first, token))
      .execute();
  }
  return new Map(answers);
}

/** Which of the markets have a row, locked or not. */
async function knownKeys(
  trx: Transaction<Schema>,
  markets: readonly MarketKey[],
): Promise<ReadonlySet<string>> {
  const rows = await trx
    .selectFrom("claims")
    .select(["exchange", "account", "symbol"])
    .where((eb) => isAnyMarket(eb, markets))
    .execute();
  return new Set(rows.map(keyOf));
}

/** The markets' rows, which stay as they are until the transaction ends; not those that another transaction holds. */
async function lockRows(
  trx: Transaction<Schema>,
  markets: readonly MarketKey[],
  nowMs: string,
  locksRows: boolean,
): Promise<ReadonlyMap<string, ClaimsTable & { readonly expiresInMs: number }>> {
  const rows = await trx
    .selectFrom("claims")
    .selectAll()
    .select(sql.raw<number>(nowMs).as("now"))
    .where((eb) => isAnyMarket(eb, markets))
    .orderBy("exchange")
    .orderBy("account")
    .orderBy("symbol")
    .$if(locksRows, (query) => query.forUpdate().skipLocked())
    .execute();
  return new Map(
    rows.map((row) => [
      keyOf(row),
      { ...row, expiresInMs: row.expires_at === null ? 0 : row.expires_at - row.now },
    ]),
  );
}

function keyOf({ exchange, account, symbol }: MarketKey): string {
  return `${exchange} ${account} ${symbol}`;
}
