/** Inserts rows whose keys are not taken, whoever else tries the same at the same moment. */
import type { Kysely } from "kysely";
import type { DialectTraits } from "./dialect.ts";
import type { Schema } from "./schema.ts";

export async function insertIfAbsent<Table extends "claims" | "meta" | "balances">(
  db: Kysely<Schema>,
  { saysOnConflict }: DialectTraits,
  table: Table,
  rows: Schema[Table] | readonly Schema[Table][],
): Promise<void> {
  const insert = db.insertInto<"claims" | "meta" | "balances">(table).values(rows);
  await (saysOnConflict ? insert.onConflict((conflict) => conflict.doNothing()) : insert.ignore()).execute();
}
