/** The sections about one instance and the services it uses: database, lock, logging, web server. */
import { z } from "zod";
import { choice, flag, section, text, wholeNumber } from "./fields.ts";

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
const MAX_TTL_SECONDS = 3600;

export const databaseSchema = section({
  type: choice(["sqlite", "postgres", "mysql"]).default("sqlite").describe("Kind of database."),
  dsn: text()
    .default("./data/quantmesh.db")
    .describe("Path of the database file; a relative path starts at the current working directory."),
  spool_file: text()
    .optional()
    .describe(
      "File on this machine's disk that keeps fills while the database is away; unless given, the database file's name with .spool at its end.",
    ),
  spool_capacity: wholeNumber(100, 10_000_000)
    .default(100_000)
    .describe("Most fills that the spool keeps; beyond that they stay at the exchange until there is room."),
});

export const lockSchema = section({
  enabled: flag()
    .default(true)
    .describe(
      "Each price level is locked before an order is sent; false is warned about and changes nothing.",
    ),
  type: choice(["memory"], {
    redis: 'lock type "redis" is not available in this version; use memory',
    etcd: 'lock type "etcd" is not available in this version; use memory',
    database: 'lock type "database" is not available in this version; use memory',
  })
    .default("memory")
    .describe("Where the locks are kept: memory guards one process."),
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
