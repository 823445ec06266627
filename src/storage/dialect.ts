/** What differs between the databases, as named facts; everything else is the same SQL. */
import Database from "better-sqlite3";
import type { ColumnDataType } from "kysely";

/** Why a statement failed: another row has its key, another rule of the schema, or the database itself. */
export type DatabaseFailure = "keyConflict" | "constraint" | "unavailable";

export interface DialectTraits {
  /** Holds a decimal of 36 digits, 18 of them after the point, exactly. */
  readonly amountType: ColumnDataType;
  /** Reads can lock rows. Where they cannot, every write transaction must have the database to itself. */
  readonly locksRows: boolean;
  /** A transaction sees what others commit meanwhile, unless it is asked for more isolation. */
  readonly snapshotsNeedIsolation: boolean;
  /** undefined where the error does not come from the database. */
  failureOf(error: unknown): DatabaseFailure | undefined;
}

export const SQLITE: DialectTraits = {
  amountType: "text",
  locksRows: false,
  snapshotsNeedIsolation: false,
  failureOf: (error) => {
    if (error instanceof Database.SqliteError) {
      if (error.code === "SQLITE_CONSTRAINT_PRIMARYKEY") return "keyConflict";
      if (error.code === "SQLITE_CONSTRAINT_UNIQUE") return "keyConflict";
      return error.code.startsWith("SQLITE_CONSTRAINT") ? "constraint" : "unavailable";
    }
    return error instanceof Error && CLOSED_MESSAGES.includes(error.message) ? "unavailable" : undefined;
  },
};

/** What better-sqlite3 and Kysely say, without a code, of a database that was closed. */
const CLOSED_MESSAGES = ["The database connection is not open", "driver has already been destroyed"];
