/** What is said of a Redis server that keeps locks. */
import { describe, expect, it } from "vitest";
import type { RedisFacts } from "../../../src/lock/judge-redis.ts";
import { judgeQuorum, judgeRedis } from "../../../src/lock/judge-redis.ts";

const GOOD = {
  redis_version: "7.0.15",
  role: "master",
  connected_slaves: "0",
  cluster_enabled: "0",
  maxmemory: "0",
  used_memory: "1000000",
  maxmemory_policy: "noeviction",
  aof_enabled: "0",
  rdb_last_bgsave_status: "ok",
  uptime_in_seconds: "7200",
  run_id: "a",
};
const NEEDS = { maxTtlMs: 30_000, isVoter: false, isCluster: false };

function facts(changes: Readonly<Record<string, string>> = {}, name = "r:1", pingMs = 0.3): RedisFacts {
  return { name, info: new Map(Object.entries({ ...GOOD, ...changes })), pingMs };
}

function worst(changes: Readonly<Record<string, string>>, needs: Partial<typeof NEEDS> = {}): string[] {
  return judgeRedis(facts(changes), { ...NEEDS, ...needs })
    .filter(({ level }) => level !== "ok")
    .map(({ check, level }) => `${level} ${check}`);
}

describe("a Redis server", () => {
  it("is good as it comes, with what was measured", () => {
    expect(worst({})).toEqual([]);
    expect(judgeRedis(facts(), NEEDS).map(({ says }) => says)).toEqual([
      "r:1: version 7.0.15, answers in 0.3 ms",
      "r:1: master without replicas",
      "r:1: maxmemory-policy noeviction",
      "r:1: no append-only file; after a restart it grants nothing for 30 s",
      "r:1: up 2.0 h",
    ]);
  });

  it.each([
    [
      "may drop locks with maxmemory",
      { maxmemory: "64000000", maxmemory_policy: "volatile-lru" },
      "fault redis.eviction",
    ],
    ["would drop locks once maxmemory is set", { maxmemory_policy: "allkeys-lru" }, "warn redis.eviction"],
    ["is a replica", { role: "slave", master_host: "m", master_port: "1" }, "fault redis.role"],
    ["has replicas that are late", { connected_slaves: "1" }, "warn redis.role"],
    ["is almost full", { maxmemory: "1050000" }, "warn redis.memory"],
    ["could not save", { rdb_last_bgsave_status: "err" }, "fault redis.persistence"],
    ["could not append", { aof_enabled: "1", aof_last_write_status: "err" }, "fault redis.persistence"],
    ["is too young to grant", { uptime_in_seconds: "10" }, "warn redis.age"],
    ["is of a cluster that the config does not know of", { cluster_enabled: "1" }, "fault redis.reach"],
    ["is too old", { redis_version: "4.0.1" }, "fault redis.reach"],
  ])("that %s is told of", (_, changes, expected) => {
    expect(worst(changes)).toEqual([expected]);
  });

  it("that stands alone is no part of a cluster, and one that votes may have no replicas", () => {
    expect(worst({}, { isCluster: true })).toEqual(["fault redis.reach"]);
    expect(worst({ connected_slaves: "1" }, { isVoter: true })).toEqual(["fault redis.role"]);
  });

  it("that is slow against the time of a call is told of", () => {
    const [reach] = judgeRedis(facts({}, "r:1", 2_000), NEEDS);
    expect(reach).toMatchObject({ level: "warn", check: "redis.reach" });
  });
});

describe("a majority", () => {
  const answering = ["a", "b", "c"].map((run, index) => facts({ run_id: run }, `r:${index}`));

  it("needs three or five servers that are different", () => {
    const names = answering.map(({ name }) => name);
    expect(judgeQuorum(names, answering)).toEqual([
      { check: "redis.quorum", level: "ok", says: "3 of 3 servers answer, 2 are needed" },
    ]);
    expect(judgeQuorum(names.slice(1), answering)[0]?.says).toMatch(/^2 servers: an even number/);
    expect(judgeQuorum(names.slice(2), answering)[0]?.says).toMatch(/^1 servers: a majority needs more/);
    const same = answering.map(({ name }) => facts({}, name));
    expect(judgeQuorum(names, same)[0]?.says).toBe("r:0 and r:1 and r:2 are one and the same server");
  });

  it("is lost where too few answer", () => {
    expect(judgeQuorum(["a", "b", "c"], answering.slice(2))).toMatchObject([{ level: "fault" }]);
  });
});
