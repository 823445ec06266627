/** One open database: runs statements and transactions, and turns its errors into ours. */
import type { Dialect, Transaction } from "kysely";
import { Kysely } from "kysely";
import { QuantmeshError } from "../domain/errors.ts";
import type { DialectTraits } from "./dialect.ts";
import { migrateTo } from "./migrations/migrate.ts";
import type { Schema } from "./schema.ts";

export class Database {
  readonly traits: DialectTraits;
  /** Names the database in messages. */
  readonly name: string;
  readonly #db: Kysely<Schema>;

  constructor(dialect: Dialect, traits: DialectTraits, name: string) {
    this.traits = traits;
    this.name = name;
    this.#db = new Kysely<Schema>({ dialect });
  }

  /** Statements that each stand alone. Throws STORAGE_UNAVAILABLE, or INVARIANT where the schema refuses a row. */
  async run<Result>(work: (db: Kysely<Schema>) => Promise<Result>): Promise<Result> {
    try {
      return await work(this.#db);
    } catch (error) {
      const failure = this.traits.failureOf(error);
      if (failure === undefined) throw error;
      if (failure === "unavailable") throw unavailable(this.name, error);
      throw new QuantmeshError("INVARIANT", `storage ${this.name} refused a row: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }

  /** All of `work` or nothing of it; what it throws rolls back. Throws as `run` does. */
  transaction<Result>(work: (trx: Transaction<Schema>) => Promise<Result>): Promise<Result> {
    return this.run((db) => db.transaction().execute(work));
  }

  /** Reads of one moment: what others write meanwhile is not seen. Throws as `run` does. */
  snapshot<Result>(work: (trx: Transaction<Schema>) => Promise<Result>): Promise<Result> {
    return this.run((db) => {
      const transaction = db.transaction().setAccessMode("read only");
      return this.traits.snapshotsNeedIsolation
        ? transaction.setIsolationLevel("repeatable read").execute(work)
        : transaction.execute(work);
    });
  }

  /** Moves the schema up or down to `version`. Throws CONFIG_INVALID where a newer quantmesh wrote it. */
  migrate(version: number): Promise<void> {
    return this.run((db) => migrateTo(db, this.traits, version, this.name));
  }

  isKeyConflict(error: unknown): boolean {
    return this.traits.failureOf(error) === "keyConflict";
  }

  close(): Promise<void> {
    return this.run((db) => db.destroy());
  }
}

/** The failure to throw for a database, or a way to it, that does not work. */
export function unavailable(name: string, cause: unknown): QuantmeshError {
  return new QuantmeshError("STORAGE_UNAVAILABLE", `storage ${name}: ${reasonOf(cause)}`, { cause });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
