/** A private Redis server of a test's own. */
import { setTimeout as delay } from "node:timers/promises";
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
    isReady: async () => answersPing(port),
  });
}

/** Whether a Redis or a Sentinel on this port answers. */
export async function answersPing(port: number): Promise<boolean> {
  const redis = new Redis(port, "127.0.0.1", { lazyConnect: true, retryStrategy: () => null });
  redis.on("error", () => undefined);
  try {
    await redis.connect();
    return (await redis.ping()) === "PONG";
  } finally {
    redis.disconnect();
  }
}

/** Waits until the server tells an uptime of at least `ms`: locks trust no younger one. */
export async function aged({ port }: Pick<PrivateServer, "port">, ms: number): Promise<void> {
  const redis = new Redis(port, "127.0.0.1");
  redis.on("error", () => undefined);
  try {
    const uptime = async (): Promise<number> =>
      Number(/uptime_in_seconds:(\d+)/.exec(await redis.info("server"))?.[1]);
    // Its uptime may be almost a second more than its age.
    while ((await uptime()) * 1000 < ms + 1_000) await delay(25);
  } finally {
    redis.disconnect();
  }
}
