/** Which checks a config calls for. */
import type { Config } from "../../config/schema.ts";
import { checkEtcd } from "../../coordination/check-etcd.ts";
import type { Finding } from "../../domain/finding.ts";
import { fault, ok, warn } from "../../domain/finding.ts";
import type { DatabaseAddress } from "../../storage/dsn.ts";
import { describeAddress } from "../../storage/dsn.ts";
import { checkTimes } from "../check-grids.ts";
import { databaseAddress, spoolFile, storedAt } from "../database-config.ts";
import { redisOptions } from "../lock-options.ts";
import { realExchangeOf } from "../open-market.ts";
import { etcdOptions } from "../open-store.ts";
import type { Place } from "./check-disk.ts";
import { checkDisk } from "./check-disk.ts";
import { checkMachine, checkSecrets } from "./check-machine.ts";
import { checkPorts } from "./check-ports.ts";
import type { FleetSight } from "./look-at-fleet.ts";
import { judgeFleet } from "./look-at-fleet.ts";
import type { Check } from "./run-checks.ts";
import { reasonOf, within } from "./run-checks.ts";

export interface Installation {
  readonly config: Config;
  readonly file: string;
  /** Of the file as they stand there. */
  readonly values: unknown;
  /** Keys of the file that have no effect. */
  readonly warnings: readonly string[];
  /** In mode dynamic, where etcd answered. */
  readonly sight: FleetSight | undefined;
  readonly limitMs: number;
}

/** The list of all markets of an exchange is long. */
const EXCHANGE_LIMITS = 5;
/** Of the limit for one connection or call: what it says is worth more than that it took too long. */
const OWN_SHARE = 0.8;
const IN_MEMORY = ":memory:";

/** Throws CONFIG_INVALID where `database.dsn` is no address. */
export function plannedChecks(installation: Installation): readonly Check[] {
  const { config, file, values, sight, limitMs } = installation;
  const { coordination, distributed_lock: lock, instance, database } = config;
  databaseAddress(config);
  const address = storedAt(config);
  const instances = countInstances(config, sight);
  const isRunning = sight?.view.members.has(instance.id) ?? false;
  const here = { limitMs, remedy: "report it with the output of quantmesh doctor --json" };
  const checks: (Check | false)[] = [
    { ...here, check: "config", what: file, run: async () => checkConfig(installation) },
    { ...here, check: "secrets", what: file, run: async () => checkSecrets(file, values, config) },
    { ...here, check: "machine", what: "this process", run: async () => checkMachine() },
    {
      check: "disk",
      what: "folders of this instance",
      remedy:
        "see whether a network file system hangs, and move database.spool_file to a disk of this computer",
      limitMs,
      run: () => checkDisk(placesOf(config, address)),
    },
    {
      ...here,
      check: "ports",
      what: "ports of this instance",
      run: () => checkPorts(config, isRunning, limitMs / 2),
    },
    {
      check: "database.reach",
      what: describeAddress(address),
      remedy:
        "see whether the database server hangs, and whether a firewall drops what is sent to database.dsn",
      limitMs,
      run: async () => {
        if (address.type === "sqlite" && address.file === IN_MEMORY) {
          return [ok("database.reach", "nothing is stored outside of this process")];
        }
        const { checkDatabase } = await import("../../storage/check-database.ts");
        return checkDatabase(address, { instances, poolSize: database.max_open_conns }, limitMs * OWN_SHARE);
      },
    },
    { ...here, check: "lock", what: "distributed_lock", run: async () => [judgeLock(config)] },
    lock.enabled &&
      lock.type === "redis" && {
        check: "redis.reach",
        what: "Redis",
        remedy:
          "see whether Redis hangs, and whether a firewall drops what is sent to distributed_lock.redis",
        limitMs,
        run: async () => {
          const { checkRedis } = await import("../../lock/check-redis.ts");
          return checkRedis(redisOptions(lock), limitMs * OWN_SHARE);
        },
      },
    coordination.mode === "dynamic" && {
      check: "etcd.reach",
      what: coordination.etcd.hosts.join(", "),
      remedy: "see whether etcd hangs, and whether a firewall drops what is sent to coordination.etcd.hosts",
      limitMs,
      run: async () =>
        checkEtcd(
          { ...(await etcdOptions(config)), limitMs: limitMs * OWN_SHARE },
          coordination.lease_ttl * 1000,
        ),
    },
    sight !== undefined && {
      ...here,
      check: "fleet",
      what: coordination.fleet,
      run: async () => judgeFleet(sight, config, values),
    },
    sight !== undefined && {
      ...here,
      check: "fleet.peers",
      what: coordination.fleet,
      run: async () => {
        const { checkPeers } = await import("./check-peers.ts");
        return checkPeers(sight.view, config, limitMs * OWN_SHARE);
      },
    },
    {
      check: "exchange.reach",
      what: realExchangeOf(config)?.name ?? "the simulated market",
      remedy:
        "see whether this computer reaches the exchange (firewall, proxy), or give it longer with --timeout",
      limitMs: EXCHANGE_LIMITS * limitMs,
      run: async () => {
        const { listStoredBots } = await import("../find-stored-bot.ts");
        const { checkExchange } = await import("./check-exchange.ts");
        // Of a database that does not answer, database.reach tells.
        const stored = await within(limitMs, listStoredBots(config)).catch(() => []);
        return checkExchange(config, instances, stored);
      },
    },
  ];
  return checks.filter((check) => check !== false);
}

/** Those that run, this one among them, or as many as the config speaks of. */
function countInstances({ instance, coordination }: Config, sight: FleetSight | undefined): number {
  if (coordination.mode === "solo") return 1;
  if (coordination.mode === "static") return instance.total;
  const ids = new Set([...(sight?.view.members.keys() ?? []), instance.id]);
  return ids.size;
}

function checkConfig({ config, file, warnings }: Installation): readonly Finding[] {
  const { trading, coordination } = config;
  const findings: Finding[] = warnings.map((warning) =>
    warn("config", warning, "remove the key, or write it as the line says"),
  );
  try {
    checkTimes(config);
  } catch (error) {
    const ttl = "distributed_lock.default_ttl";
    findings.push(fault("config", reasonOf(error), `set ${ttl} to three times the request window or more`));
  }
  const found = realExchangeOf(config);
  const market = found ? `${found.name} (${found.real.mode})` : "the simulated market";
  const grids = `${trading.symbols.length} ${trading.symbols.length === 1 ? "grid" : "grids"}`;
  return [...findings, ok("config", `${file}: ${grids} on ${market}, mode ${coordination.mode}`)];
}

function judgeLock({ distributed_lock: lock, coordination }: Config): Finding {
  if (lock.enabled && lock.type !== "memory") {
    return ok("lock", `${lock.type}, ${lock.default_ttl} s: keeps away whatever else uses it`);
  }
  const says = `${lock.enabled ? "type memory" : "enabled: false"}: guards this process alone`;
  if (coordination.mode === "solo") return ok("lock", says);
  return warn("lock", says, "set distributed_lock.enabled: true with type redis or database");
}

function placesOf(config: Config, address: DatabaseAddress): readonly Place[] {
  const spool = spoolFile(config, address);
  const found = realExchangeOf(config);
  const journal =
    found === undefined
      ? {
          what: "journal",
          file: config.exchanges.sim.journal,
          key: "exchanges.sim.journal",
          isDatabase: false,
        }
      : found.real.mode === "paper"
        ? {
            what: "paper account",
            file: `${found.real.paper.journal}/journal`,
            key: `exchanges.${found.name}.paper.journal`,
            isDatabase: false,
          }
        : undefined;
  const places: readonly (Place | undefined)[] = [
    address.type === "sqlite"
      ? { what: "database", file: address.file, key: "database.dsn", isDatabase: true }
      : undefined,
    { what: "spool", file: spool, key: "database.spool_file", isDatabase: false },
    journal,
  ];
  return places.filter((place) => place !== undefined && place.file !== IN_MEMORY) as readonly Place[];
}
