/** The lock contract on a real etcd. */
import { afterAll, beforeAll } from "vitest";
import { realLockService } from "../support/lock-service.ts";
import { startEtcd } from "../support/servers/etcd.ts";
import type { PrivateServer } from "../support/servers/private-server.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import { describeLock } from "./describe-lock.ts";

/** A quarter of it is the limit of a call: long enough for a busy machine. */
const TTL_MS = 20_000;
/** A transaction deletes what expired; it waits for the disk. */
const LAG_MS = 400;

describeWithServers(["etcd"], "locks in etcd", () => {
  let servers: readonly PrivateServer[] = [];
  beforeAll(async () => {
    servers = await startEtcd(1);
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
  });

  describeLock("etcd", async () =>
    realLockService(
      (prefix) => ({
        type: "etcd",
        hosts: servers.map(({ port }) => `http://127.0.0.1:${port}`),
        prefix,
        maxTtlMs: TTL_MS,
      }),
      LAG_MS,
    ),
  );
});
