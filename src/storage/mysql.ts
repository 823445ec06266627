/** MySQL and MariaDB: how to connect to them, and what is particular about them. */
import type { Dialect } from "kysely";
import { MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler } from "kysely";
import mysql from "mysql2/promise";
import { connectToAny, NoWritesError } from "./connect.ts";
import type { ConnectPlan, TlsFiles } from "./connect.ts";
import { ConnectionFailure } from "./connection-failure.ts";
import type { Answer, Lane, ServerConnection } from "./connection-pool.ts";
import { ConnectionPool } from "./connection-pool.ts";
import type { DatabaseFailure, DialectTraits } from "./dialect.ts";
import type { ServerAddress } from "./dsn.ts";
import { describeHost } from "./dsn.ts";
import { limited } from "./limited.ts";
import type { ServerOptions } from "./postgres.ts";
import { ServerDriver } from "./server-driver.ts";

const SCHEMA_LOCK = "concat('quantmesh schema ', md5(database()))";

/** What MySQL 8 and MariaDB each know and the other does not. MySQL 8 is written from its manual, and untested. */
export interface MysqlFlavor {
  /** Has a collation that tells texts apart by case and by trailing spaces, under MariaDB's name; else MySQL's. */
  readonly isNopadBinNamed: boolean;
  /** Where the server's status is to be read. */
  readonly statusTable: string;
  /** Has blocks of statements outside of stored programs. */
  readonly runsBlocks: boolean;
  /** Ends a session that stops amid a transaction, by `idle_transaction_timeout`. */
  readonly endsIdleTransactions: boolean;
}

export const MARIADB: MysqlFlavor = {
  isNopadBinNamed: true,
  statusTable: "information_schema.global_status",
  runsBlocks: true,
  endsIdleTransactions: true,
};
export const MYSQL_8: MysqlFlavor = {
  isNopadBinNamed: false,
  statusTable: "performance_schema.global_status",
  runsBlocks: false,
  endsIdleTransactions: false,
};

export function flavorOf(version: string): MysqlFlavor {
  return /mariadb/i.test(version) ? MARIADB : MYSQL_8;
}

export function mysqlTraits(flavor: MysqlFlavor): DialectTraits {
  const collation = flavor.isNopadBinNamed ? "utf8mb4_nopad_bin" : "utf8mb4_0900_bin";
  return {
    type: "mysql",
    amountType: "decimal(36, 18)",
    locksRows: true,
    saysForShare: false,
    snapshotsNeedIsolation: true,
    undoesSchemaChanges: false,
    saysOnConflict: false,
    runsBlocks: flavor.runsBlocks,
    tableOptions: `engine = InnoDB default character set utf8mb4 collate ${collation}`,
    nowMs: "cast(floor(unix_timestamp(sysdate(6)) * 1000) as signed)",
    takeSchemaLock: `select get_lock(${SCHEMA_LOCK}, 0) as taken`,
    freeSchemaLock: `select release_lock(${SCHEMA_LOCK})`,
    // Whoever may see others' transactions may see everything: `idle_transaction_timeout` ends them.
    endSleepers: undefined,
    failureOf: failureOfMysql,
    isMissingTable: (error) => errnoOf(error) === 1146,
    isAlreadyThere: (error) => [1050, 1061].includes(errnoOf(error) ?? 0),
  };
}

export function mysqlPool(address: ServerAddress, { limits, limitMs }: ServerOptions): ConnectionPool {
  return new ConnectionPool(connectToAny(address, connect, isRefusal, limitMs), limits);
}

export function mysqlDialect(pool: ConnectionPool, limitMs: number, lane: Lane): Dialect {
  return {
    createDriver: () =>
      new ServerDriver(pool, limitMs, lane, ({ isolationLevel, accessMode }) => [
        ...(isolationLevel === undefined ? [] : [`set transaction isolation level ${isolationLevel}`]),
        `start transaction${accessMode === undefined ? "" : ` ${accessMode}`}`,
      ]),
    createQueryCompiler: () => new MysqlQueryCompiler(),
    createAdapter: () => new MysqlAdapter(),
    createIntrospector: (db) => new MysqlIntrospector(db),
  };
}

/** The settings of one connection, for those that need one of their own. */
export function mysqlConnectionOptions({
  address,
  host,
  tls,
  limitMs,
}: ConnectPlan): mysql.ConnectionOptions {
  const { user, password, database } = address;
  return {
    ...(host.host.startsWith("/") ? { socketPath: host.host } : host),
    user,
    password: password.reveal(),
    database,
    charset: "utf8mb4",
    supportBigNumbers: true,
    enableKeepAlive: true,
    connectTimeout: limitMs,
    maxPreparedStatements: 100,
    ...(tls === undefined ? {} : { ssl: tlsOptions(tls) }),
  };
}

function tlsOptions({ ca, cert, key, rejectUnauthorized, isNameChecked }: TlsFiles): mysql.SslOptions {
  return {
    rejectUnauthorized,
    verifyIdentity: isNameChecked,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

async function connect(plan: ConnectPlan): Promise<ServerConnection> {
  const opening = mysql.createConnection(mysqlConnectionOptions(plan));
  const late = (): Error => {
    // One that opens after all is of no use any more.
    void opening.then(
      (connection) => connection.destroy(),
      () => undefined,
    );
    return new Error("no answer in time");
  };
  const connection = await limited(opening, plan.limitMs, late);
  const lost = { isLost: false };
  connection.on("error", () => {
    lost.isLost = true;
  });
  const destroy = (): void => {
    lost.isLost = true;
    connection.destroy();
  };
  try {
    return await limited(
      greet(connection, plan, lost, destroy),
      plan.limitMs,
      () => new Error("no answer in time"),
    );
  } catch (error) {
    destroy();
    throw error;
  }
}

async function greet(
  connection: mysql.Connection,
  { host, limitMs }: ConnectPlan,
  lost: { readonly isLost: boolean },
  destroy: () => void,
): Promise<ServerConnection> {
  const [rows] = await connection.query<mysql.RowDataPacket[]>(
    "select version() as version, @@global.read_only as readonly",
  );
  const { version, readonly } = rows[0] as { version: string; readonly: number };
  if (readonly === 1) throw new NoWritesError();
  const flavor = flavorOf(version);
  const [starts] = await connection.query<mysql.RowDataPacket[]>(
    `select unix_timestamp() - variable_value as started from ${flavor.statusTable} where variable_name = 'UPTIME'`,
  );
  await connection.query(sessionSettings(flavor, limitMs));
  await connection.query("set session transaction isolation level read committed");
  return {
    // To the second: a server that was restarted within its first second passes for the same.
    server: `${describeHost(host)} since ${String(starts[0]?.["started"])}`,
    get isLost() {
      return lost.isLost;
    },
    execute: async (sql, parameters, isRepeated): Promise<Answer> => {
      try {
        const values = parameters as (string | number | null)[];
        const [result] = isRepeated
          ? await connection.execute<mysql.RowDataPacket[] | mysql.ResultSetHeader>(sql, values)
          : await connection.query<mysql.RowDataPacket[] | mysql.ResultSetHeader>(sql, values);
        if (Array.isArray(result)) return { rows: rowsOf(result), affected: undefined };
        return { rows: [], affected: result.affectedRows };
      } catch (error) {
        if (errnoOf(error) !== undefined && !isFatal(error)) throw error;
        destroy();
        const reason = error instanceof Error ? error.message : String(error);
        throw new ConnectionFailure(reason, true, { cause: error });
      }
    },
    destroy,
  };
}

/** A block answers with its rows, and how it ended beside them. */
function rowsOf(result: mysql.RowDataPacket[]): Record<string, unknown>[] {
  const [first] = result;
  return Array.isArray(first) ? (first as Record<string, unknown>[]) : result;
}

/** What does not fit is refused, not cut short. */
function sessionSettings({ endsIdleTransactions }: MysqlFlavor, limitMs: number): string {
  return [
    "set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    `innodb_lock_wait_timeout = ${Math.max(1, Math.ceil(limitMs / 2000))}`,
    ...(endsIdleTransactions ? ["idle_transaction_timeout = 5"] : []),
  ].join(", ");
}

/** The server was reached and said no: to ask the next host would only hide it. */
function isRefusal(error: unknown): boolean {
  return failureOfMysql(error) === "denied";
}

function errnoOf(error: unknown): number | undefined {
  const isServers = error instanceof Error && "sqlState" in error && "errno" in error;
  return isServers && typeof error.errno === "number" ? error.errno : undefined;
}

function isFatal(error: unknown): boolean {
  return error instanceof Error && "fatal" in error && error.fatal === true;
}

const KEY_CONFLICTS = [1062, 1586];
/** Foreign keys, missing values, values out of range or too long. */
const CONSTRAINTS = [1048, 1216, 1217, 1264, 1265, 1366, 1406, 1451, 1452, 3819, 4025];
/** Deadlock, and a lock that did not come in time. */
const CONTENTION = [1205, 1213];
/** Login, database, privileges, a server or a session that may only read: then even a COMMIT is undone. */
const DENIED = [1044, 1045, 1049, 1142, 1143, 1227, 1290, 1370, 1698, 1792, 1836];

export function failureOfMysql(error: unknown): DatabaseFailure | undefined {
  if (error instanceof ConnectionFailure) return "unavailable";
  const errno = errnoOf(error);
  if (errno === undefined) return undefined;
  if (KEY_CONFLICTS.includes(errno)) return "keyConflict";
  if (CONSTRAINTS.includes(errno)) return "constraint";
  if (CONTENTION.includes(errno)) return "contention";
  return DENIED.includes(errno) ? "denied" : "unavailable";
}
