/** Reads from etcd what the fleet runs, and judges what its instances say of themselves. */
import { changedKeys, sharedPart } from "../../config/shared-config.ts";
import type { Config } from "../../config/schema.ts";
import { ConfigCentre } from "../../coordination/config-centre.ts";
import type { ConfigVersion } from "../../coordination/config-centre.ts";
import type { FleetView, Member } from "../../coordination/fleet-view.ts";
import { fleetKeys, readFleet } from "../../coordination/fleet-view.ts";
import type { Finding } from "../../domain/finding.ts";
import { fault, ok, warn } from "../../domain/finding.ts";
import { openStore } from "../open-store.ts";
import { splitAddress } from "./check-ports.ts";

export interface FleetSight {
  readonly view: FleetView;
  /** Of the config that the fleet shares; undefined where it has none yet. */
  readonly version: ConfigVersion | undefined;
}

/** Throws COORDINATION_UNAVAILABLE, CONFIG_INVALID. */
export async function lookAtFleet(config: Config): Promise<FleetSight> {
  const store = await openStore(config);
  try {
    const keys = fleetKeys(config.coordination.fleet);
    const [{ entries }, version] = await Promise.all([
      store.list(keys.prefix),
      new ConfigCentre(store, config.coordination.fleet).current(),
    ]);
    return { view: readFleet(keys, new Map(entries.map((entry) => [entry.key, entry]))), version };
  } finally {
    store.close();
  }
}

/** `values`: of this instance's file, as they stand there. */
export function judgeFleet(
  { view, version }: FleetSight,
  config: Config,
  values: unknown,
): readonly Finding[] {
  const members = [...view.members.values()];
  const findings: Finding[] = [...judgeAddress(config, members)];
  const found = (says: string, remedy: string): void => void findings.push(warn("fleet", says, remedy));
  const programs = groupIds(members, (member) => member.version);
  if (programs.size > 1) {
    found(
      `different versions of quantmesh: ${describeGroups(programs)}`,
      "finish the update: restart the older instances one after the other",
    );
  }
  const late = members.filter((member) => version !== undefined && member.config !== version.version);
  if (late.length > 0) {
    found(
      `not on version ${version?.version ?? 0} of the fleet's config: ${late.map(({ id, config: own }) => `${id} (${own})`).join(", ")}`,
      "restart these instances one after the other",
    );
  }
  for (const { id, degraded } of members) {
    if (degraded !== undefined)
      found(`${id}: ${degraded}`, `look into the log of ${id}, and restart it once the cause is gone`);
  }
  const changed = version ? changedKeys(sharedPart(values), version.shared).map(({ key }) => key) : [];
  if (changed.length > 0) {
    found(
      `${changed.join(", ")}: the fleet runs version ${version?.version ?? 0} of its config, not what this file says`,
      "give the file to the fleet with quantmesh config set --from FILE, or change the file",
    );
  }
  if (findings.length > 0) return findings;
  const of = (role: Member["role"]): number => members.filter((member) => member.role === role).length;
  const shared = version === undefined ? "no shared config yet" : `config version ${version.version}`;
  return [ok("fleet", `${of("active")} active, ${of("standby")} standby, ${shared}`)];
}

/** Others are told where this instance listens. */
function judgeAddress({ coordination, instance }: Config, members: readonly Member[]): readonly Finding[] {
  const advertised = coordination.advertise ?? coordination.listen;
  const { host } = splitAddress(advertised);
  const remedy = "set coordination.advertise to the host:port under which the other instances reach this one";
  if (host === "0.0.0.0" || host === "::") {
    return [
      fault("fleet", `the others would be told ${advertised}, which is no address to connect to`, remedy),
    ];
  }
  const away = members.find(
    ({ id, address }) => id !== instance.id && !isLoopback(splitAddress(address).host),
  );
  if (!isLoopback(host) || !away) return [];
  return [
    fault(
      "fleet",
      `the others, like ${away.id} at ${away.address}, would be told ${advertised}, which is their own computer`,
      remedy,
    ),
  ];
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function groupIds(
  members: readonly Member[],
  keyOf: (member: Member) => string,
): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const member of members) groups.set(keyOf(member), [...(groups.get(keyOf(member)) ?? []), member.id]);
  return groups;
}

function describeGroups(groups: ReadonlyMap<string, readonly string[]>): string {
  return [...groups].map(([version, ids]) => `${version} (${ids.join(", ")})`).join(", ");
}
