/** The lock rows: who holds a name until when by the database's clock. A row stays when it is freed, for its fence. */
import type { Kysely } from "kysely";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import type { DialectTraits } from "./dialect.ts";
import { RepeatedQuery } from "./repeated-query.ts";
import type { LocksTable, Schema } from "./schema.ts";
import type { EachLockRequest, HeldLocks, LockRequest } from "./storage.ts";

type TakeValues = Omit<LocksTable, "fence" | "expires_at"> & { readonly ttl: number };

export interface LockStatements {
  /** One row with the fence where the name is taken now, whatever stands in it otherwise. */
  readonly takeOne: RepeatedQuery<TakeValues, { readonly fence: number; readonly token: string }>;
  readonly freeOne: RepeatedQuery<Pick<LocksTable, "name" | "token">>;
}

const AT_ONCE = 1_000;

export function compileLockStatements(db: Kysely<Schema>, traits: DialectTraits): LockStatements {
  return {
    takeOne: new RepeatedQuery(["name", "fleet", "epoch", "token", "ttl"], (row) => ({
      compile: () => takeRows(traits, [row], row.ttl).compile(db),
    })),
    freeOne: new RepeatedQuery(["name", "token"], ({ name, token }) =>
      freeRows(db, token).where("name", "=", name),
    ),
  };
}

/** All names or none; undefined where another fleet, or a newer epoch, holds one. */
export async function takeLocks(
  database: Database,
  { takeOne }: LockStatements,
  { names, fleet, epoch, token, ttlMs }: LockRequest,
): Promise<number | undefined> {
  const [name] = names;
  const { traits } = database;
  if (name !== undefined && names.length === 1 && traits.saysOnConflict) {
    const values = { name, fleet, epoch, token, ttl: ttlMs };
    const { rows } = await database.writeOne((db) => takeOne.run(db, values));
    return rows[0]?.fence;
  }
  try {
    return await database.transaction(async (trx) => {
      let fence = 0;
      // In one order for everybody, so that two who want the same names do not wait for each other.
      for (const some of chunksOf(names.toSorted())) {
        const rows = some.map((one) => ({ name: one, fleet, epoch, token }));
        await takeRows(traits, rows, ttlMs).execute(trx);
        const held = await trx
          .selectFrom("locks")
          .select("fence")
          .where("name", "in", some)
          .where("token", "=", token)
          .execute();
        if (held.length < some.length) throw new NotAll();
        fence = Math.max(fence, ...held.map((row) => row.fence));
      }
      return fence;
    });
  } catch (error) {
    if (error instanceof NotAll) return undefined;
    throw error;
  }
}

/** Each name by itself; the fence of each that is taken, by its token. */
export async function takeEachLock(
  database: Database,
  { locks, fleet, epoch, ttlMs }: EachLockRequest,
): Promise<ReadonlyMap<string, number>> {
  const { traits } = database;
  // In one order for everybody, so that two who want the same names do not wait for each other.
  const rows = locks
    .map(({ name, token }) => ({ name, fleet, epoch, token }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (traits.saysOnConflict) {
    const taken = await database.writeOne((db) => takeRows(traits, rows, ttlMs).execute(db));
    return new Map(taken.rows.map(({ token, fence }) => [token, fence]));
  }
  return database.transaction(async (trx) => {
    await takeRows(traits, rows, ttlMs).execute(trx);
    const held = await trx
      .selectFrom("locks")
      .select(["token", "fence"])
      .where(
        "name",
        "in",
        rows.map(({ name }) => name),
      )
      .execute();
    const asked = new Set(rows.map(({ token }) => token));
    return new Map(held.filter(({ token }) => asked.has(token)).map(({ token, fence }) => [token, fence]));
  });
}

/** Lets those of `held` live for `ttlMs` from now that still are whole; returns their tokens. */
export function extendLocks(
  database: Database,
  held: readonly HeldLocks[],
  ttlMs: number,
): Promise<ReadonlySet<string>> {
  const now = sql.raw<number>(database.traits.nowMs);
  return database.transaction(async (trx) => {
    const whole = new Set<string>();
    for (const some of chunksOf(held)) {
      const rows = await trx
        .selectFrom("locks")
        .select(["name", "token"])
        .where("name", "in", namesOf(some))
        .where("expires_at", ">", now)
        .$if(database.traits.locksRows, (query) => query.forUpdate())
        .execute();
      const holder = new Map(rows.map(({ name, token }) => [name, token]));
      const extended = some.filter(({ token, names }) => names.every((name) => holder.get(name) === token));
      if (extended.length === 0) continue;
      await trx
        .updateTable("locks")
        .set({ expires_at: sql`${now} + ${ttlMs}` })
        .where("name", "in", namesOf(extended))
        .execute();
      for (const { token } of extended) whole.add(token);
    }
    return whole;
  });
}

/** Frees what `token` holds; never what another one holds. */
export function freeLocks(
  database: Database,
  { freeOne }: LockStatements,
  { names, token }: HeldLocks,
): Promise<void> {
  const [name] = names;
  return database.writeOne(async (db) => {
    if (name !== undefined && names.length === 1) await freeOne.run(db, { name, token });
    else await freeRows(db, token).where("name", "in", names).execute();
  });
}

function freeRows(db: Kysely<Schema>, token: string) {
  return db.updateTable("locks").set({ token: "", expires_at: 0 }).where("token", "=", token);
}

/** One of the names is somebody else's: nothing is taken. */
class NotAll extends Error {}

/** Takes every row that is free, of this owner or of an older epoch of its fleet; the others stay as they are. */
function takeRows(
  { nowMs, saysOnConflict }: DialectTraits,
  rows: readonly Omit<TakeValues, "ttl">[],
  ttl: number,
) {
  const now = sql.raw(nowMs);
  const values = sql.join(
    rows.map(
      ({ name, fleet, epoch, token }) => sql`(${name}, ${fleet}, ${epoch}, ${token}, 1, ${now} + ${ttl})`,
    ),
  );
  const insert = sql`insert into locks (name, fleet, epoch, token, fence, expires_at) values ${values}`;
  if (saysOnConflict) {
    return sql<{ fence: number; token: string }>`${insert} on conflict (name) do update set
      fleet = excluded.fleet, epoch = excluded.epoch, token = excluded.token,
      fence = locks.fence + 1, expires_at = excluded.expires_at
      where locks.expires_at <= ${now} or (locks.fleet = excluded.fleet and locks.epoch <= excluded.epoch)
      returning fence, token`;
  }
  // Assigned from left to right: once the token is ours, the row is.
  const isOurs = sql`token = values(token)`;
  return sql<{ fence: number; token: string }>`${insert} on duplicate key update
    token = if(expires_at <= ${now} or (fleet = values(fleet) and epoch <= values(epoch)), values(token), token),
    fence = if(${isOurs}, fence + 1, fence),
    expires_at = if(${isOurs}, values(expires_at), expires_at),
    epoch = if(${isOurs}, values(epoch), epoch),
    fleet = if(${isOurs}, values(fleet), fleet)`;
}

function namesOf(held: readonly HeldLocks[]): readonly string[] {
  return held.flatMap(({ names }) => names);
}

function chunksOf<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / AT_ONCE) }, (_, index) =>
    items.slice(index * AT_ONCE, (index + 1) * AT_ONCE),
  );
}
