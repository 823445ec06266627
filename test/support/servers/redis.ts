/** A private Redis server of a test's own. */
import { Redis } from "ioredis";
import type { PrivateServer } from "./private-server.ts";
import { findProgram, freePort, serverFolder, startServer } from "./private-server.ts";

/** Starts Redis without persistence (so that a restart comes back empty); `args` are added to its command line. */
export async function startRedis(args: readonly string[] = []): Promise<PrivateServer> {
  const port = await freePort();
  return startServer({
    command: findProgram("redis-server") ?? "redis-server",
    args: ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", ...args],
    port,
    folder: serverFolder("redis"),
    isReady: async () => {
      const redis = new Redis(port, "127.0.0.1", { lazyConnect: true, retryStrategy: () => null });
      redis.on("error", () => undefined);
      try {
        await redis.connect();
        return (await redis.ping()) === "PONG";
      } finally {
        redis.disconnect();
      }
    },
  });
}
