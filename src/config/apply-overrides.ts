/** Environment variables that stand in for keys of the file: `QUANTMESH__WEB__PORT=0` is `web.port: 0`. */
import type { Environment } from "./expand-variables.ts";
import { escapeVariables } from "./expand-variables.ts";
import type { Path } from "./path.ts";
import { formatPath, isMapping } from "./path.ts";

const PREFIX = "QUANTMESH__";
const NESTING = "__";

export interface Overridden {
  readonly value: unknown;
  /** The variable behind each overridden place, by `formatPath`. */
  readonly variables: ReadonlyMap<string, string>;
  /** Variables that name no place of a config, each with the sentence that says why. */
  readonly problems: readonly { readonly variable: string; readonly reason: string }[];
}

/**
 * `value` with every variable of `env` that begins with QUANTMESH__ in its place: `__` goes one key deeper, a list is
 * entered by position. A step means the key of that name in any case, with `_` for what no variable name can hold
 * (`BTC_USDT`). An empty variable changes nothing: containers pass unset ones as empty. Never changes `value` itself.
 */
export function applyOverrides(value: unknown, env: Environment): Overridden {
  const variables = new Map<string, string>();
  const problems: { variable: string; reason: string }[] = [];
  // Numbers in order, so that a list grows from its end: __2 before __10.
  const names = Object.keys(env).toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }));
  let result: unknown = value ?? {};
  for (const variable of names) {
    const text = env[variable];
    if (!variable.startsWith(PREFIX) || !text) continue;
    const place = findPlace(result, variable.slice(PREFIX.length).split(NESTING));
    if (typeof place === "string") {
      problems.push({ variable, reason: place });
    } else {
      result = withValue(result, place, escapeVariables(text));
      variables.set(formatPath(place), variable);
    }
  }
  return { value: result, variables, problems };
}

/** The path that `steps` mean in `root`, or why there is none. */
function findPlace(root: unknown, steps: readonly string[]): Path | string {
  const path: PropertyKey[] = [];
  let node = root;
  for (const step of steps) {
    if (step === "") return "has a step without a name; write QUANTMESH__SECTION__KEY";
    const place = formatPath(path) || "the config";
    if (typeof node === "string") return `${place} is a single value, which has no keys`;
    const list: readonly unknown[] | undefined = Array.isArray(node)
      ? node
      : node === undefined && isPosition(step)
        ? []
        : undefined;
    if (list) {
      if (!isPosition(step) || Number(step) > list.length) {
        return `${place} is a list of ${list.length}; write a position from 0 to ${list.length}`;
      }
      path.push(Number(step));
      node = list[Number(step)];
    } else {
      const mapping = isMapping(node) ? node : {};
      const key = keyFor(mapping, step, path.at(-1));
      path.push(key);
      node = mapping[key];
    }
  }
  return path;
}

function isPosition(step: string): boolean {
  return /^\d{1,9}$/.test(step);
}

/** The key of the file that `step` names; a new key is in lower case, but for assets. */
function keyFor(
  mapping: Readonly<Record<string, unknown>>,
  step: string,
  parent: PropertyKey | undefined,
): string {
  const wanted = step.toUpperCase();
  const known = Object.keys(mapping).find((key) => key.toUpperCase().replace(/[^A-Z0-9]/g, "_") === wanted);
  return known ?? (parent === "balances" ? step : step.toLowerCase());
}

function withValue(node: unknown, path: Path, text: string): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return text;
  if (typeof step === "number") {
    const list: readonly unknown[] = Array.isArray(node) ? node : [];
    return [...list.slice(0, step), withValue(list[step], rest, text), ...list.slice(step + 1)];
  }
  const mapping = isMapping(node) ? node : {};
  return { ...mapping, [step]: withValue(mapping[String(step)], rest, text) };
}
