/** A config version that a share of the bots runs first: which bots, what is reported of them, and what follows. Pure. */
import { hash32 } from "./ring.ts";

export interface RollOut {
  /** What is rolled out. */
  readonly version: number;
  /** What all other bots run meanwhile. */
  readonly base: number;
  /** The share of the changed bots that run it first, 1 to 100. */
  readonly percent: number;
  /** How long all of them must trade before the others follow. */
  readonly windowMs: number;
  /** More errors, or more bots that stand still, than these roll it back. */
  readonly maxErrors: number;
  readonly maxHalted: number;
  /** Whether it goes to all bots by itself when the window has passed. */
  readonly isAutomatic: boolean;
  /** Bots that stood still before it: that they do says nothing about it. */
  readonly stoppedBefore: readonly string[];
  readonly by: string;
  /** ms since 1970. */
  readonly at: number;
  readonly state: RollOutState;
}

/** How a version that is not stored yet is to be rolled out. */
export type RollOutPlan = Omit<RollOut, "version" | "base" | "state">;

export type RollOutState =
  | { readonly kind: "canary" }
  | { readonly kind: "whole"; readonly by: string }
  /** `as`: the version that has the content of before. */
  | { readonly kind: "rolledBack"; readonly as: number; readonly by: string; readonly reason: string };

/** What an instance says of the canary's bots that it has. */
export type CanaryReport =
  | {
      readonly kind: "running";
      readonly version: number;
      /** Symbols. */
      readonly trading: readonly string[];
      readonly stopped: readonly StoppedBot[];
      /** Of all its bots in the canary, since it has taken the version over. */
      readonly errors: number;
    }
  /** The version cannot run there at all. */
  | { readonly kind: "refused"; readonly version: number; readonly reason: string };

export interface StoppedBot {
  readonly symbol: string;
  readonly why: string;
}

/** Why a guard rolls a version back. */
export type Trip = "refused" | "halted" | "errors" | "stuck";

export type Verdict =
  /** For these bots to trade, or for the window to pass. */
  | { readonly kind: "wait"; readonly missing: readonly string[] }
  | { readonly kind: "promote" }
  | { readonly kind: "rollBack"; readonly trip: Trip; readonly reason: string };

/**
 * Those of `changed` that run `version` first, by a hash of version and symbol: the same everywhere, other ones each time.
 * ⌊percent of all⌋, but at least one.
 */
export function canaryOf(changed: readonly string[], version: number, percent: number): readonly string[] {
  const count = Math.min(changed.length, Math.max(1, Math.floor((changed.length * percent) / 100)));
  return changed
    .map((symbol) => ({ symbol, hash: hash32(`version ${version} ${symbol}`) }))
    .sort((a, b) => a.hash - b.hash || (a.symbol < b.symbol ? -1 : 1))
    .slice(0, count)
    .map(({ symbol }) => symbol);
}

/**
 * What is to become of a canary whose bots are `expected`: `goodMs` is for how long all of them have traded without a
 * break, `badMs` for how long not all have.
 */
export function judgeCanary(
  rollOut: RollOut,
  expected: readonly string[],
  reports: readonly CanaryReport[],
  { goodMs, badMs }: { readonly goodMs: number; readonly badMs: number },
): Verdict {
  const { version, windowMs, maxErrors, maxHalted, isAutomatic } = rollOut;
  const ours = reports.filter((report) => report.version === version);
  const refused = ours.find((report) => report.kind === "refused");
  if (refused) return { kind: "rollBack", trip: "refused", reason: `it cannot run: ${refused.reason}` };
  const running = ours.filter((report) => report.kind === "running");
  const stopped = running.flatMap((report) => report.stopped);
  if (stopped.length > maxHalted) {
    const reason = `${stopped.length} halted (at most ${maxHalted}): ${list(stopped.map(({ symbol, why }) => `${symbol} (${why})`))}`;
    return { kind: "rollBack", trip: "halted", reason };
  }
  const errors = running.reduce((sum, report) => sum + report.errors, 0);
  if (errors > maxErrors) {
    return { kind: "rollBack", trip: "errors", reason: `${errors} errors (at most ${maxErrors})` };
  }
  const missing = missingOf(expected, running);
  if (missing.length > 0) {
    const limitMs = Math.max(windowMs, LEAST_START_MS);
    const reason = `after ${limitMs / 1000} s these still do not trade: ${list(missing)}`;
    return badMs >= limitMs ? { kind: "rollBack", trip: "stuck", reason } : { kind: "wait", missing };
  }
  return goodMs >= windowMs && isAutomatic ? { kind: "promote" } : { kind: "wait", missing };
}

/** A stored roll-out; undefined where `value` is none of ours. */
export function readRollOut(value: string): RollOut | undefined {
  const record = parse(value);
  const numbers = ["version", "base", "percent", "windowMs", "maxErrors", "maxHalted", "at"];
  const isOurs =
    numbers.every((key) => typeof field(record, key) === "number") &&
    Array.isArray(field(record, "stoppedBefore")) &&
    ["canary", "whole", "rolledBack"].includes(String(field(field(record, "state"), "kind")));
  return isOurs ? (record as RollOut) : undefined;
}

/** True of what an instance of ours reports. */
export function isCanaryReport(record: unknown): record is CanaryReport {
  if (typeof field(record, "version") !== "number") return false;
  if (field(record, "kind") === "refused") return true;
  const isRunning = field(record, "kind") === "running" && typeof field(record, "errors") === "number";
  return isRunning && Array.isArray(field(record, "trading")) && Array.isArray(field(record, "stopped"));
}

function parse(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function field(record: unknown, key: string): unknown {
  return typeof record === "object" && record !== null ? Reflect.get(record, key) : undefined;
}

/** Those of `expected` of which nobody reports anything: they are between two owners, or have none. */
function missingOf(
  expected: readonly string[],
  running: readonly Extract<CanaryReport, { kind: "running" }>[],
): readonly string[] {
  const known = new Set(
    running.flatMap(({ trading, stopped }) => [...trading, ...stopped.map(({ symbol }) => symbol)]),
  );
  return expected.filter((symbol) => !known.has(symbol));
}

const MOST_NAMED = 5;
/** A bot may take so long to start, however short the window: its owner may have to be replaced first. */
const LEAST_START_MS = 30_000;

function list(items: readonly string[]): string {
  const rest = items.length - MOST_NAMED;
  return [...items.slice(0, MOST_NAMED), ...(rest > 0 ? [`${rest} more`] : [])].join(", ");
}
