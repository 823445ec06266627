/** What differs between the databases, as named facts; everything else is the same SQL. */
import type { ColumnDataType } from "kysely";

/**
 * Why a statement failed. `keyConflict`: another row has its key. `constraint`: another rule of the schema.
 * `contention`: others were in the way and the database undid the whole transaction; it may be tried again.
 * `denied`: login, permission or the database itself is missing, or it takes no writes; nothing was done. `unavailable`: anything else of the database's.
 */
export type DatabaseFailure = "keyConflict" | "constraint" | "contention" | "denied" | "unavailable";

export interface DialectTraits {
  readonly type: "sqlite" | "postgres" | "mysql";
  /** Holds a decimal of 36 digits, 18 of them after the point, exactly. */
  readonly amountType: ColumnDataType;
  /** Reads can lock rows. Where they cannot, every write transaction must have the database to itself. */
  readonly locksRows: boolean;
  /** Spells the shared lock of a read row `for share`; otherwise `lock in share mode`. */
  readonly saysForShare: boolean;
  /** A transaction sees what others commit meanwhile, unless it is asked for more isolation. */
  readonly snapshotsNeedIsolation: boolean;
  /** A migration that fails is undone as a whole. */
  readonly undoesSchemaChanges: boolean;
  /** Spells an upsert `on conflict … do update`; otherwise `on duplicate key update`. */
  readonly saysOnConflict: boolean;
  /** Runs several statements, with conditions between them, as one that can be prepared (`begin not atomic … end`). */
  readonly runsBlocks: boolean;
  /** What ends the statement that creates a table. */
  readonly tableOptions: string | undefined;
  /** SQL for the database's own time in milliseconds since 1970, as a whole number. */
  readonly nowMs: string;
  /** SQL that takes the right to change the schema, 1 if it was free; undefined where a transaction is that right. */
  readonly takeSchemaLock: string | undefined;
  readonly freeSchemaLock: string | undefined;
  /**
   * SQL that ends what other processes of ours do where one has been asleep amid a transaction for a moment, and so
   * keeps rows from everybody; undefined where only the server's own limit does.
   */
  readonly endSleepers: string | undefined;
  /** undefined where the error does not come from the database. */
  failureOf(error: unknown): DatabaseFailure | undefined;
  /** The statement named a table that is not there. */
  isMissingTable(error: unknown): boolean;
  /** The statement would have created what is there. */
  isAlreadyThere(error: unknown): boolean;
}
