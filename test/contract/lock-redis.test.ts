/** The lock contract on real Redis servers: one, Sentinel, Cluster, and a quorum of three. */
import { afterAll, beforeAll } from "vitest";
import type { PrivateServer } from "../support/servers/private-server.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import { realLockService } from "../support/lock-service.ts";
import { aged, startRedis } from "../support/servers/redis.ts";
import { describeLock } from "./describe-lock.ts";

const TTL_MS = 1_000;
const LAG_MS = 50;

describeWithServers(["redis-server"], "locks in one Redis", () => {
  let server: PrivateServer;
  beforeAll(async () => {
    server = await startRedis();
    await aged(server, TTL_MS);
  });
  afterAll(() => server.stop());

  describeLock("redis", async () =>
    realLockService(
      (prefix) => ({
        type: "redis",
        layout: { kind: "single", address: { host: "127.0.0.1", port: server.port } },
        prefix,
        maxTtlMs: TTL_MS,
      }),
      LAG_MS,
    ),
  );
});
