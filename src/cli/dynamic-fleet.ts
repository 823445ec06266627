/** Mode `dynamic`: the coordinator decides over etcd, the instance's bots follow. */
import type { Config } from "../config/schema.ts";
import { Coordinator } from "../coordination/coordinator.ts";
import { ConfigCentre } from "../coordination/config-centre.ts";
import type { Incarnation } from "../coordination/fleet-view.ts";
import { canaryReports, holderName } from "../coordination/fleet-view.ts";
import { Ownership } from "../coordination/ownership.ts";
import type { CanaryReport } from "../coordination/roll-out.ts";
import { RollOutGuard } from "../coordination/roll-out-guard.ts";
import { SeatClaims } from "../coordination/seat-claims.ts";
import type { Instance } from "../runner/instance.ts";
import { keepHotSpots, measureLoad, watchHandovers } from "./fleet-load.ts";
import type { ConfigReload } from "./follow-config.ts";
import { followConfig } from "./follow-config.ts";
import type { Fleet, FleetParts } from "./open-fleet.ts";
import { openStore, readPem } from "./open-store.ts";
import { readVersion } from "./version.ts";

/** How often the registration is brought up to date, and a standby keeps itself warm. */
const REFRESH_MS = 1000;
const WARM_MS = 5000;
const TRUST_MS = 1000;
const LONGEST_TRUST_MS = 10_000;
const PROTECT_MS = 30_000;
const LIST_MS = 1000;
/** How often a canary is looked at. */
const GUARD_MS = 200;
/** How long the first look at the config may take before the bots are opened without it. */
const READY_MS = 5000;

export async function openDynamicFleet(config: Config, parts: FleetParts, me: Incarnation): Promise<Fleet> {
  const { storage, exchange, clock, log, metrics } = parts;
  const { coordination } = config;
  const store = await openStore(config);
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<unknown>((resolve) => {
    fail = resolve;
  });
  const timers: NodeJS.Timeout[] = [];
  let instance: Instance | undefined;
  let leaving: Promise<void> | undefined;
  let reload: ConfigReload | undefined;
  let isOpen = false;

  const host = {
    open: (symbol: string): void => instance?.open(symbol),
    drop: (symbol: string, reason: string): void => instance?.drop(symbol, reason),
    handOver: (symbol: string): Promise<void> =>
      handovers.give(symbol, async () => instance?.handOver(symbol)),
  };
  const ownership = new Ownership(host, clock, log, (symbol) => handovers.released(symbol));
  const load = measureLoad(parts.meter, metrics, () => ownership.open);
  const coordinator: Coordinator = new Coordinator({
    store,
    clock,
    log,
    metrics,
    fleet: coordination.fleet,
    me,
    role: config.instance.role,
    mesh: await meshOptions(config),
    advertise: (port) => coordination.advertise ?? `${splitListen(coordination.listen).host}:${port}`,
    times: {
      leaseTtlMs: coordination.lease_ttl * 1000,
      silenceMs: coordination.silence_ms,
      refuteMs: coordination.refute_ms,
      trustMs: TRUST_MS,
      longestTrustMs: LONGEST_TRUST_MS,
      graceMs: coordination.grace_ms,
      settleMs: coordination.settle_ms,
      protectMs: PROTECT_MS,
      listIntervalMs: LIST_MS,
      startLimitMs: coordination.start_limit * 1000,
    },
    describe: () => ({
      version: readVersion(),
      symbols: ownership.open.size,
      config: reload?.version ?? 0,
      ...canaryOf(reload),
      load: load.told,
      ...degradedBy(reload, instance),
    }),
    symbols: () => instance?.symbols ?? [],
    owner: {
      assigned: (symbols) => ownership.want(symbols),
      lost: (reason) => handovers.lost(ownership.lose(reason)),
      told: (message, by) => handovers.told(message, by),
      drainAsked: () => void leave("drain asked for"),
      failed: (error) => fail(error),
    },
  });
  const claims = new SeatClaims(storage, holderName(me), clock, {
    permit: coordinator.permit,
    owns: (symbol) => coordinator.assigned.has(symbol),
    hasSeat: (holder) => coordinator.hasSeat(holder),
  });

  const centre = new ConfigCentre(store, coordination.fleet);
  const guard = new RollOutGuard({
    centre,
    clock,
    log,
    metrics,
    by: me.id,
    reports: () => canaryReports(coordinator.view),
  });

  /** Tells the others, and the metrics, what has changed here. */
  const refresh = async (): Promise<void> => {
    const report = reload?.canary();
    metrics.gauge("quantmesh_config_version", {}, reload?.version ?? 0);
    metrics.gauge("quantmesh_config_canary_bots", {}, report?.kind === "running" ? report.trading.length : 0);
    if (isOpen) await coordinator.refresh();
  };
  const handovers = watchHandovers(config, parts, {
    coordinator,
    symbols: () => instance?.symbols ?? [],
    wake: (symbols, by) => claims.released(symbols, by),
    traded: (symbol) => {
      claims.traded(symbol);
      ownership.traded(symbol);
    },
  });
  const hotSpots = keepHotSpots(config, parts, coordinator);

  const leave = (reason: string): Promise<void> => {
    leaving ??= (async () => {
      log.info({ reason, symbols: ownership.open.size }, "instance.draining");
      try {
        await coordinator.drain();
        await ownership.whenGiven();
        await coordinator.leave();
      } catch (error) {
        log.warn({ error }, "instance.drain_incomplete");
        // Without etcd nobody is told, but what is in flight still comes to its end.
        ownership.want(new Set());
        await ownership.whenGiven();
      }
      log.info({}, "instance.drained");
    })();
    return leaving;
  };

  /** What a takeover would wait for is done before: connections, rules, prepared statements. */
  const warm = async (): Promise<void> => {
    if (coordinator.seat !== undefined || instance === undefined) return;
    try {
      await Promise.all([exchange.time(), exchange.balances(), claims.warm(), instance.warm()]);
      for (const symbol of instance.symbols) await exchange.instrument(symbol);
    } catch (error) {
      log.warn({ error }, "standby.not_warm");
    }
  };

  return {
    claims,
    permit: coordinator.permit,
    coordinator,
    start: async (started, signal) => {
      instance = started;
      reload = followConfig(config, parts, centre, {
        setups: started.setups,
        configure: (setups) => started.configure(setups),
        restart: (symbol) => {
          if (!started.hasFailed(symbol)) ownership.restart(symbol);
        },
        reassign: () => coordinator.reassign(),
        whenGiven: () => ownership.whenGiven(),
        condition: (symbol) => started.condition(symbol),
        announce: () => void refresh(),
        followed: (state, expected) => guard.follow(state, expected),
      });
      // What a canary gives us is known before the first bot is opened.
      await Promise.race([reload?.ready, new Promise((resolve) => setTimeout(resolve, READY_MS).unref())]);
      await warm();
      await coordinator.open(signal);
      isOpen = true;
      timers.push(setInterval(() => void guard.check(), GUARD_MS));
      timers.push(
        setInterval(() => {
          load.sample();
          void refresh();
          // Whoever looks next would fail alike: that must not end one instance after the other.
          hotSpots.look().catch((error: unknown) => log.error({ error }, "hot_spot.failed"));
        }, REFRESH_MS),
      );
      timers.push(setInterval(() => void warm(), WARM_MS));
    },
    trading: (symbol) => handovers.trading(symbol),
    failed,
    leave,
    close: async () => {
      for (const timer of timers) clearInterval(timer);
      handovers.close();
      await reload?.close();
      await coordinator.close();
      store.close();
    },
    ping: async () => {
      await store.list(`${coordinator.keys.prefix}ping/`);
    },
  };
}

function canaryOf(reload: ConfigReload | undefined): { readonly canary?: CanaryReport } {
  const canary = reload?.canary();
  return canary === undefined ? {} : { canary };
}

function degradedBy(
  reload: ConfigReload | undefined,
  instance: Instance | undefined,
): { readonly degraded?: string } {
  const failed = (instance?.runners ?? []).filter(({ failure }) => failure !== undefined);
  const reasons = [
    ...(reload?.pending === undefined ? [] : [reload.pending]),
    ...(failed.length === 0 ? [] : [`halted: ${failed.map(({ setup }) => setup.market.symbol).join(", ")}`]),
  ];
  return reasons.length === 0 ? {} : { degraded: reasons.join("; ") };
}

/** How heartbeats are sent and heard. Throws CONFIG_INVALID where a PEM file cannot be read. */
export async function meshOptions({ coordination }: Config) {
  const { listen, secret = "", tls, heartbeat_ms: beatMs } = coordination;
  const pems = tls && {
    ca: await readPem(tls.ca),
    certificate: await readPem(tls.certificate),
    key: await readPem(tls.key),
  };
  return { ...splitListen(listen), secret, beatMs, ...(pems ? { tls: pems } : {}) };
}

function splitListen(listen: string): { readonly host: string; readonly port: number } {
  const colon = listen.lastIndexOf(":");
  return { host: listen.slice(0, colon), port: Number(listen.slice(colon + 1)) };
}
