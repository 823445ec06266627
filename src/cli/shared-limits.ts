/** The request limits that all instances with one key count together: whether, and over which connection. */
import type { Config, RealExchangeConfig } from "../config/schema.ts";
import type { SharedLimits } from "../exchange/limits/choose-windows.ts";
import { connectRedis } from "../lock/connect-redis.ts";
import { redisCredentials, redisLayout } from "./lock-options.ts";

export interface OpenedLimits {
  readonly limits: SharedLimits;
  ping(): Promise<void>;
  close(): void;
}

/** An order waits so long for the counter before this instance uses its own part. */
const TIMEOUT_MS = 250;

/** The connection to the common counters; undefined where each instance counts for itself. */
export async function openSharedLimits(
  config: Config,
  real: RealExchangeConfig,
): Promise<OpenedLimits | undefined> {
  if (!sharesLimits(config, real)) return undefined;
  const { redis, prefix } = config.distributed_lock;
  const connection = await connectRedis({
    layout: redisLayout(redis),
    ...redisCredentials(redis),
    timeoutMs: TIMEOUT_MS,
  });
  return {
    limits: { client: connection.client, prefix },
    ping: () => connection.ping(),
    close: () => connection.close(),
  };
}

/** Whether all instances with the key count their requests together. */
export function sharesLimits(
  { coordination, distributed_lock: lock }: Config,
  { limits }: RealExchangeConfig,
): boolean {
  const isFleetOnRedis = coordination.mode !== "solo" && lock.enabled && lock.type === "redis";
  return limits.shared ?? isFleetOnRedis;
}

/** How many instances use the key, as far as the config tells. */
export function instancesOf(
  { coordination, instance }: Config,
  real: RealExchangeConfig,
): number | undefined {
  const isDivided = coordination.mode === "static" && instance.total > 1;
  return real.limits.instances ?? (isDivided ? instance.total : undefined);
}
