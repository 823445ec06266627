/** Takes over new versions of the fleet's config while the instance runs, as far as they need no restart. */
import type { Config } from "../config/schema.ts";
import { changedKeys } from "../config/shared-config.ts";
import type { CentreState, ConfigCentre, InForce } from "../coordination/config-centre.ts";
import { inForce } from "../coordination/config-centre.ts";
import type { CanaryReport, RollOut } from "../coordination/roll-out.ts";
import { hasCode } from "../domain/errors.ts";
import type { BotCondition } from "../runner/bot-condition.ts";
import type { BotSetup } from "../runner/open-bot.ts";
import type { CanaryConfig } from "./canary-config.ts";
import { mergeCanary, rulesOf } from "./canary-config.ts";
import { KnownSetups } from "./known-setups.ts";
import type { FleetParts } from "./open-fleet.ts";

export interface ConfigReload {
  /** The version that the bots run: none of them acts under an older one any more. A canary's bots are ahead of it. */
  readonly version: number;
  /** Why a newer version does not run yet. */
  readonly pending: string | undefined;
  /** How the bots fare that try a newer version; undefined while none is tried, or it is not taken over yet. */
  canary(): CanaryReport | undefined;
  /** Resolves when what is stored was looked at once. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** Where a changed config goes. */
export interface RunningBots {
  readonly setups: readonly BotSetup[];
  configure(setups: readonly BotSetup[]): void;
  /** Gives the bot up, between two of its events, and opens it with its new settings, if it runs here. */
  restart(symbol: string): void;
  reassign(): void;
  /** Resolves once every bot that was given up has stopped. */
  whenGiven(): Promise<void>;
  condition(symbol: string): BotCondition;
  /** Tells the fleet what has changed here. */
  announce(): void;
  /** The config in etcd has changed; `expected`: the bots that are to trade under a canary. */
  followed(state: CentreState, expected: readonly string[]): void;
}

type Canary =
  | { readonly kind: "none" }
  | {
      readonly kind: "taken";
      readonly version: number;
      readonly touched: readonly string[];
      readonly expected: readonly string[];
      /** Errors of its bots before. */
      readonly errors: number;
      readonly stoppedBefore: ReadonlySet<string>;
    }
  | { readonly kind: "refused"; readonly report: CanaryReport };

export function followConfig(
  config: Config,
  parts: Pick<FleetParts, "log" | "loaded" | "setupsOf" | "errorsOf">,
  centre: Pick<ConfigCentre, "follow">,
  running: RunningBots,
): ConfigReload | undefined {
  const { log, loaded, errorsOf } = parts;
  const started = loaded?.version;
  if (!loaded || !started) return undefined;
  const stopping = new AbortController();
  const setups = new KnownSetups(config, parts.setupsOf, running.setups);
  let version = started.version;
  let taken = started.version;
  let pending: string | undefined;
  let canary: Canary = { kind: "none" };
  let grids = rulesOf(config);
  let turn = 0;
  let seen = "";

  const errorsIn = (symbols: readonly string[]): number =>
    symbols.reduce((sum, symbol) => sum + errorsOf(symbol), 0);

  /** The canary's config, if there is one that can run here. Touches nothing yet. */
  const canaryConfig = async (base: Config, force: InForce): Promise<CanaryConfig | undefined> => {
    if (!force.canary) return undefined;
    const { version: next, rollOut } = force.canary;
    try {
      const merged = mergeCanary(base, loaded.withVersion(next), rollOut);
      await setups.of(merged.config);
      return merged;
    } catch (error) {
      if (!hasCode(error, "CONFIG_INVALID")) throw error;
      canary = { kind: "refused", report: { kind: "refused", version: next.version, reason: error.message } };
      log.error({ version: next.version, error }, "config.canary_refused");
      return undefined;
    }
  };

  const begin = ({ touched, expected }: CanaryConfig, rollOut: RollOut): void => {
    if (canary.kind === "taken" && canary.version === rollOut.version) return;
    const stopped = touched.filter((symbol) => running.condition(symbol).kind === "stopped");
    const stoppedBefore = new Set([...rollOut.stoppedBefore, ...stopped]);
    canary = {
      kind: "taken",
      version: rollOut.version,
      touched,
      expected,
      stoppedBefore,
      errors: errorsIn(touched),
    };
    log.info({ version: rollOut.version, bots: touched }, "config.canary_taken_over");
  };

  /** Carries out what differs between `target` and what runs. */
  const apply = async (target: Config): Promise<void> => {
    running.configure(await setups.of(target));
    const rules = rulesOf(target);
    for (const [symbol, rule] of rules)
      if (grids.has(symbol) && grids.get(symbol) !== rule) running.restart(symbol);
    grids = rules;
    running.reassign();
  };

  const carryOut = async (force: InForce): Promise<readonly string[]> => {
    const { whole } = force;
    const base = loaded.withVersion(whole);
    if (!force.canary) canary = { kind: "none" };
    const merged = await canaryConfig(base, force);
    if (merged && force.canary) begin(merged, force.canary.rollOut);
    await apply(merged?.config ?? base);
    const waiting = changedKeys(started.shared, whole.shared).filter(({ effect }) => effect === "restart");
    const keys = waiting.map(({ key }) => key).join(", ");
    pending = keys === "" ? undefined : `version ${whole.version} of the config needs a restart for ${keys}`;
    if (whole.version !== taken)
      log.info({ version: whole.version, by: whole.by, needsRestart: keys }, "config.taken_over");
    taken = whole.version;
    return merged?.expected ?? [];
  };

  const take = async (state: CentreState): Promise<void> => {
    const force = inForce(state);
    const now = JSON.stringify([force?.whole.version, force?.canary?.rollOut]);
    if (!force || now === seen) return;
    const { whole } = force;
    let expected: readonly string[] = [];
    try {
      expected = await carryOut(force);
    } catch (error) {
      pending = `version ${whole.version} of the config cannot run here: ${describe(error)}`;
      // The exchange could not be asked, say: once more after a while.
      if (!hasCode(error, "CONFIG_INVALID")) throw error;
      log.error({ version: whole.version, error }, "config.refused");
    }
    seen = now;
    running.followed(state, expected);
    running.announce();
    const mine = (turn += 1);
    void running.whenGiven().then(() => {
      // One that came meanwhile speaks for itself.
      if (mine !== turn || pending !== undefined) return;
      version = whole.version;
      running.announce();
    });
  };

  let markReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    markReady = resolve;
  });
  const following = centre
    .follow(async (state) => {
      await take(state);
      markReady();
    }, stopping.signal)
    .catch((error: unknown) => {
      pending = `the config is followed no more until a restart: ${describe(error)}`;
      log.error({ error, version }, "config.watch_ended");
    })
    .finally(() => markReady());
  return {
    get version() {
      return version;
    },
    get pending() {
      return pending;
    },
    canary: () => {
      if (canary.kind === "taken") return reportOf(canary, running, errorsIn(canary.touched));
      return canary.kind === "refused" ? canary.report : undefined;
    },
    ready,
    close: async () => {
      stopping.abort();
      await following;
    },
  };
}

function reportOf(
  { version, expected, errors, stoppedBefore }: Extract<Canary, { kind: "taken" }>,
  running: RunningBots,
  errorsNow: number,
): CanaryReport {
  const conditions = expected.map((symbol) => ({ symbol, condition: running.condition(symbol) }));
  return {
    kind: "running",
    version,
    trading: conditions.flatMap(({ symbol, condition: { kind } }) =>
      kind === "trading" || (kind === "stopped" && stoppedBefore.has(symbol)) ? [symbol] : [],
    ),
    stopped: conditions.flatMap(({ symbol, condition }) =>
      condition.kind === "stopped" && !stoppedBefore.has(symbol) ? [{ symbol, why: condition.why }] : [],
    ),
    errors: errorsNow - errors,
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
