/** `quantmesh config get|set|watch|history`: the config that a whole fleet shares, in etcd. */
import { userInfo } from "node:os";
import type { Command } from "commander";
import { parse, stringify } from "yaml";
import { loadConfig, parseValues, readValues } from "../config/load-config.ts";
import type { Config } from "../config/schema.ts";
import type { SharedConfig } from "../config/shared-config.ts";
import { changedKeys, setShared, sharedAt, sharedPart, withShared } from "../config/shared-config.ts";
import type { ConfigVersion } from "../coordination/config-centre.ts";
import { QuantmeshError } from "../domain/errors.ts";
import { canonicalSettings } from "../strategy/settings.ts";
import { withCentre } from "./fleet-config.ts";
import { gridSettings } from "./grid-config.ts";

interface Options {
  readonly config: string;
  readonly from?: string;
  readonly remove?: boolean;
  readonly json?: boolean;
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
  config
    .command("set")
    .description("change the config that the fleet shares; refused where the whole would not be valid")
    .argument("[key]", "like trading.symbols.BTC/USDT.stop_loss")
    .argument("[value]", "in YAML")
    .requiredOption("-c, --config <file>", file)
    .option("--from <file>", "take everything that is shared from this config file")
    .option("--remove", "take the key away")
    .action(async (key: string | undefined, value: string | undefined, options: Options) =>
      set(key, value, options),
    );
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

async function set(key: string | undefined, value: string | undefined, options: Options): Promise<void> {
  const { config: file, from, remove } = options;
  const values = await readValues(file);
  await withCentre(await fleetConfig(file), async (centre) => {
    const current = await centre.current();
    const seen = current?.shared ?? sharedPart(values);
    const next = await changed(seen, key, value, { from, remove });
    const source = "the changed config of the fleet";
    const checked = parseValues(withShared(values, next), source).config;
    if (current) refuseRelaid(parseValues(withShared(values, seen), source).config, checked);
    const version = current?.version ?? 0;
    const changes = changedKeys(seen, next);
    if (current && changes.length === 0)
      return void process.stdout.write(`nothing changes; version ${version} stays\n`);
    if (!(await centre.write(version, next, userInfo().username, Date.now()))) {
      throw new QuantmeshError(
        "COORDINATION_UNAVAILABLE",
        `somebody else has stored version ${version + 1} meanwhile: look at it (config get), then set again`,
      );
    }
    const effects = changes.map(({ key: name, effect }) =>
      effect === "hot"
        ? `  ${name}: taken over at once`
        : `  ${name}: taken over when an instance is restarted`,
    );
    process.stdout.write([`version ${version + 1} is stored`, ...effects, ""].join("\n"));
  });
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
  const changes = before ? changedKeys(before.shared, version.shared).map(({ key }) => key) : [];
  return `${version.version}  ${new Date(version.at).toISOString()}  ${version.by}  ${changes.join(", ")}`.trimEnd();
}

async function fleetConfig(file: string): Promise<Config> {
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
