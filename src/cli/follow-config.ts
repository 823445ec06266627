/** Takes over new versions of the fleet's config while the instance runs, as far as they need no restart. */
import type { Config } from "../config/schema.ts";
import { changedKeys } from "../config/shared-config.ts";
import { ConfigCentre } from "../coordination/config-centre.ts";
import type { ConfigVersion } from "../coordination/config-centre.ts";
import type { KeyStore } from "../coordination/key-store.ts";
import { hasCode } from "../domain/errors.ts";
import type { BotSetup } from "../runner/open-bot.ts";
import type { FleetParts } from "./open-fleet.ts";

export interface ConfigReload {
  /** The version that runs. */
  readonly version: number;
  /** Why a newer version does not run yet. */
  readonly pending: string | undefined;
  close(): Promise<void>;
}

/** Where a changed config goes. */
interface Running {
  configure(setups: readonly BotSetup[]): void;
  /** Gives the bot up and opens it with its new settings, if it runs here. */
  restart(symbol: string): void;
  reassign(): void;
}

export function followConfig(
  config: Config,
  { log, loaded, setupsOf }: FleetParts,
  store: KeyStore,
  running: Running,
): ConfigReload | undefined {
  const started = loaded?.version;
  if (!loaded || !started) return undefined;
  const stopping = new AbortController();
  let newest: ConfigVersion = started;
  let version = started.version;
  let pending: string | undefined;
  let grids = rulesOf(config);

  const take = async (next: ConfigVersion): Promise<void> => {
    const waiting = changedKeys(started.shared, next.shared).filter(({ effect }) => effect === "restart");
    newest = next;
    try {
      const changed = loaded.withVersion(next);
      running.configure(await setupsOf(changed));
      const rules = rulesOf(changed);
      for (const [symbol, rule] of rules)
        if (grids.has(symbol) && grids.get(symbol) !== rule) running.restart(symbol);
      grids = rules;
      running.reassign();
    } catch (error) {
      if (!hasCode(error, "CONFIG_INVALID")) throw error;
      pending = `version ${next.version} of the config cannot run here: ${error.message}`;
      return log.error({ version: next.version, error }, "config.refused");
    }
    const keys = waiting.map(({ key }) => key).join(", ");
    pending = keys === "" ? undefined : `version ${next.version} of the config needs a restart for ${keys}`;
    if (pending === undefined) version = next.version;
    log.info({ version: next.version, by: next.by, needsRestart: keys }, "config.taken_over");
  };

  const watching = new ConfigCentre(store, config.coordination.fleet)
    .watch(started.version, take, stopping.signal)
    .catch((error: unknown) => log.error({ error, version: newest.version }, "config.watch_ended"));
  return {
    get version() {
      return version;
    },
    get pending() {
      return pending;
    },
    close: async () => {
      stopping.abort();
      await watching;
    },
  };
}

/** Everything that is configured of each symbol, as text to compare. */
function rulesOf({ trading }: Config): ReadonlyMap<string, string> {
  return new Map(trading.symbols.map((grid) => [grid.symbol, JSON.stringify(grid)]));
}
