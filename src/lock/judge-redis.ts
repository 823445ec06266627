/** Judges what a Redis server tells of itself, for locks: may it forget, drop or refuse one that is held? */
import type { Finding } from "../domain/finding.ts";
import { fault, faultIf, ok, warn } from "../domain/finding.ts";
import { formatMs } from "../domain/round-trip.ts";
import type { RedisInfo } from "./redis-info.ts";
import { judgeServer } from "./redis-info.ts";

export interface RedisFacts {
  /** Names it in messages: host:port. */
  readonly name: string;
  readonly info: RedisInfo;
  /** Of a few pings. */
  readonly pingMs: number;
}

export interface RedisNeeds {
  readonly maxTtlMs: number;
  /** One of several independent servers, of which a majority grants. */
  readonly isVoter: boolean;
  readonly isCluster: boolean;
}

/** Of the time after which a call counts as unanswered, a quarter of the TTL. */
const SLOW_SHARE = 0.25;
/** Of maxmemory; a full server refuses new locks. */
const FULL_SHARE = 0.9;
const OLDEST_MAJOR = 5;

export function judgeRedis({ name, info, pingMs }: RedisFacts, needs: RedisNeeds): readonly Finding[] {
  const of = (key: string): string => info.get(key) ?? "";
  return [
    judgeReach(`${name}: version ${of("redis_version")}, answers in ${formatMs(pingMs)}`, of, pingMs, needs),
    ...judgeRole(name, of, needs),
    judgeEviction(name, of),
    ...judgeMemory(name, of),
    judgePersistence(name, of, needs),
    judgeAge(name, info, needs),
  ];
}

type Of = (key: string) => string;

function judgeReach(says: string, of: Of, pingMs: number, { maxTtlMs, isCluster }: RedisNeeds): Finding {
  if (Number.parseInt(of("redis_version"), 10) < OLDEST_MAJOR) {
    return fault("redis.reach", says, `upgrade the server to version ${OLDEST_MAJOR} or newer`);
  }
  const runsClustered = of("cluster_enabled") === "1";
  if (runsClustered !== isCluster) {
    return isCluster
      ? fault(
          "redis.reach",
          `${says}; it is not part of a cluster`,
          "name it in distributed_lock.redis.addr instead of cluster, or start it with cluster-enabled yes",
        )
      : fault(
          "redis.reach",
          `${says}; it is part of a cluster`,
          "list the cluster's masters in distributed_lock.redis.cluster instead",
        );
  }
  if (pingMs <= (maxTtlMs / 4) * SLOW_SHARE) return ok("redis.reach", says);
  return warn(
    "redis.reach",
    `${says}: a call counts as unanswered after ${formatMs(maxTtlMs / 4)}`,
    "put Redis nearer to the instances, or raise distributed_lock.default_ttl",
  );
}

function judgeRole(name: string, of: Of, { isVoter, isCluster }: RedisNeeds): readonly Finding[] {
  if (of("role") !== "master") {
    const master = of("master_host") === "" ? "its master" : `${of("master_host")}:${of("master_port")}`;
    return [
      fault(
        "redis.role",
        `${name}: it is a replica, which takes no locks`,
        `name ${master} in distributed_lock.redis, or replicaof no one if it shall stand alone`,
      ),
    ];
  }
  const replicas = Number(of("connected_slaves"));
  if (!(replicas > 0)) return [ok("redis.role", `${name}: master without replicas`)];
  const says = `${name}: ${replicas} ${replicas === 1 ? "replica copies" : "replicas copy"} its locks late`;
  if (isVoter) {
    return [
      fault(
        "redis.role",
        `${says}: after a failover a majority may grant a level twice`,
        "run each server of distributed_lock.redis.nodes without replicas",
      ),
    ];
  }
  return [
    warn(
      "redis.role",
      `${says}: after a failover two fleets may hold one level`,
      isCluster
        ? "use distributed_lock.redis.nodes (three or five independent servers) where another fleet trades the account"
        : "where another fleet trades the account, use distributed_lock.redis.nodes: three or five servers without replicas",
    ),
  ];
}

function judgeEviction(name: string, of: Of): Finding {
  const policy = of("maxmemory_policy");
  const says = `${name}: maxmemory-policy ${policy}`;
  if (policy === "noeviction") return ok("redis.eviction", says);
  const remedy =
    "set maxmemory-policy noeviction in redis.conf, and with config set maxmemory-policy noeviction";
  if (Number(of("maxmemory")) > 0) {
    return fault("redis.eviction", `${says} with maxmemory: it may drop locks that are held`, remedy);
  }
  return warn("redis.eviction", `${says}; harmless only until somebody sets maxmemory`, remedy);
}

function judgeMemory(name: string, of: Of): readonly Finding[] {
  const [most, used] = [Number(of("maxmemory")), Number(of("used_memory"))];
  if (!(most > 0)) return [];
  const says = `${name}: ${Math.round((100 * used) / most)} % of maxmemory used`;
  if (used < most * FULL_SHARE) return [ok("redis.memory", says)];
  return [
    warn(
      "redis.memory",
      `${says}: a full server refuses new locks`,
      "raise maxmemory in redis.conf, or give the locks a server of their own",
    ),
  ];
}

function judgePersistence(name: string, of: Of, { maxTtlMs }: RedisNeeds): Finding {
  const aof = of("aof_enabled") === "1";
  const hasFailed = (aof ? of("aof_last_write_status") : of("rdb_last_bgsave_status")) === "err";
  if (hasFailed) {
    return fault(
      "redis.persistence",
      `${name}: its last ${aof ? "write to the append-only file" : "save"} failed, so it refuses writes`,
      "free disk space in Redis' folder (config get dir), or let redis write there",
    );
  }
  const wait = `after a restart it grants nothing for ${maxTtlMs / 1000} s`;
  return ok("redis.persistence", `${name}: ${aof ? "append-only file" : "no append-only file"}; ${wait}`);
}

/** As `RedisNode` judges it before it grants. */
function judgeAge(name: string, info: RedisInfo, { maxTtlMs }: RedisNeeds): Finding {
  const verdict = judgeServer(info, maxTtlMs);
  const hours = (Number(info.get("uptime_in_seconds")) / 3600).toFixed(1);
  if (verdict.kind === "unfit" || verdict.waitMs === 0) return ok("redis.age", `${name}: up ${hours} h`);
  return warn(
    "redis.age",
    `${name}: younger than the longest lock, grants nothing for another ${Math.ceil(verdict.waitMs / 1000)} s`,
    "wait; if it restarts again and again, find out why, or lower distributed_lock.default_ttl",
  );
}

/** Of the servers that a majority is made of: `names` as configured, `answering` those that answered. */
export function judgeQuorum(names: readonly string[], answering: readonly RedisFacts[]): readonly Finding[] {
  const count = names.length;
  const findings: Finding[] = [];
  if (count !== 3 && count !== 5) {
    const says =
      count % 2 === 0 ? "an even number has no majority when it is split" : "a majority needs more";
    findings.push(
      fault(
        "redis.quorum",
        `${count} servers: ${says}; no instance starts`,
        "list three or five independent servers in distributed_lock.redis.nodes",
      ),
    );
  }
  const runs = new Set(answering.map(({ info }) => info.get("run_id")));
  for (const run of runs) {
    const same = answering.filter(({ info }) => info.get("run_id") === run);
    if (run === undefined || same.length < 2) continue;
    findings.push(
      fault(
        "redis.quorum",
        `${same.map(({ name }) => name).join(" and ")} are one and the same server`,
        "list different servers in distributed_lock.redis.nodes, each on a computer of its own",
      ),
    );
  }
  if (findings.length > 0) return findings;
  const majority = Math.floor(count / 2) + 1;
  return [
    faultIf(
      answering.length < majority,
      "redis.quorum",
      `${answering.length} of ${count} servers answer, ${majority} are needed`,
      `start the servers of distributed_lock.redis.nodes that do not answer`,
    ),
  ];
}
