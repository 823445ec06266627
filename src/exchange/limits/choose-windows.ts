/** What one instance's budget is made of: its own alone, or in common with every instance that has the same key. */
import { createHash } from "node:crypto";
import type { Clock } from "../../domain/clock.ts";
import type { Log } from "../../domain/log.ts";
import type { Metrics } from "../../domain/metrics.ts";
import type { Secret } from "../../domain/secret.ts";
import type { BudgetWindow, WindowLimit } from "./budget-window.ts";
import { RedisBan } from "./redis-ban.ts";
import { RedisCounters } from "./redis-counters.ts";
import { SharedBan } from "./shared-ban.ts";
import { SharedCounters } from "./shared-counters.ts";
import { SharedWindow } from "./shared-window.ts";
import { SlidingWindow } from "./sliding-window.ts";

export interface SharedLimits {
  /** A connection of ioredis. */
  readonly client: object;
  /** What every key in Redis begins with. */
  readonly prefix: string;
}

/** Where and under which key instances find each other. */
export interface SharingOptions {
  readonly exchange: string;
  readonly key: Secret | undefined;
  readonly shared: SharedLimits | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface WindowsOptions extends SharingOptions {
  /** What the exchange allows. */
  readonly allowed: readonly WindowLimit[];
  /** What the config allows this instance beyond that. */
  readonly own: readonly WindowLimit[];
  readonly instances: number | undefined;
  /** The exchange's time less our monotonic one, ms. */
  readonly exchangeOffset: () => number;
  readonly roomHasCome: () => void;
  readonly metrics: Metrics;
}

/** How many instances a fleet is taken to have where nobody says: own parts must suffice for them. */
const MOST_INSTANCES = 16;

export function chooseWindows(options: WindowsOptions): readonly BudgetWindow[] {
  const { exchange, key, allowed, own, instances, shared, clock, log, metrics } = options;
  const sliding = (limit: WindowLimit): BudgetWindow => new SlidingWindow(limit, instances ?? 1);
  if (!shared || !key) return [...allowed, ...own].map(sliding);
  const counters = new SharedCounters(
    new RedisCounters(shared.client, `${shared.prefix}rate`),
    clock,
    (isAway, reason) => {
      metrics.gauge("quantmesh_rate_budget_shared", { exchange }, isAway ? 0 : 1);
      if (isAway) log.warn({ exchange, error: reason }, "limits.own_part_only");
      else log.info({ exchange }, "limits.shared");
    },
  );
  return [
    ...allowed.map((limit) => {
      const label = `${limit.counts} per ${limit.perMs / 1000} s`;
      return new SharedWindow({
        limit,
        name: `${exchange}:${hashOf(exchange, key)}:${limit.counts}:${limit.perMs}`,
        instances: instances ?? MOST_INSTANCES,
        counters,
        exchangeOffset: options.exchangeOffset,
        roomHasCome: options.roomHasCome,
        tellUsed: (used) =>
          metrics.gauge("quantmesh_rate_budget_used_ratio", { exchange, limit: label }, used / limit.most),
      });
    }),
    ...own.map(sliding),
  ];
}

/** The exchange's bans, where instances tell each other of them; `hear` is called with what is left of each. */
export function chooseSharedBan(
  { exchange, key, shared, clock, log }: SharingOptions,
  hear: (forMs: number) => void,
): SharedBan | undefined {
  if (!shared || !key) return undefined;
  return new SharedBan({
    store: new RedisBan(shared.client, `${shared.prefix}rate:${exchange}:${hashOf(exchange, key)}:ban`),
    clock,
    hear,
    heardFirst: (forMs) => log.warn({ exchange, forMs }, "limits.banned_elsewhere"),
  });
}

/** Names the key to those who have it, and tells nobody else of it. */
function hashOf(exchange: string, key: Secret): string {
  return createHash("sha256")
    .update(`rate budget of ${exchange}: ${key.reveal()}`)
    .digest("hex")
    .slice(0, 32);
}
