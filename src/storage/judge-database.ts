/** Judges what a database tells of itself: does it keep what it promised, and is there room for every instance? */
import type { Finding } from "../domain/finding.ts";
import { fault, faultIf, ok, warn } from "../domain/finding.ts";
import type { RoundTrip } from "../domain/round-trip.ts";
import { clockOffset, formatMs, formatOffset, medianMs } from "../domain/round-trip.ts";

export interface ServerFacts {
  readonly type: "postgres" | "mysql";
  readonly trips: readonly RoundTrip[];
  /** Settings by name in small letters, as a connection of ours sees them. */
  readonly settings: ReadonlyMap<string, string>;
  /** Connections at this moment, our own among them. */
  readonly connections: number;
  /** Tables of ours that another engine than InnoDB keeps. */
  readonly foreignTables: readonly string[];
}

export interface DatabaseNeeds {
  /** How many instances use the database. */
  readonly instances: number;
  /** The most connections of one instance. */
  readonly poolSize: number;
}

/** Slower answers make every order wait for its intent. */
const SLOW_MS = 50;
const WRONG_CLOCK_MS = 1_000;
const MIN_VERSIONS = { postgres: "13.0", mysql: "8.0", mariadb: "10.6" } as const;
const IS_MARIADB = /mariadb/i;

export function judgeServer(facts: ServerFacts, needs: DatabaseNeeds): readonly Finding[] {
  return [
    judgeReach(facts),
    ...(facts.type === "postgres" ? judgePostgres(facts.settings) : judgeMysql(facts)),
    judgeConnections(facts, needs),
    judgeClock(facts.trips),
  ];
}

function judgeReach({ type, settings, trips }: ServerFacts): Finding {
  const text = settings.get(type === "postgres" ? "server_version" : "version") ?? "unknown";
  const isMariadb = IS_MARIADB.test(text);
  const kind = type === "postgres" ? type : isMariadb ? "mariadb" : "mysql";
  const pingMs = medianMs(trips);
  const says = `${kind} ${/^[\d.]+/.exec(text)?.[0] ?? text}, answers in ${formatMs(pingMs)}`;
  if (isOlderThan(MIN_VERSIONS[kind], text)) {
    return fault("database.reach", says, `upgrade the server to ${kind} ${MIN_VERSIONS[kind]} or newer`);
  }
  if (pingMs <= SLOW_MS) return ok("database.reach", says);
  return warn(
    "database.reach",
    `${says}: every order waits for it`,
    "put the database nearer: the same network or data centre as the instances",
  );
}

function isOlderThan(least: string, version: string): boolean {
  const [[major = 0, minor = 0], [leastMajor = 0, leastMinor = 0]] = [version, least].map((text) =>
    text.split(".").map((part) => Number.parseInt(part, 10)),
  ) as [number[], number[]];
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}

function judgePostgres(settings: ReadonlyMap<string, string>): readonly Finding[] {
  const of = (name: string): string => settings.get(name) ?? "unknown";
  const isolation = of("default_transaction_isolation");
  const durability = [
    ...(of("fsync") === "off"
      ? [
          fault(
            "database.durability",
            "fsync is off: a power cut loses intents and fills, and may destroy the database",
            "set fsync = on in postgresql.conf and reload",
          ),
        ]
      : []),
    ...(of("synchronous_commit") === "off"
      ? [
          fault(
            "database.durability",
            "synchronous_commit is off: a crash forgets intents whose orders were sent",
            "set synchronous_commit = on in postgresql.conf, or for the user and database of database.dsn (alter role, alter database … set)",
          ),
        ]
      : []),
    ...(of("full_page_writes") === "off"
      ? [
          fault(
            "database.durability",
            "full_page_writes is off: a power cut may leave half-written pages",
            "set full_page_writes = on in postgresql.conf and reload",
          ),
        ]
      : []),
  ];
  return [
    ...(durability.length > 0
      ? durability
      : [ok("database.durability", `fsync on, synchronous_commit ${of("synchronous_commit")}`)]),
    faultIf(
      isolation !== "read committed",
      "database.isolation",
      `default_transaction_isolation is ${isolation}`,
      "set default_transaction_isolation = 'read committed', for the server or for the user of database.dsn: with any other, instances that meet are undone again and again",
    ),
    ...(of("default_transaction_read_only") === "on"
      ? [
          fault(
            "database.reach",
            "default_transaction_read_only is on: nothing can be stored",
            "set default_transaction_read_only = off for the server and for the user of database.dsn",
          ),
        ]
      : []),
  ];
}

function judgeMysql({ settings, foreignTables }: ServerFacts): readonly Finding[] {
  const of = (name: string): string => (settings.get(name) ?? "").toLowerCase();
  const isOn = (name: string): boolean => ["on", "1"].includes(of(name));
  const durability: Finding[] = [];
  const problem = (isWrong: boolean, says: string, remedy: string): void => {
    if (isWrong) durability.push(fault("database.durability", says, remedy));
  };
  const flush = of("innodb_flush_log_at_trx_commit");
  problem(
    flush !== "1",
    `innodb_flush_log_at_trx_commit is ${flush || "unknown"}: a crash forgets intents whose orders were sent`,
    "set innodb_flush_log_at_trx_commit = 1 in the server's configuration, and with set global",
  );
  problem(
    isOn("log_bin") && of("sync_binlog") !== "1",
    `sync_binlog is ${of("sync_binlog")} with a binary log: after a power cut replicas may have other rows than the server`,
    "set sync_binlog = 1 in the server's configuration, and with set global",
  );
  problem(
    ["nosync", "littlesync"].includes(of("innodb_flush_method")),
    `innodb_flush_method is ${of("innodb_flush_method")}: nothing waits for the disk`,
    "set innodb_flush_method = O_DIRECT in the server's configuration and restart it",
  );
  problem(
    of("innodb_doublewrite") === "off" || of("innodb_doublewrite") === "0",
    "innodb_doublewrite is off: a power cut may leave half-written pages",
    "set innodb_doublewrite = ON in the server's configuration and restart it",
  );
  return [
    ...(durability.length > 0
      ? durability
      : [ok("database.durability", "innodb_flush_log_at_trx_commit 1, every commit waits for the disk")]),
    // The server's own default does not matter: each connection of ours sets what it needs.
    ok("database.isolation", "read committed and strict sql_mode, set by each connection"),
    ...(foreignTables.length === 0
      ? []
      : [
          fault(
            "database.durability",
            `not kept by InnoDB, so without transactions: ${foreignTables.join(", ")}`,
            `stop all instances and run alter table ${foreignTables[0]} engine = InnoDB, and so on`,
          ),
        ]),
  ];
}

function judgeConnections(facts: ServerFacts, { instances, poolSize }: DatabaseNeeds): Finding {
  const { type, settings, connections } = facts;
  const number = (name: string): number => Number(settings.get(name) ?? 0);
  const reserved = type === "postgres" ? number("superuser_reserved_connections") : 0;
  const most = number("max_connections") - reserved;
  const wanted = instances * poolSize;
  const says = `${instances} × ${poolSize} of ${most} (${connections} are open now)`;
  return faultIf(
    wanted > most,
    "database.connections",
    wanted > most ? `the pools of all instances need more than there are: ${says}` : says,
    `raise the server's max_connections to ${wanted + reserved + 10}, or lower database.max_open_conns to ${Math.max(1, Math.floor(most / instances))}`,
  );
}

function judgeClock(trips: readonly RoundTrip[]): Finding {
  const { aheadMs, errorMs } = clockOffset(trips);
  const says = `${formatOffset(aheadMs)} (± ${formatMs(errorMs)})`;
  if (Math.abs(aheadMs) - errorMs <= WRONG_CLOCK_MS) return ok("database.clock", says);
  return warn(
    "database.clock",
    `${says}; leases run in the database's own time and are safe, times that people compare are not`,
    "synchronize the clocks of both computers (chrony, systemd-timesyncd)",
  );
}
