/** The part of the config that a whole fleet shares, and what a change of it takes. Everything else is an instance's own. */
import { QuantmeshError } from "../domain/errors.ts";
import { isMapping } from "./path.ts";

export type SharedConfig = Readonly<Record<string, unknown>>;

/**
 * What the fleet shares, the longest key first. `hot`: taken over at once, by those bots alone that it concerns.
 * `restart`: taken over when an instance starts.
 */
export const SHARED_KEYS: readonly {
  readonly key: string;
  readonly effect: "hot" | "restart";
  readonly meaning: string;
}[] = [
  {
    key: "trading.reconcile_interval",
    effect: "restart",
    meaning: "how often lists are compared",
  },
  {
    key: "trading",
    effect: "hot",
    meaning: "symbols are added and removed; the bots whose rules changed, by a default too, start anew",
  },
];

/** The shared part of a config file's values. */
export function sharedPart(raw: unknown): SharedConfig {
  return isMapping(raw) && raw["trading"] !== undefined ? { trading: raw["trading"] } : {};
}

/** The values of a config file with the fleet's shared part in the place of its own. */
export function withShared(raw: unknown, shared: SharedConfig): Readonly<Record<string, unknown>> {
  return { ...(isMapping(raw) ? raw : {}), ...shared };
}

/** What stands at a dotted key, `trading.symbols.0.stop_loss`; undefined where there is nothing. */
export function sharedAt(shared: SharedConfig, key: string): unknown {
  return key.split(".").reduce<unknown>((node, step) => {
    if (Array.isArray(node)) return (node as readonly unknown[])[indexOf(node, step)];
    return isMapping(node) ? node[step] : undefined;
  }, shared);
}

/**
 * A copy with `value` at a dotted key; undefined takes the key away. A list is entered by position, or by a symbol's
 * name: `trading.symbols.BTC/USDT.stop_loss`. Throws CONFIG_INVALID where the key is not shared.
 */
export function setShared(shared: SharedConfig, key: string, value: unknown): SharedConfig {
  if (!SHARED_KEYS.some((one) => key === one.key || key.startsWith(`${one.key}.`))) {
    const known = SHARED_KEYS.map((one) => one.key).join(", ");
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `${key} is each instance's own: change its file. Shared by the fleet: everything under ${known}`,
    );
  }
  return setAt(shared, key.split("."), value) as SharedConfig;
}

/** The shared keys whose values differ, each with what it takes. */
export function changedKeys(
  before: SharedConfig,
  after: SharedConfig,
): readonly { readonly key: string; readonly effect: "hot" | "restart" }[] {
  const keys = new Set(
    [before, after].flatMap((one) => (isMapping(one["trading"]) ? Object.keys(one["trading"]) : [])),
  );
  return [...keys]
    .map((key) => `trading.${key}`)
    .filter((key) => JSON.stringify(sharedAt(before, key)) !== JSON.stringify(sharedAt(after, key)))
    .map((key) => ({ key, effect: effectOf(key) }));
}

function effectOf(key: string): "hot" | "restart" {
  return SHARED_KEYS.find((one) => key === one.key || key.startsWith(`${one.key}.`))?.effect ?? "restart";
}

function setAt(node: unknown, path: readonly string[], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (Array.isArray(node)) {
    const list: readonly unknown[] = node;
    const index = indexOf(list, step);
    const next = setAt(list[index], rest, value);
    const others = [...list.slice(0, index), ...(next === undefined ? [] : [next]), ...list.slice(index + 1)];
    return others;
  }
  const mapping = isMapping(node) ? node : {};
  const next = setAt(mapping[step], rest, value);
  return Object.fromEntries([
    ...Object.entries(mapping).filter(([name]) => name !== step),
    ...(next === undefined ? [] : [[step, next] as const]),
  ]);
}

/** The position that `step` means; the end of the list where it means none. */
function indexOf(list: readonly unknown[], step: string): number {
  const position = /^\d+$/.test(step) ? Number(step) : -1;
  if (position >= 0) return Math.min(position, list.length);
  const named = list.findIndex((item) => isMapping(item) && item["symbol"] === step);
  return named < 0 ? list.length : named;
}
