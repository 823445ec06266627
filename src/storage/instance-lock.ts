/** Keeps a second process away from a database, for an instance that is alone on it. */
import { QuantmeshError } from "../domain/errors.ts";
import type { DatabaseAddress } from "./dsn.ts";
import { describeAddress } from "./dsn.ts";
import { mysqlPool } from "./mysql.ts";
import { openingFailure } from "./opening-failure.ts";
import { postgresPool } from "./postgres.ts";
import type { ProcessLock } from "./process-lock.ts";
import { holdProcessLock } from "./process-lock.ts";

const INSTANCE_LOCK = {
  postgres: "select pg_try_advisory_lock(4027519862)::int as taken",
  mysql: "select get_lock(concat('quantmesh instance ', md5(database())), 0) as taken",
} as const;

const DEFAULT_LIMIT_MS = 10_000;

/**
 * Takes the lock of a file, or of a database server: there it belongs to a connection, so it is free at once when the
 * process dies. It only warns a person early; that a market has one owner is the claims' matter. Throws ALREADY_RUNNING
 * with `remedy` where another process has it, STORAGE_UNAVAILABLE or CONFIG_INVALID where the database cannot be asked.
 */
export async function holdInstanceLock(
  address: DatabaseAddress,
  remedy = "stop it first",
  limitMs = DEFAULT_LIMIT_MS,
): Promise<ProcessLock> {
  if (address.type === "sqlite") return holdProcessLock(address.file, remedy);
  const name = describeAddress(address);
  const limits = { maxOpen: 1, maxIdle: 1, maxLifetimeMs: Number.MAX_SAFE_INTEGER };
  const isPostgres = address.type === "postgres";
  const pool = isPostgres
    ? postgresPool(address, { limits, limitMs })
    : mysqlPool(address, { limits, limitMs });
  try {
    const connection = await pool.acquire(limitMs);
    const { rows } = await connection.execute(INSTANCE_LOCK[address.type], [], false);
    if (rows[0]?.["taken"] === 1) {
      return {
        release: () => {
          connection.destroy();
          pool.end();
        },
      };
    }
    connection.destroy();
  } catch (error) {
    pool.end();
    throw openingFailure(address, error);
  }
  pool.end();
  throw new QuantmeshError("ALREADY_RUNNING", `another quantmesh process is running on ${name}: ${remedy}`);
}
