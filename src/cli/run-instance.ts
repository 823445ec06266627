/** The composition root of a running instance: builds every part from the config, and closes them in reverse. */
import { randomInt } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { Config, RealExchangeConfig } from "../config/schema.ts";
import { parseDecimal } from "../domain/decimal.ts";
import type { BotCode } from "../domain/ids.ts";
import { BOT_CODE_LENGTH, botCode } from "../domain/ids.ts";
import type { Log } from "../domain/log.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { createLock } from "../lock/create-lock.ts";
import type { LockProvider } from "../lock/lock.ts";
import { createHealth } from "../observe/health.ts";
import { startHttp } from "../observe/http.ts";
import type { MetricsPage } from "../observe/metrics.ts";
import { createMetrics } from "../observe/metrics.ts";
import { runMarket } from "./run-market.ts";
import { BalanceKeeper } from "../runner/balance-keeper.ts";
import { Activity } from "../runner/activity.ts";
import { countBotErrors } from "../runner/count-bot-errors.ts";
import { gaugeSpool } from "../runner/gauge-spool.ts";
import type { ExitMode } from "../runner/stop-session.ts";
import { Instance } from "../runner/instance.ts";
import { LoadMeter, meteredExchange } from "../runner/load-meter.ts";
import type { BotSetup } from "../runner/open-bot.ts";
import { SpoolReplay } from "../runner/spool-replay.ts";
import { LockKeeper } from "../runner/lock-keeper.ts";
import { createStorage } from "../storage/create-storage.ts";
import type { DatabaseAddress } from "../storage/dsn.ts";
import { holdInstanceLock } from "../storage/instance-lock.ts";
import { holdProcessLock } from "../storage/process-lock.ts";
import { openSpool } from "../storage/spool.ts";
import type { FillSpool, Storage } from "../storage/storage.ts";
import { lockOptions, reportLock } from "./lock-options.ts";
import { measuredExchange, measuredLock, measuredStorage } from "./measured-ports.ts";
import type { CheckedGrid } from "./check-grids.ts";
import { checkGrids } from "./check-grids.ts";
import { databaseOptions, spoolFile, storedAt } from "./database-config.ts";
import { findStoredBot } from "./find-stored-bot.ts";
import type { RunConfig } from "./fleet-config.ts";
import type { Fleet } from "./open-fleet.ts";
import { openFleet } from "./open-fleet.ts";
import type { Market } from "./open-market.ts";
import { openRealMarket, openSim, realExchangeOf } from "./open-market.ts";
import { openSharedLimits } from "./shared-limits.ts";

/** Calls are timed by the computer's clock, also where the market's is virtual. */
const REAL_TIME = { monotonic: () => performance.now() };

/** Many orders may wait at once for the end of one session. */
const MOST_WAITING = 10_000;

/** Puts something between the bots and a port; tests use it to die at named points, and to repeat a run. */
export interface PortWrappers {
  readonly exchange?: (exchange: Exchange) => Exchange;
  readonly storage?: (storage: Storage) => Storage;
  readonly lock?: (lock: LockProvider) => LockProvider;
  readonly spool?: (spool: FillSpool) => FillSpool;
  /** In place of chance: faults depend on ids, so a run repeats itself only with the same code. */
  readonly drawBotCode?: () => BotCode;
  readonly random?: () => number;
}

export interface RunningInstance {
  readonly instance: Instance;
  readonly fleet: Fleet;
  readonly market: Market;
  readonly grids: readonly CheckedGrid[];
  /** Where /metrics and /health are; undefined where the web server is off. */
  readonly url: string | undefined;
  /** Lets the market live until `signal` aborts, its data end, or every bot has failed (then it throws that). */
  run(signal: AbortSignal): Promise<void>;
  /** Places nothing new, waits for answers, closes everything; resting orders stay. */
  close(reason: string): Promise<void>;
}

/** Starts every bot of the config. Where something cannot start, what was opened is closed again; `signal` ends a wait. */
export async function startInstance(
  config: Config,
  log: Log,
  wrappers: PortWrappers = {},
  loaded?: RunConfig,
  signal?: AbortSignal,
): Promise<RunningInstance> {
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async (): Promise<void> => {
    for (let close = closers.pop(); close; close = closers.pop()) await close();
  };
  try {
    const parts = new Map<string, () => Promise<void>>();
    const { metrics, registry } = createMetrics();
    // Everything that can refuse the config or the machine comes before anything is written.
    const address = storedAt(config);
    const traded = realExchangeOf(config)?.real;
    const limits = traded && (await openSharedLimits(config, traded));
    if (limits) {
      closers.push(() => limits.close());
      parts.set("rate_budget", () => limits.ping());
    }
    const real = await openRealMarket(config, log, metrics, limits?.limits);
    if (real) closers.push(() => real.close());
    const grids = await checkGrids(config, real?.exchange, { findBot: findStoredBot(config), log });
    let gauge = (): void => undefined;
    const page: MetricsPage = {
      contentType: registry.contentType,
      text: async () => {
        gauge();
        return registry.text();
      },
    };
    const { web, distributed_lock: lockConfig } = config;
    const http = web.enabled
      ? await startHttp({
          host: web.host,
          port: web.port,
          allowedHosts: web.allowed_hosts,
          registry: page,
          health: createHealth(() => parts),
        })
      : undefined;
    if (http) closers.push(() => http.close());
    // The instances of a fleet share a database; who trades what is the claims' matter.
    if (config.coordination.mode === "solo") {
      const instanceLock = await holdInstanceLock(
        address,
        "stop it first, or set database.dsn to a database of this one's own",
      );
      closers.push(() => instanceLock.release());
    }
    const opened = await createStorage(address, databaseOptions(config));
    closers.push(() => opened.close());
    const stored = measuredStorage(opened, metrics, REAL_TIME);
    const storage = wrappers.storage?.(stored) ?? stored;
    const market = real ?? (await openSim(config, grids));
    if (!real) closers.push(() => market.close());
    const { mode, hot_spots: hotSpots } = config.coordination;
    const meter = new LoadMeter(hotSpots.window * 1000);
    const counted = measuredExchange(market.exchange, metrics, REAL_TIME);
    const measured = mode === "dynamic" ? meteredExchange(counted, meter, REAL_TIME) : counted;
    const exchange = wrappers.exchange?.(measured) ?? measured;
    const spool = openOwnSpool(config, address, wrappers, closers);
    const spoolReplay = new SpoolReplay({ storage, spool, log });
    const lockBackend = lockConfig.enabled ? lockConfig.type : "memory";
    const openedLock = await createLock(lockOptions(lockConfig, stored), market.clock);
    closers.push(() => openedLock.close());
    const timedLock = measuredLock(openedLock, lockBackend, metrics, log, REAL_TIME);
    const lock = wrappers.lock?.(timedLock) ?? timedLock;
    if (!lockConfig.enabled) log.warn({}, "lock.guards_this_process_only");
    await reportLock(lock, lockBackend, log);
    setMaxListeners(MOST_WAITING);
    parts.set("exchange", () => exchange.ping());
    parts.set("database", () => storage.ping());
    parts.set("lock", () => lock.ping());
    const fleetId = await storage.fleetId();
    const setupsOf = (checked: readonly CheckedGrid[]): readonly BotSetup[] =>
      checked.map(({ symbol, settings, rules }) => ({
        market: { exchange: exchange.name, account: exchange.account, symbol },
        settings,
        rules,
      }));
    const botErrors = countBotErrors(metrics);
    const fleet = await openFleet(config, {
      storage,
      exchange,
      clock: market.clock,
      log,
      metrics,
      meter,
      loaded,
      errorsOf: botErrors.of,
      setupsOf: async (changed, only) => setupsOf(await checkGrids(changed, real?.exchange, { only })),
    });
    closers.push(() => fleet.close());
    if (config.coordination.mode === "dynamic") parts.set("coordination", () => fleet.ping());

    const activity = new Activity();
    const balances = sharesBalance(traded)
      ? new BalanceKeeper({
          exchange,
          storage,
          clock: market.clock,
          log,
          metrics,
          margin: parseDecimal(traded.limits.balance_margin),
          refreshMs: config.trading.reconcile_interval * 1000,
        })
      : undefined;
    closers.push(() => balances?.close());
    const lockTtlMs = lockConfig.default_ttl * 1000;
    const instance = new Instance(
      {
        exchange,
        storage,
        spool,
        replaySpool: () => spoolReplay.run(),
        lock,
        clock: market.clock,
        claims: fleet.claims,
        permit: fleet.permit,
        log,
        metrics: botErrors.metrics,
        activity,
        random: wrappers.random ?? Math.random,
        drawBotCode: wrappers.drawBotCode ?? drawBotCode,
        fleet: fleetId,
        lockBackend,
        lockTtlMs,
        lockGranularity: lockConfig.granularity,
        lockKeeper: new LockKeeper({ lock, lockTtlMs, clock: market.clock, activity, log }),
        exit: exitMode(config),
        onTrading: (symbol) => fleet.trading?.(symbol),
        balances,
        ownsAsset: (asset) => grids.filter(({ instrument }) => instrument.base === asset).length <= 1,
        reconcileIntervalMs: config.trading.reconcile_interval * 1000,
      },
      setupsOf(grids),
    );
    gauge = () => {
      instance.gauge();
      gaugeSpool(metrics, spool, Date.now());
    };
    await fleet.start(instance, signal);
    log.info(
      { instance: config.instance.id, bots: instance.runners.length, url: http?.url },
      "instance.started",
    );
    return {
      instance,
      fleet,
      market,
      grids,
      url: http?.url,
      run: async (signal) =>
        runMarket(
          { isIdle: () => instance.isIdle, whenIdle: () => instance.whenIdle() },
          market,
          fleet.failed,
          signal,
        ),
      close: async (reason) => {
        try {
          if (exitMode(config) === "leave") await fleet.leave(reason);
          else await stopInMovingMarket(instance, market, reason);
        } finally {
          await closeAll();
        }
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** A dry run spends nothing, and the simulated market is asked for what it has by each order. */
function sharesBalance(traded: RealExchangeConfig | undefined): traded is RealExchangeConfig {
  return traded !== undefined && traded.mode !== "dry_run" && traded.limits.share_balance;
}

/** The spool of this process alone. */
function openOwnSpool(
  config: Config,
  address: DatabaseAddress,
  wrappers: PortWrappers,
  closers: (() => Promise<void> | void)[],
): FillSpool {
  const file = spoolFile(config, address);
  const lock = holdProcessLock(file, "stop it first, or set database.spool_file to another path");
  closers.push(() => lock.release());
  const spool = openSpool({ file, capacity: config.database.spool_capacity, now: () => Date.now() });
  closers.push(() => spool.close());
  return wrappers.spool?.(spool) ?? spool;
}

/** What is cancelled or sold at the exit takes its time, in which the market goes on. */
async function stopInMovingMarket(instance: Instance, market: Market, reason: string): Promise<void> {
  const done = new AbortController();
  const idle = {
    isIdle: () => instance.isIdle && !instance.isFlat,
    whenIdle: () => instance.whenIdle(),
  };
  // Asked first: the market must not move before the bots know.
  const stopping = instance.stop(reason);
  const driving = market.drive(idle, done.signal);
  try {
    await stopping;
  } finally {
    done.abort();
    await driving;
  }
}

function exitMode({ system }: Config): ExitMode {
  if (system.close_positions_on_exit) return "close";
  return system.cancel_on_exit ? "cancel" : "leave";
}

function drawBotCode(): BotCode {
  const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";
  return botCode(
    Array.from({ length: BOT_CODE_LENGTH }, () => alphabet[randomInt(alphabet.length)]).join(""),
  );
}
