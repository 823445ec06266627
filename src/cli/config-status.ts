/** Which instance runs which version of the fleet's config, who does not run the newest and why, and how a roll-out goes. */
import { changedKeys } from "../config/shared-config.ts";
import type { CentreState, ConfigVersion } from "../coordination/config-centre.ts";
import { inForce } from "../coordination/config-centre.ts";
import type { Member } from "../coordination/fleet-view.ts";
import type { CanaryReport, RollOut } from "../coordination/roll-out.ts";
import { isCanaryReport } from "../coordination/roll-out.ts";

export interface ConfigStatus {
  readonly newest: number;
  /** The version that all bots are to run, but for those of a canary. */
  readonly inForce: number;
  readonly instances: number;
  /** Those that do not run what is in force. */
  readonly behind: readonly Behind[];
  /** The last one, also when it has ended. */
  readonly rollOut: RollOut | undefined;
  /** What the instances say of a canary that goes on. */
  readonly canary: readonly { readonly instance: string; readonly report: CanaryReport }[];
}

export interface Behind {
  readonly instance: string;
  readonly version: number;
  readonly why: string;
  /** True where only a restart of the instance helps. */
  readonly needsRestart: boolean;
}

/** Undefined where the fleet has no config yet. */
export function configStatus(state: CentreState, members: readonly Member[]): ConfigStatus | undefined {
  const force = inForce(state);
  if (!force) return undefined;
  const { whole, canary } = force;
  return {
    newest: (canary?.version ?? whole).version,
    inForce: whole.version,
    instances: members.length,
    behind: members
      .filter(({ config }) => config !== whole.version)
      .map((member) => behind(member, whole, state.versions)),
    rollOut: state.rollOut,
    canary: members.flatMap(({ id, canary: report }) =>
      isCanaryReport(report) && report.version === canary?.version.version ? [{ instance: id, report }] : [],
    ),
  };
}

function behind(member: Member, whole: ConfigVersion, versions: readonly ConfigVersion[]): Behind {
  const { id, config, degraded } = member;
  const runs = versions.find(({ version }) => version === config);
  const keys = runs
    ? changedKeys(runs.shared, whole.shared).filter(({ effect }) => effect === "restart")
    : [];
  const needsRestart = keys.length > 0;
  const why = needsRestart
    ? `needs a restart for ${keys.map(({ key }) => key).join(", ")}`
    : (degraded ?? "has not taken it over yet");
  return { instance: id, version: config, why, needsRestart };
}

/** `all on v17`, or who is not; then how the last roll-out went. */
export function formatConfigStatus(status: ConfigStatus | undefined, now: number): readonly string[] {
  if (!status) return ["the fleet has no config yet: its first instance brings it"];
  const { instances, behind: late, inForce: version, rollOut } = status;
  const first =
    instances === 0
      ? `v${version}, and no instance is running`
      : late.length === 0
        ? `${rollOut?.state.kind === "canary" ? "all others" : "all"} on v${version}`
        : `${late.length} of ${instances} instances not on v${version}`;
  return [
    first,
    ...late.map(({ instance, version: runs, why }) => `  ${instance} is on v${runs}: ${why}`),
    ...(rollOut && rollOut.version >= version - 1 ? formatRollOut(rollOut, status, now) : []),
  ];
}

function formatRollOut(rollOut: RollOut, { canary }: ConfigStatus, now: number): readonly string[] {
  const { version, percent, windowMs, isAutomatic, at, state } = rollOut;
  switch (state.kind) {
    case "whole":
      return [`v${version} was rolled out to all by ${state.by}`];
    case "rolledBack":
      return [`v${version} was rolled back as v${state.as} by ${state.by}: ${state.reason}`];
    case "canary": {
      const then = isAutomatic
        ? `all follow when they have traded for ${windowMs / 1000} s`
        : "all follow on `config promote`";
      const age = Math.max(0, Math.round((now - at) / 1000));
      return [
        `v${version} is tried by ${percent} % of the bots that it changes, since ${age} s; ${then}`,
        ...canary.flatMap(({ instance, report }) => formatReport(instance, report)),
      ];
    }
  }
}

function formatReport(instance: string, report: CanaryReport): readonly string[] {
  if (report.kind === "refused") return [`  ${instance}: it cannot run: ${report.reason}`];
  const { trading, stopped, errors } = report;
  if (trading.length + stopped.length === 0) return [];
  const halted = stopped.map(({ symbol, why }) => `${symbol} halted (${why})`);
  return [`  ${instance}: ${[...trading, ...halted].join(", ")}; ${errors} errors`];
}
