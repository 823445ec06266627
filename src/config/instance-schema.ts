/** The sections about one instance and the services it uses: database, lock, logging, web server. */
import { z } from "zod";
import { choice, etcdMember, flag, section, text, wholeNumber } from "./fields.ts";

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
const MAX_TTL_SECONDS = 3600;

export const databaseSchema = section({
  type: choice(["sqlite", "postgres", "mysql"])
    .default("sqlite")
    .describe("Kind of database; mysql stands for MariaDB too."),
  dsn: text()
    .default("./data/quantmesh.db")
    .describe(
      "Path of the database file (a relative one starts at the current working directory), or address of the database: see docs/database.md.",
    ),
  max_open_conns: wholeNumber(1, 1000)
    .default(10)
    .describe(
      "Most connections to a database server at once, beside one that is kept for claims; SQLite has one.",
    ),
  max_idle_conns: wholeNumber(1, 1000)
    .default(10)
    .describe("Most connections that are kept open while they are not needed."),
  conn_max_lifetime: wholeNumber(1, 86_400)
    .default(3600)
    .describe("Seconds after which a connection is replaced by a new one."),
  spool_file: text()
    .optional()
    .describe(
      "File on this machine's disk that keeps fills while the database is away; unless given, the database file's name with .spool at its end, or for a database server ./data/ID.spool with the instance's id.",
    ),
  spool_capacity: wholeNumber(100, 10_000_000)
    .default(100_000)
    .describe("Most fills that the spool keeps; beyond that they stay at the exchange until there is room."),
});

const redisSchema = section({
  addr: address()
    .default("127.0.0.1:6379")
    .describe("One server, host:port; unused with any of the lists below."),
  sentinels: addresses().describe("Sentinels, host:port each, that name the server of `master_name`."),
  master_name: text().default("mymaster").describe("What the Sentinels call the server."),
  cluster: addresses().describe("Some servers of a Redis Cluster, host:port each."),
  nodes: addresses().describe(
    "Independent servers, three or five, of which a majority grants a lock (Redlock).",
  ),
  username: text().optional().describe("User of the access control list; left out, the default user."),
  password: z.string().default("").describe("Password; empty for none."),
  db: wholeNumber(0, 15).default(0).describe("Number of the database on the server."),
  pool_size: wholeNumber(1, 100)
    .default(1)
    .describe("Connections to one server; each market keeps to one of them."),
  tls: flag().default(false).describe("Whether connections are encrypted."),
});

const etcdSchema = section({
  endpoints: z
    .array(etcdMember())
    .min(1, "must name at least one member")
    .default(["http://127.0.0.1:2379"])
    .describe("Members of the cluster, http://host:port or https://host:port each."),
  username: text().optional().describe("User, where the cluster asks for one."),
  password: z.string().default("").describe("Password of the user."),
});

/** `host:port`. */
function address() {
  return z.string().regex(/^[^\s:]+:\d{1,5}$/, "must be host:port");
}

function addresses() {
  return z.array(address()).default([]);
}

export const lockSchema = section({
  enabled: flag()
    .default(true)
    .describe("Whether price levels are locked at the lock service; otherwise only within this process."),
  type: choice(["memory", "redis", "etcd", "database"])
    .default("memory")
    .describe(
      "Where the locks are kept: memory guards one process, the others whoever shares the account and the service.",
    ),
  granularity: choice(["level", "symbol"])
    .default("level")
    .describe("What one lock guards: a price of a symbol, or the whole symbol. The same in every fleet."),
  redis: redisSchema.prefault({}).describe("The Redis of lock type redis."),
  etcd: etcdSchema.prefault({}).describe("The etcd of lock type etcd."),
  prefix: text().default("quantmesh:lock:").describe("What every lock key begins with."),
  default_ttl: wholeNumber(1, MAX_TTL_SECONDS)
    .default(30)
    .describe("Seconds after which a lock that nobody extends expires."),
});

export const instanceSchema = section({
  id: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, "must be 1 to 64 letters, digits, dots, dashes or underscores")
    .default("quantmesh-1")
    .describe("Name of this instance, unique in its fleet."),
  index: wholeNumber(0, 9999)
    .default(0)
    .describe("Which of instance.total shares of the symbols is this instance's in mode static, from 0."),
  total: wholeNumber(1, 10_000)
    .default(1)
    .describe("Into how many shares mode static divides the symbols of this config; 1 trades them all."),
  role: choice(["active", "standby"])
    .default("active")
    .describe("A standby trades nothing until it takes over from an instance that died."),
});

export const systemSchema = section({
  log_level: z
    .enum([...LOG_LEVELS, "DEBUG", "INFO", "WARN", "ERROR"], {
      error: ({ input }) =>
        typeof input === "string" ? `must be ${LOG_LEVELS.join(" or ")}, not "${input}"` : undefined,
    })
    .transform((level) => level.toLowerCase() as (typeof LOG_LEVELS)[number])
    .default("info")
    .describe("Least severe level that is logged."),
  cancel_on_exit: flag()
    .default(false)
    .describe("Whether an exit cancels every grid order; left out, they rest until the next start."),
  close_positions_on_exit: flag()
    .default(false)
    .describe("Whether an exit sells what the grids hold, at market; it cancels their orders first."),
});

export const webSchema = section({
  enabled: flag().default(true).describe("Whether the web server with metrics and health checks runs."),
  host: text().default("127.0.0.1").describe("Address that it listens on."),
  port: wholeNumber(0, 65_535).default(28_888).describe("Port that it listens on; 0 takes any free port."),
  allowed_hosts: z
    .array(
      z.string().regex(/^[A-Za-z0-9.-]{1,253}$/, "must be a host name without port, like bots.example.org"),
    )
    .default([])
    .describe("Names under which browsers may reach it, besides localhost and addresses."),
});
