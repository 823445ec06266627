/** The private servers that other suites rely on. */
import { existsSync } from "node:fs";
import { Redis } from "ioredis";
import { expect, it } from "vitest";
import { startEtcd } from "../support/servers/etcd.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import { startRedis } from "../support/servers/redis.ts";

describeWithServers(["redis-server"], "a private Redis", () => {
  it("comes back empty on its port after a crash and leaves no folder", async () => {
    const server = await startRedis();
    const redis = new Redis(server.port, "127.0.0.1");
    redis.on("error", () => undefined);
    await redis.set("key", "value");
    await server.restart();
    expect(await redis.get("key")).toBeNull();
    redis.disconnect();
    await server.stop();
    expect(existsSync(server.folder)).toBe(false);
  });
});

describeWithServers(["etcd"], "a private etcd cluster", () => {
  it("answers on three nodes and survives the loss of one", async () => {
    const nodes = await startEtcd(3);
    expect(nodes).toHaveLength(3);
    await nodes[0]?.crash();
    await nodes[0]?.restart();
    await Promise.all(nodes.map((node) => node.stop()));
    expect(nodes.some(({ folder }) => existsSync(folder))).toBe(false);
  });
});
