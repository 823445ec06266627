/** `${NAME}` inside a value becomes the environment variable of that name: secrets stay out of the file. */
import type { Finding, Path } from "./path.ts";
import { formatPath, isMapping } from "./path.ts";

const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Expanded {
  readonly value: unknown;
  /** Places whose text holds a variable's value, by `formatPath`: such text may be a secret. */
  readonly places: ReadonlySet<string>;
  readonly problems: readonly Finding[];
}

/** A copy of `value` with every reference replaced; `$${` is the text `${` itself. Keys are left as they are. */
export function expandVariables(value: unknown, env: Environment): Expanded {
  const places = new Set<string>();
  const problems: Finding[] = [];
  const expandText = (text: string, path: Path): string =>
    text.replace(REFERENCE, (whole: string, name?: string, end?: string) => {
      if (name === undefined) return "${";
      if (end === "" || !NAME.test(name)) {
        problems.push({
          path,
          reason: "write ${NAME} for an environment variable, or $${ for the text itself",
        });
        return whole;
      }
      const found = env[name];
      if (found === undefined) {
        problems.push({ path, reason: `environment variable ${name} is not set` });
        return whole;
      }
      places.add(formatPath(path));
      return found;
    });
  const expand = (node: unknown, path: Path): unknown => {
    if (typeof node === "string") return expandText(node, path);
    if (Array.isArray(node)) return node.map((item, index) => expand(item, [...path, index]));
    if (!isMapping(node)) return node;
    return Object.fromEntries(
      Object.entries(node).map(([key, child]) => [key, expand(child, [...path, key])]),
    );
  };
  return { value: expand(value, []), places, problems };
}

/** `text` so that `expandVariables` gives it back unchanged. */
export function escapeVariables(text: string): string {
  // A replacement text would have its own meaning of `$`.
  return text.replaceAll("${", () => "$${");
}
