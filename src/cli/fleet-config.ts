/** The config that an instance runs: its file, and in mode dynamic the part that the fleet shares, from etcd. */
import type { Environment } from "../config/expand-variables.ts";
import { loadConfigWithWarnings, parseValues, readValues } from "../config/load-config.ts";
import type { Config } from "../config/schema.ts";
import type { SharedConfig } from "../config/shared-config.ts";
import { changedKeys, sharedPart, withShared } from "../config/shared-config.ts";
import { ConfigCentre, inForce } from "../coordination/config-centre.ts";
import type { ConfigVersion } from "../coordination/config-centre.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { Log } from "../domain/log.ts";
import { realClock } from "../exchange/sim/real-clock.ts";
import { StartPatience } from "../coordination/start-patience.ts";
import { openStore } from "./open-store.ts";

export interface RunConfig {
  readonly config: Config;
  readonly warnings: readonly string[];
  /** Of the fleet's shared part, a canary's aside; undefined where there is none. */
  readonly version: ConfigVersion | undefined;
  /** The config with another version of the shared part. Throws CONFIG_INVALID. */
  withVersion(version: ConfigVersion): Config;
}

export interface LoadOptions {
  /** The first instance of a fleet gives its own shared part to the fleet. */
  readonly publishes: boolean;
  /** Where given, an etcd that does not answer is waited for, up to `coordination.start_limit`. */
  readonly logOf?: (config: Config) => Log;
}

/**
 * Loads `file`. In mode dynamic the fleet's shared part takes the place of the file's. Throws CONFIG_INVALID,
 * COORDINATION_UNAVAILABLE.
 */
export async function loadRunConfig(
  file: string,
  env: Environment,
  { publishes, logOf }: LoadOptions,
): Promise<RunConfig> {
  const own = await loadConfigWithWarnings(file, env);
  const values = await readValues(file);
  const withVersion = ({ version, shared }: ConfigVersion): Config => {
    const source = `${file} with version ${version} of the fleet's config`;
    return parseValues(withShared(values, shared), source, env).config;
  };
  const { mode, start_limit: limit } = own.config.coordination;
  if (mode !== "dynamic") return { ...own, version: undefined, withVersion };
  const read = () => fleetVersion(own.config, sharedPart(values), publishes);
  const version = logOf
    ? await new StartPatience({ clock: realClock, log: logOf(own.config), limitMs: limit * 1000 }).ask(read)
    : await read();
  if (!version) return { ...own, version, withVersion };
  const differing = changedKeys(sharedPart(values), version.shared).map(({ key }) => key);
  const warning = `${file}: ${differing.join(", ")}: the fleet runs version ${version.version} of its config, not this file's`;
  return {
    config: withVersion(version),
    warnings: [...own.warnings, ...(differing.length === 0 ? [] : [warning])],
    version,
    withVersion,
  };
}

async function fleetVersion(
  config: Config,
  shared: SharedConfig,
  publishes: boolean,
): Promise<ConfigVersion | undefined> {
  return withCentre(config, async (centre) => {
    const state = await centre.state();
    const current = inForce(state)?.whole;
    if (current || !publishes) return current;
    // Of several that start at once one is the first; all run what it wrote.
    await centre.write(state, { shared, by: config.instance.id, at: Date.now() });
    const first = inForce(await centre.state())?.whole;
    if (!first)
      throw new QuantmeshError("COORDINATION_UNAVAILABLE", "the fleet's config cannot be read back");
    return first;
  });
}

export async function withCentre<Result>(
  config: Config,
  work: (centre: ConfigCentre) => Promise<Result>,
): Promise<Result> {
  const store = await openStore(config);
  try {
    return await work(new ConfigCentre(store, config.coordination.fleet));
  } finally {
    store.close();
  }
}
