/** A place in the config: the keys and list positions that lead to it. */

export type Path = readonly PropertyKey[];

/** What is wrong, or worth a word, at one place. */
export interface Finding {
  readonly path: Path;
  readonly reason: string;
}

/** `["trading", "symbols", 0, "lower"]` → `trading.symbols[0].lower`. */
export function formatPath(path: Path): string {
  return path
    .map((step, at) => (typeof step === "number" ? `[${step}]` : `${at ? "." : ""}${String(step)}`))
    .join("");
}

/** What stands at `path`; undefined where nothing does. */
export function valueAt(value: unknown, path: Path): unknown {
  let node = value;
  for (const step of path) {
    if (typeof node !== "object" || node === null || !Object.hasOwn(node, step)) return undefined;
    node = (node as Readonly<Record<PropertyKey, unknown>>)[step];
  }
  return node;
}

/** True of a mapping. */
export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
