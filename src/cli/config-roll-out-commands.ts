/** `quantmesh config diff|status|promote|rollback`: how the versions of the fleet's config differ, who runs which, and back. */
import { userInfo } from "node:os";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { SharedChange } from "../config/diff-shared.ts";
import { diffShared } from "../config/diff-shared.ts";
import { readValues } from "../config/load-config.ts";
import type { CentreState, ConfigVersion } from "../coordination/config-centre.ts";
import { ConfigCentre, inForce } from "../coordination/config-centre.ts";
import type { Member } from "../coordination/fleet-view.ts";
import { fleetKeys, readFleet } from "../coordination/fleet-view.ts";
import { QuantmeshError } from "../domain/errors.ts";
import { checkChange, fleetConfig } from "./config-centre-commands.ts";
import type { ConfigStatus } from "./config-status.ts";
import { configStatus, formatConfigStatus } from "./config-status.ts";
import { openStore } from "./open-store.ts";
import { parseWholeNumber } from "./parse-options.ts";

const LOOK_MS = 50;

interface Options {
  readonly config: string;
  readonly json?: boolean;
  readonly to?: number;
  readonly timeout: number;
}

interface Opened {
  readonly centre: ConfigCentre;
  members(): Promise<readonly Member[]>;
}

export function addRollOutCommands(config: Command): void {
  const file = "config file of any instance";
  config
    .command("diff")
    .description(
      "show what differs between two versions; between what the instances run and the newest if left out",
    )
    .argument("[from]", "a version", parseVersion)
    .argument("[to]", "a version; the newest if left out", parseVersion)
    .requiredOption("-c, --config <file>", file)
    .option("--json", "as JSON")
    .action(async (from: number | undefined, to: number | undefined, options: Options) =>
      withFleet(options, (fleet) => diff(fleet, from, to, options)),
    );
  config
    .command("status")
    .description("say whether all instances run the newest version, and how a roll-out goes")
    .requiredOption("-c, --config <file>", file)
    .option("--json", "as JSON")
    .action(async (options: Options) => withFleet(options, (fleet) => showStatus(fleet, options)));
  config
    .command("promote")
    .description("give a version that is tried by some bots to all of them, now")
    .requiredOption("-c, --config <file>", file)
    .action(async (options: Options) => withFleet(options, promote));
  config
    .command("rollback")
    .description(
      "store a version of before as a new one: the base of a canary, which ends, or the version before",
    )
    .requiredOption("-c, --config <file>", file)
    .option("--to <version>", "whose content comes back", parseVersion)
    .option(
      "--timeout <seconds>",
      "how long to wait until all instances run it",
      parseWholeNumber("--timeout"),
      10,
    )
    .action(async (options: Options) => withFleet(options, (fleet) => rollBack(fleet, options)));
}

async function diff(
  { centre, members }: Opened,
  from: number | undefined,
  to: number | undefined,
  { json }: Options,
): Promise<void> {
  const [state, running] = await Promise.all([centre.state(), members()]);
  const after = to === undefined ? newestOf(state) : versionOf(state, to);
  const runs = (version: number): readonly string[] =>
    running.filter(({ config }) => config === version).map(({ id }) => id);
  const sources =
    from === undefined ? [...new Set(running.map(({ config }) => config))].sort((a, b) => a - b) : [from];
  const diffs = sources
    .filter((version) => version !== after.version)
    .map((version) => ({
      from: version,
      to: after.version,
      runBy: runs(version),
      changes: diffShared(versionOf(state, version).shared, after.shared),
    }));
  if (json) return void process.stdout.write(`${JSON.stringify(diffs, null, 2)}\n`);
  const lines = diffs.flatMap(({ from: version, runBy, changes }) => [
    `v${version} → v${after.version}${runBy.length > 0 ? ` (v${version} is run by ${runBy.join(", ")})` : ""}`,
    ...(changes.length > 0 ? changes.map(formatChange) : ["  no difference"]),
  ]);
  const same = from === undefined ? `no instance runs anything but v${after.version}` : "the same version";
  process.stdout.write(`${lines.length > 0 ? lines.join("\n") : same}\n`);
}

function formatChange({ key, before, after }: SharedChange): string {
  if (before === undefined) return `  + ${key}: ${format(after)}`;
  if (after === undefined) return `  - ${key}: ${format(before)}`;
  return `  ~ ${key}: ${format(before)} → ${format(after)}`;
}

function format(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

async function showStatus({ centre, members }: Opened, { json }: Options): Promise<void> {
  const [state, running] = await Promise.all([centre.state(), members()]);
  const status = configStatus(state, running);
  const text = json
    ? JSON.stringify(status ?? null, null, 2)
    : formatConfigStatus(status, Date.now()).join("\n");
  process.stdout.write(`${text}\n`);
}

async function promote({ centre }: Opened): Promise<void> {
  const state = await centre.state();
  const rollOut = inForce(state)?.canary?.rollOut;
  if (!rollOut) {
    throw new QuantmeshError("CONFIG_INVALID", "no version is being rolled out");
  }
  if (!(await centre.promote(state, userInfo().username))) throw overtaken();
  process.stdout.write(`version ${rollOut.version} goes to all bots\n`);
}

async function rollBack(fleet: Opened, options: Options): Promise<void> {
  const { centre } = fleet;
  const state = await centre.state();
  const newest = newestOf(state);
  const to = targetOf(state, newest, options.to);
  if (!inForce(state)?.canary) checkChange(await readValues(options.config), newest.shared, to.shared);
  const asked = performance.now();
  const reason = `asked for by ${userInfo().username}`;
  if (!(await centre.rollBack(state, { to, by: userInfo().username, at: Date.now(), reason })))
    throw overtaken();
  const version = newest.version + 1;
  process.stdout.write(`version ${version} is stored: rolls back v${newest.version} to v${to.version}\n`);
  const status = await untilEverywhere(fleet, version, options.timeout);
  const seconds = ((performance.now() - asked) / 1000).toFixed(2);
  const lines = formatConfigStatus({ ...status, rollOut: undefined }, Date.now());
  process.stdout.write(`${lines.join("\n")}${status.behind.length === 0 ? ` after ${seconds} s` : ""}\n`);
}

/** Until every instance runs `version`, or can only after a restart. Throws COORDINATION_UNAVAILABLE after `seconds`. */
async function untilEverywhere(
  { centre, members }: Opened,
  version: number,
  seconds: number,
): Promise<ConfigStatus> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const running = await members();
    const status = configStatus(await centre.state(), running);
    // A newer version may have come meanwhile.
    if (status && (status.inForce > version || status.behind.every(({ needsRestart }) => needsRestart)))
      return status;
    if (performance.now() > deadline) {
      const late = status?.behind.map(({ instance, why }) => `${instance} (${why})`).join(", ") ?? "";
      throw new QuantmeshError(
        "COORDINATION_UNAVAILABLE",
        `version ${version} is not run after ${seconds} s by ${late}; it goes on by itself`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function targetOf(state: CentreState, newest: ConfigVersion, to: number | undefined): ConfigVersion {
  const canary = inForce(state)?.canary;
  if (to === undefined && newest.rollBack) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `version ${newest.version} is a roll-back to v${newest.rollBack.to} itself: say which one to go to (--to)`,
    );
  }
  const target = versionOf(state, to ?? canary?.rollOut.base ?? newest.version - 1);
  if (!canary && JSON.stringify(target.shared) === JSON.stringify(newest.shared)) {
    const message = `version ${newest.version} is the same as v${target.version}: nothing to roll back`;
    throw new QuantmeshError("CONFIG_INVALID", message);
  }
  return target;
}

function newestOf({ versions }: CentreState): ConfigVersion {
  const newest = versions.at(-1);
  if (newest) return newest;
  throw new QuantmeshError("CONFIG_INVALID", "the fleet has no config yet: its first instance brings it");
}

function versionOf({ versions }: CentreState, wanted: number): ConfigVersion {
  const found = versions.find(({ version }) => version === wanted);
  if (found) return found;
  const [first, last] = [versions[0]?.version ?? 0, versions.at(-1)?.version ?? 0];
  throw new QuantmeshError("CONFIG_INVALID", `there is no version ${wanted}; kept are ${first} to ${last}`);
}

function overtaken(): QuantmeshError {
  return new QuantmeshError(
    "COORDINATION_UNAVAILABLE",
    "somebody else has decided meanwhile, or a guard has: look at it (config status), then ask again",
  );
}

async function withFleet(options: Options, work: (fleet: Opened) => Promise<void>): Promise<void> {
  const config = await fleetConfig(options.config);
  const { fleet } = config.coordination;
  const store = await openStore(config);
  const keys = fleetKeys(fleet);
  try {
    await work({
      centre: new ConfigCentre(store, fleet),
      members: async () => {
        const { entries } = await store.list(keys.prefix);
        return [...readFleet(keys, new Map(entries.map((entry) => [entry.key, entry]))).members.values()];
      },
    });
  } finally {
    store.close();
  }
}

function parseVersion(text: string): number {
  const value = Number(/^v?(\d{1,8})$/.exec(text)?.[1]);
  if (value >= 1) return value;
  throw new InvalidArgumentError("A version is a number, like 17 or v17.");
}
