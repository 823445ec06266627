/** What differs between two versions of the fleet's config, key by key, symbols by their name; without secrets. */
import { isMapping } from "./path.ts";
import { REDACTED, isSecretPath, redactConfig } from "./redact-config.ts";
import type { SharedConfig } from "./shared-config.ts";

/** A value that came (`before` undefined), went (`after` undefined), or changed. */
export interface SharedChange {
  /** `trading.symbols.BTC/USDT.stop_loss` */
  readonly key: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** In the order of the keys of `before`, then of those that are new. */
export function diffShared(before: SharedConfig, after: SharedConfig): readonly SharedChange[] {
  return diffNodes([], before, after);
}

function diffNodes(path: readonly string[], before: unknown, after: unknown): readonly SharedChange[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  const [left, right] = [fieldsOf(before), fieldsOf(after)];
  if (!left || !right) return [{ key: path.join("."), before: show(path, before), after: show(path, after) }];
  const changes = [...new Set([...left.keys(), ...right.keys()])].flatMap((name) =>
    diffNodes([...path, name], left.get(name), right.get(name)),
  );
  // The same items in another order.
  return changes.length > 0
    ? changes
    : [{ key: path.join("."), before: [...left.keys()], after: [...right.keys()] }];
}

/** The fields of a mapping, and the items of a list whose items all have a symbol of their own. */
function fieldsOf(node: unknown): ReadonlyMap<string, unknown> | undefined {
  if (isMapping(node)) return new Map(Object.entries(node));
  if (!Array.isArray(node)) return undefined;
  const items: readonly unknown[] = node;
  const named = new Map(
    items.flatMap((item) =>
      isMapping(item) && typeof item["symbol"] === "string" ? [[item["symbol"], item] as const] : [],
    ),
  );
  return named.size === items.length ? named : undefined;
}

function show(path: readonly string[], value: unknown): unknown {
  const name = path.at(-1) ?? "";
  if (value === undefined) return undefined;
  // An address is public but for its password.
  if (isMapping(value) || Array.isArray(value)) return redactConfig(value);
  const shown = redactConfig({ [name]: value })[name];
  return isSecretPath(path) && shown === value && name !== "dsn" ? REDACTED : shown;
}
