/** `quantmesh config get|set|watch|history`: the config that a whole fleet shares, in etcd. */
import { userInfo } from "node:os";
import type { Command } from "commander";
import { parse, stringify } from "yaml";
import { loadConfig, parseValues, readValues } from "../config/load-config.ts";
import type { Config } from "../config/schema.ts";
import type { SharedConfig } from "../config/shared-config.ts";
import { changedKeys, setShared, sharedAt, sharedPart, withShared } from "../config/shared-config.ts";
import type { CentreState, ConfigVersion } from "../coordination/config-centre.ts";
import { inForce } from "../coordination/config-centre.ts";
import { QuantmeshError } from "../domain/errors.ts";
import { canonicalSettings } from "../strategy/settings.ts";
import { withCentre } from "./fleet-config.ts";
import { gridSettings } from "./grid-config.ts";
import type { CanaryOptions } from "./plan-canary.ts";
import { addCanaryOptions, planCanary } from "./plan-canary.ts";

interface Options {
  readonly config: string;
  readonly json?: boolean;
}

interface SetOptions extends Options, Partial<CanaryOptions> {
  readonly from?: string;
  readonly remove?: boolean;
}

export function addConfigCentreCommands(config: Command): void {
  const file = "config file of any instance";
  config
    .command("get")
    .description("print the config that the fleet shares, or one key of it")
    .argument("[key]", "like trading.symbols.BTC/USDT.stop_loss")
    .requiredOption("-c, --config <file>", file)
    .option("--json", "as JSON")
    .action(async (key: string | undefined, options: Options) => get(key, options));
  const setCommand = config
    .command("set")
    .description("change the config that the fleet shares; refused where the whole would not be valid")
    .argument("[key]", "like trading.symbols.BTC/USDT.stop_loss")
    .argument("[value]", "in YAML")
    .requiredOption("-c, --config <file>", file)
    .option("--from <file>", "take everything that is shared from this config file")
    .option("--remove", "take the key away")
    .action(async (key: string | undefined, value: string | undefined, options: SetOptions) =>
      set(key, value, options),
    );
  addCanaryOptions(setCommand);
  config
    .command("history")
    .description("list the versions of the config that the fleet shares")
    .requiredOption("-c, --config <file>", file)
    .option("--json", "as JSON, with the whole config of each version")
    .action(async (options: Options) => history(options));
  config
    .command("watch")
    .description("print each new version of the config that the fleet shares, until Ctrl-C")
    .requiredOption("-c, --config <file>", file)
    .action(async (options: Options) => watch(options));
}

async function get(key: string | undefined, { config: file, json }: Options): Promise<void> {
  const current = await withCentre(await fleetConfig(file), (centre) => centre.current());
  if (!current) throw nothingShared();
  const value = key === undefined ? current.shared : sharedAt(current.shared, key);
  if (value === undefined) throw new QuantmeshError("CONFIG_INVALID", `${key ?? ""} is not set`);
  const text = json
    ? `${JSON.stringify(value, null, 2)}\n`
    : typeof value === "string"
      ? `${value}\n`
      : stringify(value);
  process.stdout.write(text);
}

async function set(key: string | undefined, value: string | undefined, options: SetOptions): Promise<void> {
  const { config: file, from, remove } = options;
  const values = await readValues(file);
  const config = await fleetConfig(file);
  await withCentre(config, async (centre) => {
    const state = await centre.state();
    refuseDuringCanary(state);
    const current = state.versions.at(-1);
    const seen = current?.shared ?? sharedPart(values);
    const next = await changed(seen, key, value, { from, remove });
    const [before, after] = checkChange(values, current && seen, next);
    const changes = changedKeys(seen, next);
    if (current && changes.length === 0)
      return void process.stdout.write(`nothing changes; version ${current.version} stays\n`);
    const version = (current?.version ?? 0) + 1;
    const by = userInfo().username;
    const canary =
      options.canary === undefined
        ? undefined
        : await planCanary({ config, file, before, after, changes, version, by }, options);
    if (!(await centre.write(state, { shared: next, by, at: Date.now() }, canary?.plan))) {
      throw new QuantmeshError(
        "COORDINATION_UNAVAILABLE",
        `somebody else has stored version ${version} meanwhile: look at it (config get), then set again`,
      );
    }
    const effects = changes.map(({ key: name, effect }) =>
      effect === "hot"
        ? `  ${name}: taken over at once${canary ? `, ${canary.who}` : ""}`
        : `  ${name}: taken over when an instance is restarted`,
    );
    process.stdout.write([`version ${version} is stored`, ...effects, ""].join("\n"));
  });
}

/**
 * The configs before and after a change of the shared part, `seen` of none where it is the first. Throws CONFIG_INVALID where
 * it cannot be made.
 */
export function checkChange(
  values: unknown,
  seen: SharedConfig | undefined,
  next: SharedConfig,
): readonly [before: Config, after: Config] {
  const after = parseValues(withShared(values, next), "the changed config of the fleet").config;
  if (!seen) return [after, after];
  const before = parseValues(withShared(values, seen), "the config of the fleet").config;
  refuseRelaid(before, after);
  return [before, after];
}

function refuseDuringCanary(state: CentreState): void {
  const rollOut = inForce(state)?.canary?.rollOut;
  if (!rollOut) return;
  throw new QuantmeshError(
    "CONFIG_INVALID",
    `version ${rollOut.version} is being rolled out: end that first (config promote, or config rollback)`,
  );
}

async function changed(
  seen: SharedConfig,
  key: string | undefined,
  value: string | undefined,
  { from, remove }: { readonly from: string | undefined; readonly remove: boolean | undefined },
): Promise<SharedConfig> {
  if (from !== undefined) return sharedPart(await readValues(from));
  if (key === undefined || (value === undefined) === (remove !== true)) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      "write config set KEY VALUE, config set KEY --remove, or config set --from FILE",
    );
  }
  if (value === undefined) return setShared(seen, key, undefined);
  try {
    // Scalars stay text, as in a file: amounts never become floats.
    return setShared(seen, key, parse(value, { schema: "failsafe" }));
  } catch (error) {
    if (error instanceof QuantmeshError) throw error;
    throw new QuantmeshError("CONFIG_INVALID", `${key}: the value is no YAML`, { cause: error });
  }
}

/** A grid's prices and sizes are for ever: another grid of the same symbol needs a database of its own. */
function refuseRelaid(before: Config, after: Config): void {
  const old = new Map(
    before.trading.symbols.map((grid) => [grid.symbol, canonicalSettings(gridSettings(grid))]),
  );
  for (const grid of after.trading.symbols) {
    const known = old.get(grid.symbol);
    const wanted = canonicalSettings(gridSettings(grid));
    if (known === undefined || known === wanted) continue;
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `${grid.symbol}: a grid is never re-laid while it has orders\n  now: ${known}\n  then: ${wanted}`,
    );
  }
}

async function history({ config: file, json }: Options): Promise<void> {
  const versions = await withCentre(await fleetConfig(file), (centre) => centre.history());
  if (json) return void process.stdout.write(`${JSON.stringify(versions, null, 2)}\n`);
  const lines = versions.map((version, index) => describeVersion(version, versions[index - 1]));
  process.stdout.write(lines.length === 0 ? "none\n" : `${lines.join("\n")}\n`);
}

async function watch({ config: file }: Options): Promise<void> {
  const stopping = new AbortController();
  process.once("SIGINT", () => stopping.abort());
  await withCentre(await fleetConfig(file), async (centre) => {
    let last = await centre.current();
    if (last) process.stdout.write(`${describeVersion(last, undefined)}\n`);
    await centre.watch(
      last?.version ?? 0,
      async (version) => {
        process.stdout.write(`${describeVersion(version, last)}\n`);
        last = version;
      },
      stopping.signal,
    );
  });
}

function describeVersion(version: ConfigVersion, before: ConfigVersion | undefined): string {
  const { rollBack } = version;
  const changes = before
    ? changedKeys(before.shared, version.shared)
        .map(({ key }) => key)
        .join(", ")
    : "";
  const why = rollBack ? `rolls back to v${rollBack.to}: ${rollBack.reason}` : "";
  return [version.version, new Date(version.at).toISOString(), version.by, changes, why]
    .filter((part) => part !== "")
    .join("  ");
}

/** The config in `file`. Throws CONFIG_INVALID where it is of no fleet that shares one. */
export async function fleetConfig(file: string): Promise<Config> {
  const config = await loadConfig(file);
  if (config.coordination.mode === "dynamic") return config;
  throw new QuantmeshError(
    "CONFIG_INVALID",
    `${file}: coordination.mode is ${config.coordination.mode}; only a fleet in mode dynamic shares a config`,
  );
}

function nothingShared(): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", "the fleet has no config yet: its first instance brings it");
}
