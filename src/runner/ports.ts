/** Everything that a bot reaches the outside through, and the few numbers that govern how. */
import type { Clock } from "../domain/clock.ts";
import type { BotCode } from "../domain/ids.ts";
import type { Log } from "../domain/log.ts";
import type { Metrics } from "../domain/metrics.ts";
import type { Claims } from "../coordination/claims.ts";
import type { Permit } from "../coordination/permit.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { LockProvider } from "../lock/lock.ts";
import type { FillSpool, Storage } from "../storage/storage.ts";
import type { ExitMode } from "./stop-session.ts";
import type { Activity } from "./activity.ts";
import type { BalanceKeeper } from "./balance-keeper.ts";
import type { LockKeeper } from "./lock-keeper.ts";

export interface RunnerPorts {
  readonly exchange: Exchange;
  readonly storage: Storage;
  /** Where fills are kept while the storage is away. */
  readonly spool: FillSpool;
  /** Hands what the spool has over to the storage. Throws STORAGE_UNAVAILABLE. */
  readonly replaySpool: () => Promise<void>;
  readonly lock: LockProvider;
  readonly clock: Clock;
  readonly claims: Claims;
  readonly permit: Permit;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly activity: Activity;
  /** From 0 to 1: keeps bots that wait for the same thing from asking all at once. */
  readonly random: () => number;
  /** Draws a code for a new bot. */
  readonly drawBotCode: () => BotCode;
  /** The fleet's id: the value of our locks. */
  readonly fleet: string;
  readonly lockBackend: string;
  readonly lockTtlMs: number;
  /** Whether each price is a lock of its own, or all prices of a symbol are one. */
  readonly lockGranularity: "level" | "symbol";
  readonly lockKeeper: LockKeeper;
  /** Sets the account's money aside before it is spent; undefined where bots spend what the exchange lets them. */
  readonly balances?: BalanceKeeper | undefined;
  readonly reconcileIntervalMs: number;
  /** What becomes of orders and inventory when the instance stops. */
  readonly exit: ExitMode;
  /** Told each time a bot has reconciled and trades. */
  readonly onTrading?: (symbol: string) => void;
  /** True where at most one bot of this account trades `asset`. */
  readonly ownsAsset: (asset: string) => boolean;
}
