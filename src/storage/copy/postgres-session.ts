/** One connection to PostgreSQL for a copy: statements in their order, streams, and its errors turned into ours. */
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { QuantmeshError } from "../../domain/errors.ts";
import { unavailable } from "../database.ts";

/** The server frees the locks of a session that was closed a moment after whoever closed it goes on. */
const ENDED_SESSION_TRIES = 20;
const BETWEEN_TRIES_MS = 100;

/** Where a database is, and how one more connection to it is made. */
export interface PostgresAccess {
  /** Names the database in messages; holds no secret. */
  readonly name: string;
  /** Throws STORAGE_UNAVAILABLE. */
  open(): Promise<PostgresSession>;
}

type Row = Readonly<Record<string, unknown>>;

export class PostgresSession {
  readonly #name: string;
  readonly #client: pg.Client;

  constructor(name: string, client: pg.Client) {
    this.#name = name;
    this.#client = client;
    // A connection that breaks fails the statement under way; without one there is nothing to tell.
    client.on("error", () => undefined);
  }

  async run(sql: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> {
    const { rows } = await this.guardedCall(() => this.#client.query<Row>(sql, [...parameters]));
    return rows;
  }

  /** All of `work` or nothing of it. */
  async transaction(work: () => Promise<void>): Promise<void> {
    await this.run("begin");
    try {
      await work();
      await this.run("commit");
    } catch (error) {
      // A connection that broke has rolled back by breaking.
      await this.run("rollback").catch(() => undefined);
      throw error;
    }
  }

  /** Throws ALREADY_RUNNING with `refusal` where another session holds the lock and keeps it. */
  async takeLock(lock: number, refusal: string): Promise<void> {
    for (let left = ENDED_SESSION_TRIES; left > 0; left -= 1) {
      const [row] = await this.run(`select pg_try_advisory_lock(${lock}) as taken`);
      if (row?.["taken"] === true) return;
      await pause(BETWEEN_TRIES_MS);
    }
    throw new QuantmeshError("ALREADY_RUNNING", refusal);
  }

  stream<Stream extends pg.Submittable>(stream: Stream): Stream {
    return this.#client.query(stream);
  }

  async *guarded<Piece>(pieces: AsyncIterable<Piece>): AsyncGenerator<Piece> {
    try {
      yield* pieces;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async guardedCall<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  #failure(error: unknown): unknown {
    if (error instanceof QuantmeshError) return error;
    // Classes 22 and 23: a value that does not fit its column, a row that breaks a rule.
    if (error instanceof pg.DatabaseError && /^2[23]/.test(error.code ?? "")) {
      const where = error.where === undefined ? "" : ` (${error.where})`;
      return new QuantmeshError(
        "DATA_INVALID",
        `storage ${this.#name} refused a row: ${error.message}${where}`,
        {
          cause: error,
        },
      );
    }
    return unavailable(this.#name, error);
  }
}
