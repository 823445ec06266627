/** A plain connection to the Redis of the locks, for what counts there and locks nothing. */
import type { RedisOptions } from "ioredis";
import { Cluster, Redis } from "ioredis";
import type { RedisLayout } from "./open-redis.ts";

export interface RedisConnectionOptions {
  readonly layout: RedisLayout;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly tls?: boolean;
  /** After it a command counts as unanswered. */
  readonly timeoutMs: number;
}

export interface RedisConnection {
  /** ioredis's own, for a library that speaks through it. */
  readonly client: object;
  ping(): Promise<void>;
  close(): void;
}

const LONGEST_RETRY_MS = 1_000;

/**
 * Nothing waits in a queue and nothing is sent twice; while Redis is away every command fails at once. Of independent
 * servers (`nodes`) the first is used. Waits for the first connection, but not for long.
 */
export async function connectRedis(options: RedisConnectionOptions): Promise<RedisConnection> {
  const client = clientOf(options);
  // Whoever asks is told; an event that nobody hears would end the process.
  client.on("error", () => undefined);
  if (client.status !== "ready") {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 4 * options.timeoutMs);
      client.once("ready", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
  return {
    client,
    ping: async () => {
      await client.ping();
    },
    close: () => client.disconnect(),
  };
}

function clientOf({ layout, timeoutMs, ...rest }: RedisConnectionOptions): Redis | Cluster {
  const { username, password, db, tls } = rest;
  const retry = (attempt: number): number => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_RETRY_MS);
  const common: RedisOptions = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(db === undefined ? {} : { db }),
    ...(tls === true ? { tls: {} } : {}),
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: timeoutMs,
    retryStrategy: retry,
  };
  switch (layout.kind) {
    case "single":
      return new Redis({ ...common, ...layout.address });
    case "quorum":
      return new Redis({ ...common, ...layout.nodes[0] });
    case "sentinel":
      return new Redis({
        ...common,
        sentinels: layout.sentinels.map((address) => ({ ...address })),
        name: layout.master,
        failoverDetector: true,
        sentinelRetryStrategy: retry,
      });
    case "cluster":
      return new Cluster(
        layout.seeds.map((address) => ({ ...address })),
        { enableOfflineQueue: false, clusterRetryStrategy: retry, redisOptions: common },
      );
  }
}
