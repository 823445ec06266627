/** One open database: runs statements and transactions, and turns its errors into ours. */
import type { Dialect, Transaction } from "kysely";
import { Kysely } from "kysely";
import { setTimeout as pause } from "node:timers/promises";
import { QuantmeshError } from "../domain/errors.ts";
import { ConnectionFailure } from "./connection-failure.ts";
import type { Lane } from "./connection-pool.ts";
import type { Claim } from "../domain/claim.ts";
import { ClaimWatch } from "./claim-watch.ts";
import type { DialectTraits } from "./dialect.ts";
import type { Schema } from "./schema.ts";

/** For how long a transaction is tried again that others were in the way of. */
const PATIENCE_MS = 30_000;
const LONGEST_PAUSE_MS = 50;

export interface DatabaseParts {
  readonly dialect: Dialect;
  /** For what must not wait behind the rest; none where there is one connection only. */
  readonly urgentDialect?: Dialect;
  readonly traits: DialectTraits;
  /** Names the database in messages. */
  readonly name: string;
  /** Grows each time that another server, or the same after a restart, was found to answer. */
  readonly incarnation: () => number;
  /** Closes what the dialect stands on, also where it was closed before: Kysely leaves open what ran nothing. */
  readonly end: () => void;
}

export class Database {
  readonly traits: DialectTraits;
  readonly name: string;
  readonly #db: Kysely<Schema>;
  readonly #urgent: Kysely<Schema>;
  readonly #incarnation: () => number;
  readonly #end: () => void;
  readonly #claims = new ClaimWatch();
  readonly #underWay = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor({ dialect, urgentDialect, traits, name, incarnation, end }: DatabaseParts) {
    this.traits = traits;
    this.name = name;
    this.#incarnation = incarnation;
    this.#end = end;
    this.#db = new Kysely<Schema>({ dialect });
    this.#urgent = urgentDialect ? new Kysely<Schema>({ dialect: urgentDialect }) : this.#db;
  }

  /** The statements are compiled for this database with it; it runs none. */
  get compiler(): Kysely<Schema> {
    return this.#db;
  }

  /** Which running server answers: what was true under another number may not be stored any more. */
  get incarnation(): number {
    return this.#incarnation();
  }

  /** Remembers that `claim` was taken from the server that answered as `incarnation`. */
  noteClaim(claim: Claim, incarnation: number): void {
    this.#claims.note(claim, incarnation);
  }

  /** False where another server, or the same after a restart, answers than when `claim` was taken. */
  isOfThisServer(claim: Claim): boolean {
    return this.#claims.isCurrent(claim, this.#incarnation());
  }

  /** Reads that each stand alone. Throws STORAGE_UNAVAILABLE, or INVARIANT where the schema refuses a row. */
  read<Result>(work: (db: Kysely<Schema>) => Promise<Result>, lane: Lane = "ordinary"): Promise<Result> {
    return this.#run(() => this.#patiently(() => work(this.#of(lane))));
  }

  /**
   * One statement that writes, on a connection of its own: all of it or nothing. Throws as `read` does; where the
   * answer is lost, STORAGE_UNAVAILABLE with `isOutcomeUnknown`.
   */
  write<Result>(work: (db: Kysely<Schema>) => Promise<Result>): Promise<Result> {
    return this.#run(() =>
      this.#db.connection().execute(async (db) => {
        try {
          return await this.#patiently(() => work(db));
        } catch (error) {
          throw this.#mayHaveWritten(error) ? new LostAnswer(error) : error;
        }
      }),
    );
  }

  /** As `write`, for one statement before which nothing has to be known of its connection: it is lent for less work. */
  writeOne<Result>(work: (db: Kysely<Schema>) => Promise<Result>): Promise<Result> {
    return this.#run(async () => {
      try {
        return await this.#patiently(() => work(this.#db));
      } catch (error) {
        throw this.#mayHaveWritten(error) ? new LostAnswer(error) : error;
      }
    });
  }

  /** All of `work` or nothing of it; what it throws rolls back. `work` may run more than once. Throws as `write` does. */
  transaction<Result>(
    work: (trx: Transaction<Schema>) => Promise<Result>,
    lane: Lane = "ordinary",
  ): Promise<Result> {
    return this.#run(() => this.#patiently(() => this.#commit(work, lane)));
  }

  /** Reads of one moment: what others write meanwhile is not seen. Throws as `read` does. */
  snapshot<Result>(work: (trx: Transaction<Schema>) => Promise<Result>): Promise<Result> {
    const transaction = this.#db.transaction().setAccessMode("read only");
    const isolated = this.traits.snapshotsNeedIsolation
      ? transaction.setIsolationLevel("repeatable read")
      : transaction;
    return this.#run(() => this.#patiently(() => isolated.execute(work)));
  }

  /** Everything that `work` does, on one connection. Throws as `read` does. */
  session<Result>(work: (db: Kysely<Schema>) => Promise<Result>): Promise<Result> {
    return this.#run(() => this.#db.connection().execute(work));
  }

  isKeyConflict(error: unknown): boolean {
    return this.traits.failureOf(error) === "keyConflict";
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#underWay);
    await this.#db.destroy();
    await this.#urgent.destroy();
    this.#end();
  }

  async #run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) throw unavailable(this.name, new Error("it is closed"));
    const running = work();
    this.#underWay.add(running);
    try {
      return await running;
    } catch (error) {
      throw this.#translate(error);
    } finally {
      this.#underWay.delete(running);
    }
  }

  #of(lane: Lane): Kysely<Schema> {
    return lane === "urgent" ? this.#urgent : this.#db;
  }

  async #commit<Result>(work: (trx: Transaction<Schema>) => Promise<Result>, lane: Lane): Promise<Result> {
    let isCommitting = false;
    try {
      return await this.#of(lane)
        .transaction()
        .execute(async (trx) => {
          const result = await work(trx);
          isCommitting = true;
          return result;
        });
    } catch (error) {
      // A transaction whose end was not asked for ends with nothing stored.
      throw isCommitting && this.#mayHaveWritten(error) ? new LostAnswer(error) : error;
    }
  }

  /** A transaction that the database undid because of others is as if it had never been: it may be tried again. */
  async #patiently<Result>(work: () => Promise<Result>): Promise<Result> {
    const deadline = performance.now() + PATIENCE_MS;
    for (let longestMs = 2; ; longestMs = Math.min(2 * longestMs, LONGEST_PAUSE_MS)) {
      try {
        return await work();
      } catch (error) {
        if (this.traits.failureOf(error) !== "contention" || performance.now() > deadline) throw error;
        // By chance, so that two do not stay in each other's way.
        await pause(Math.random() * longestMs);
      }
    }
  }

  /** The database may have stored it although it did not say so. */
  #mayHaveWritten(error: unknown): boolean {
    if (error instanceof ConnectionFailure) return error.isSent;
    return this.traits.failureOf(error) === "unavailable";
  }

  #translate(error: unknown): unknown {
    if (error instanceof LostAnswer) return unavailable(this.name, error.cause, true);
    switch (this.traits.failureOf(error)) {
      case undefined:
        return error;
      case "keyConflict":
      case "constraint":
        return new QuantmeshError("INVARIANT", `storage ${this.name} refused a row: ${reasonOf(error)}`, {
          cause: error,
        });
      case "contention":
      case "denied":
      case "unavailable":
        return unavailable(this.name, error);
    }
  }
}

/** A write was sent, and whether it happened is unknown. */
class LostAnswer extends Error {
  constructor(cause: unknown) {
    super("the answer is lost", { cause });
  }
}

/** The failure to throw for a database, or a way to it, that does not work. */
export function unavailable(name: string, cause: unknown, isOutcomeUnknown = false): QuantmeshError {
  const outcome = isOutcomeUnknown ? " (whether it was stored is unknown)" : "";
  return new QuantmeshError("STORAGE_UNAVAILABLE", `storage ${name}: ${reasonOf(cause)}${outcome}`, {
    cause,
    isOutcomeUnknown,
  });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
