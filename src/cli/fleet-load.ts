/** What an instance's load is, told to the fleet and to the metrics, and the pauses of its handovers: wired to its parts. */
import type { Config } from "../config/schema.ts";
import type { Coordinator } from "../coordination/coordinator.ts";
import { HandoverWatch } from "../coordination/handover-watch.ts";
import { HotSpotKeeper } from "../coordination/hot-spot-keeper.ts";
import type { InstanceLoad } from "../coordination/load-report.ts";
import { LoadReport, loadScore } from "../coordination/load-report.ts";
import { isPinnedAway, planRollBack } from "../coordination/moves.ts";
import type { Metrics } from "../domain/metrics.ts";
import type { LoadMeter, SymbolLoad } from "../runner/load-meter.ts";
import type { FleetParts } from "./open-fleet.ts";

export interface FleetLoad {
  /** What is registered of it. */
  readonly told: InstanceLoad;
  /** To be called once a second. */
  sample(): void;
}

/** `symbols`: those that are traded here now. */
export function measureLoad(
  meter: LoadMeter,
  metrics: Metrics,
  symbols: () => ReadonlySet<string>,
): FleetLoad {
  const report = new LoadReport();
  let [cpu, cpuAt] = [process.cpuUsage(), performance.now()];
  return {
    get told() {
      return report.told;
    },
    sample: () => {
      const now = performance.now();
      meter.sample(now);
      const open = symbols();
      const loads = [...meter.loads()].filter(([symbol]) => open.has(symbol));
      report.update(now, new Map(loads.map(([symbol, load]) => [symbol, loadScore(load)])));
      const { user, system } = process.cpuUsage(cpu);
      const resources = {
        events: sum(loads, ({ events }) => events),
        orders: sum(loads, ({ orders }) => orders),
        score: sum(loads, loadScore),
        busy: sum(loads, ({ busy }) => busy),
        cpu: now > cpuAt ? (user + system) / 1000 / (now - cpuAt) : 0,
      };
      for (const [resource, value] of Object.entries(resources))
        metrics.gauge("quantmesh_instance_load", { resource }, value);
      [cpu, cpuAt] = [process.cpuUsage(), now];
    },
  };
}

function sum(loads: readonly (readonly [string, SymbolLoad])[], of: (load: SymbolLoad) => number): number {
  return loads.reduce((total, [, load]) => total + of(load), 0);
}

export function keepHotSpots(
  { coordination }: Config,
  { clock, log }: FleetParts,
  coordinator: Coordinator,
): HotSpotKeeper {
  const {
    enabled,
    threshold,
    window,
    cool_down: coolDown,
    gain,
    least_load: leastLoad,
  } = coordination.hot_spots;
  return new HotSpotKeeper({
    coordinator,
    clock,
    log,
    mode: enabled === "false" ? "off" : enabled,
    rules: { threshold, gain, leastLoad, windowMs: window * 1000, coolDownMs: coolDown * 1000 },
  });
}

export interface HandoverParts {
  readonly coordinator: Coordinator;
  readonly symbols: () => readonly string[];
  readonly wake: (symbols: readonly string[], by: string) => void;
  readonly traded: (symbol: string) => void;
}

export function watchHandovers(
  { coordination }: Config,
  { storage, clock, log, metrics }: FleetParts,
  { coordinator, symbols, wake, traded }: HandoverParts,
): HandoverWatch {
  const { me, keys } = coordinator;
  return new HandoverWatch({
    clock,
    log,
    metrics,
    limitMs: coordination.handover_limit * 1000,
    tell: (message) => coordinator.tell(message),
    wake,
    traded,
    isMovedAway: (symbol) => isPinnedAway(coordinator.view, symbol, me),
    isClaimed: async (symbol) => (await storage.listClaims()).some((claim) => claim.symbol === symbol),
    rollBack: async (symbol) => {
      const { view, entries } = coordinator;
      const plan = planRollBack({ keys, view, entries }, symbol, symbols(), me, clock.now());
      return plan !== undefined && coordinator.write(plan.conditions, plan.writes);
    },
  });
}
