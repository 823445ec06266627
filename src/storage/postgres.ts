/** PostgreSQL: how to connect to it, and what is particular about it. */
import { randomBytes } from "node:crypto";
import type { ConnectionOptions } from "node:tls";
import type { Dialect } from "kysely";
import { PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from "kysely";
import pg from "pg";
import { connectToAny, NoWritesError } from "./connect.ts";
import type { ConnectPlan, TlsFiles } from "./connect.ts";
import { ConnectionFailure } from "./connection-failure.ts";
import type { Answer, Lane, PoolLimits, ServerConnection } from "./connection-pool.ts";
import { ConnectionPool } from "./connection-pool.ts";
import type { DatabaseFailure, DialectTraits } from "./dialect.ts";
import type { ServerAddress } from "./dsn.ts";
import { describeHost } from "./dsn.ts";
import { limited } from "./limited.ts";
import { ServerDriver } from "./server-driver.ts";

const SCHEMA_LOCK = 4_027_519_861;
/** A process that stops amid a transaction must not keep its successor from the claim for longer. */
const IDLE_TRANSACTION_LIMIT_MS = 5_000;
/** Who does not go on with a transaction for so long is asleep, where its claim is known to be void. */
const SLEEP_MS = 300;
const APPLICATION = "quantmesh/";
/** Tells this process's sessions from those of other instances. */
const OWN_APPLICATION = `${APPLICATION}${randomBytes(6).toString("hex")}`;

export const POSTGRES: DialectTraits = {
  type: "postgres",
  amountType: "numeric(36, 18)",
  locksRows: true,
  saysForShare: true,
  snapshotsNeedIsolation: true,
  undoesSchemaChanges: true,
  saysOnConflict: true,
  runsBlocks: false,
  tableOptions: undefined,
  nowMs: "floor(extract(epoch from clock_timestamp()) * 1000)::bigint",
  takeSchemaLock: `select pg_try_advisory_lock(${SCHEMA_LOCK})::int as taken`,
  freeSchemaLock: `select pg_advisory_unlock(${SCHEMA_LOCK})`,
  // A process sleeps as a whole: what of it waits for a row would fall asleep with that row, one after the other.
  endSleepers: `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and usename = current_user
      and (state = 'idle in transaction' or wait_event_type = 'Lock')
      and application_name in (
        select application_name from pg_stat_activity
        where datname = current_database() and usename = current_user
          and application_name like '${APPLICATION}%' and application_name <> '${OWN_APPLICATION}'
          and state = 'idle in transaction' and state_change < clock_timestamp() - interval '${SLEEP_MS} milliseconds')`,
  failureOf: failureOfPostgres,
  isMissingTable: (error) => stateOf(error) === "42P01",
  isAlreadyThere: (error) => stateOf(error) === "42P07",
};

export interface ServerOptions {
  readonly limits: PoolLimits;
  /** How long a connection, a statement or the wait for a lock may take. */
  readonly limitMs: number;
}

export function postgresPool(address: ServerAddress, { limits, limitMs }: ServerOptions): ConnectionPool {
  return new ConnectionPool(connectToAny(address, connect, isRefusal, limitMs), limits);
}

export function postgresDialect(pool: ConnectionPool, limitMs: number, lane: Lane): Dialect {
  return {
    createDriver: () =>
      new ServerDriver(pool, limitMs, lane, ({ isolationLevel, accessMode }) => {
        const isolation = isolationLevel === undefined ? "" : ` isolation level ${isolationLevel}`;
        return [`begin${isolation}${accessMode === undefined ? "" : ` ${accessMode}`}`];
      }),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db) => new PostgresIntrospector(db),
  };
}

/** The settings of one connection, for those that need one of their own. */
export function postgresClientConfig({ address, host, tls, limitMs }: ConnectPlan): pg.ClientConfig {
  const { user, password, database, searchPath } = address;
  return {
    ...host,
    user,
    password: password.reveal(),
    database,
    ssl: tls === undefined ? false : tlsOptions(tls),
    keepAlive: true,
    connectionTimeoutMillis: limitMs,
    lock_timeout: Math.ceil(limitMs / 2),
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_LIMIT_MS,
    application_name: OWN_APPLICATION,
    ...(searchPath === undefined
      ? {}
      : { options: `-c search_path=${searchPath.replaceAll(/[\\ ]/g, "\\$&")}` }),
  };
}

function tlsOptions({ isNameChecked, ...files }: TlsFiles): ConnectionOptions {
  return isNameChecked ? files : { ...files, checkServerIdentity: () => undefined };
}

async function connect(plan: ConnectPlan): Promise<ServerConnection> {
  const client = new pg.Client({ ...postgresClientConfig(plan), types: { getTypeParser } });
  const lost = { isLost: false };
  const lose = (): void => {
    lost.isLost = true;
  };
  client.on("error", lose);
  client.on("end", lose);
  const destroy = (): void => {
    lose();
    // `end` waits for the server; a frozen one never answers.
    client.connection.stream.destroy();
  };
  try {
    return await limited(
      greet(client, plan, lost, destroy),
      plan.limitMs,
      () => new Error("no answer in time"),
    );
  } catch (error) {
    destroy();
    throw error;
  }
}

async function greet(
  client: pg.Client,
  { host }: ConnectPlan,
  lost: { readonly isLost: boolean },
  destroy: () => void,
): Promise<ServerConnection> {
  await client.connect();
  const { rows } = await client.query<{ started: string; standby: boolean }>(
    "select extract(epoch from pg_postmaster_start_time())::text as started, pg_is_in_recovery() as standby",
  );
  const [server] = rows;
  if (server?.standby) throw new NoWritesError();
  return {
    server: `${describeHost(host)} since ${server?.started ?? "?"}`,
    get isLost() {
      return lost.isLost;
    },
    execute: async (sql, parameters, isRepeated): Promise<Answer> => {
      try {
        const values = parameters as unknown[];
        const result = await client.query<Record<string, unknown>>(
          isRepeated ? { name: nameOf(sql), text: sql, values } : { text: sql, values },
        );
        return {
          rows: result.rows,
          affected: result.command === "SELECT" ? undefined : (result.rowCount ?? 0),
        };
      } catch (error) {
        if (error instanceof pg.DatabaseError && error.severity === "ERROR") throw error;
        destroy();
        const reason = error instanceof Error ? error.message : String(error);
        throw new ConnectionFailure(reason, true, { cause: error });
      }
    },
    destroy,
  };
}

const NAMES = new Map<string, string>();

/** The name under which the server keeps a prepared statement; one per text. */
function nameOf(sql: string): string {
  const known = NAMES.get(sql) ?? `q${NAMES.size + 1}`;
  NAMES.set(sql, known);
  return known;
}

const INT8 = 20;

/** Whole numbers as numbers, which are all safe here; amounts stay the text that they are. */
function getTypeParser(oid: number, format?: "text" | "binary"): (text: string) => unknown {
  if (oid === INT8) return Number;
  return pg.types.getTypeParser(oid, format);
}

/** The server was reached and said no: to ask the next host would only hide it. */
function isRefusal(error: unknown): boolean {
  return failureOfPostgres(error) === "denied";
}

function stateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** Login, database, privileges, a session that may only read. */
const DENIED = ["28000", "28P01", "3D000", "42501", "25006"];
const CONTENTION = ["40001", "40P01", "55P03"];

export function failureOfPostgres(error: unknown): DatabaseFailure | undefined {
  if (error instanceof ConnectionFailure) return "unavailable";
  const state = stateOf(error);
  if (state === undefined) return undefined;
  if (state === "23505") return "keyConflict";
  if (state.startsWith("23") || state.startsWith("22")) return "constraint";
  if (CONTENTION.includes(state)) return "contention";
  return DENIED.includes(state) ? "denied" : "unavailable";
}
