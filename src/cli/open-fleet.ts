/** How an instance takes part in its fleet: alone, with a fixed share, or over etcd. */
import { randomBytes } from "node:crypto";
import type { Config } from "../config/schema.ts";
import { assign } from "../coordination/assign.ts";
import type { Claims } from "../coordination/claims.ts";
import { soloClaims } from "../coordination/claims.ts";
import type { Coordinator } from "../coordination/coordinator.ts";
import type { Incarnation } from "../coordination/fleet-view.ts";
import { holderName } from "../coordination/fleet-view.ts";
import { LeasedClaims } from "../coordination/leased-claims.ts";
import type { Permit } from "../coordination/permit.ts";
import { SOLO_PERMIT } from "../coordination/permit.ts";
import type { Clock } from "../domain/clock.ts";
import type { Log } from "../domain/log.ts";
import type { Metrics } from "../domain/metrics.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { BotSetup } from "../runner/open-bot.ts";
import type { Instance } from "../runner/instance.ts";
import type { LoadMeter } from "../runner/load-meter.ts";
import type { Storage } from "../storage/storage.ts";
import { openDynamicFleet } from "./dynamic-fleet.ts";
import type { RunConfig } from "./fleet-config.ts";

export interface FleetParts {
  readonly storage: Storage;
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Counts what each symbol costs. */
  readonly meter: LoadMeter;
  /** Where the config came from, and how another version of the fleet's part becomes one. */
  readonly loaded: RunConfig | undefined;
  /** How many errors the bot of a symbol has had here. */
  readonly errorsOf: (symbol: string) => number;
  /** The bots of `only` these symbols in a changed config. Throws CONFIG_INVALID. */
  readonly setupsOf: (config: Config, only: ReadonlySet<string>) => Promise<readonly BotSetup[]>;
}

export interface Fleet {
  readonly claims: Claims;
  readonly permit: Permit;
  /** In mode dynamic. */
  readonly coordinator?: Coordinator;
  /** Opens bots, and from here on opens and gives them away as the fleet decides; `signal` ends a wait for the fleet. */
  start(instance: Instance, signal?: AbortSignal): Promise<void>;
  /** A bot has reconciled and trades. */
  trading?(symbol: string): void;
  /** Resolves with what ends this instance. */
  readonly failed: Promise<unknown>;
  /** Gives everything away in order; what nobody takes rests on the exchange. */
  leave(reason: string): Promise<void>;
  close(): Promise<void>;
  ping(): Promise<void>;
}

export async function openFleet(config: Config, parts: FleetParts): Promise<Fleet> {
  const me: Incarnation = {
    id: config.instance.id,
    incarnation: `${Date.now()}-${randomBytes(4).toString("hex")}`,
  };
  switch (config.coordination.mode) {
    case "solo":
      return openSolo(config, parts);
    case "static":
      return openStatic(config, parts, me);
    case "dynamic":
      return openDynamicFleet(config, parts, me);
  }
}

function openSolo(config: Config, { storage }: FleetParts): Fleet {
  let running: Instance | undefined;
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<unknown>((resolve) => {
    fail = resolve;
  });
  return {
    claims: soloClaims(storage, config.instance.id),
    permit: SOLO_PERMIT,
    start: async (instance) => {
      running = instance;
      await instance.start();
      void instance.allFailed().then(fail);
    },
    failed,
    leave: async (reason) => running?.stop(reason),
    close: async () => undefined,
    ping: async () => undefined,
  };
}

/** Each instance lists its own symbols, or all list the same and each takes its share by index. */
function openStatic(config: Config, { storage, clock, log }: FleetParts, me: Incarnation): Fleet {
  const { index, total } = config.instance;
  let running: Instance | undefined;
  const claims = new LeasedClaims({
    storage,
    holder: holderName(me),
    clock,
    log,
    ttlMs: config.coordination.lease_ttl * 1000,
    lost: (symbol) => {
      log.warn({ symbol }, "claim.lost");
      running?.drop(symbol, "the claim was taken over");
      // Waits until it is free again.
      running?.open(symbol);
    },
  });
  return {
    claims,
    permit: claims,
    start: async (instance) => {
      running = instance;
      claims.open();
      const seats = Array.from({ length: total }, (_, seat) => seat);
      for (const [symbol, seat] of assign(instance.symbols, seats)) if (seat === index) instance.open(symbol);
    },
    failed: new Promise(() => undefined),
    leave: async () => {
      const instance = running;
      if (!instance) return;
      await Promise.all(instance.runners.map(async ({ setup }) => instance.handOver(setup.market.symbol)));
    },
    close: async () => claims.close(),
    ping: async () => undefined,
  };
}
