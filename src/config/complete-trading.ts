/** Writes the short forms of the `trading` section out: one complete item per symbol, each with its lattice. */
import type { Path } from "./path.ts";
import { isMapping } from "./path.ts";

/** Keys directly under `trading` that are defaults for every symbol, of either lattice or of windows alone. */
export const DEFAULTS_OF_ALL = [
  "order_quantity",
  "order_cleanup_threshold",
  "margin_lock_duration_seconds",
] as const;
export const DEFAULTS_OF_WINDOWS = [
  "price_interval",
  "buy_window_size",
  "sell_window_size",
  "min_order_value",
] as const;

const RANGE_ONLY = ["lower", "upper", "grids"];
const OTHER_SIZES = ["base_quantity", "investment"];

export interface Completed {
  readonly value: unknown;
  /** Where the value at `path` was written. */
  originOf(path: Path): Path;
}

type Mapping = Readonly<Record<string, unknown>>;

/** `config` is not checked yet: whatever is no list of mappings stays as it is. */
export function completeTrading(config: unknown): Completed {
  const unchanged: Completed = { value: config, originOf: (path) => path };
  if (!isMapping(config) || !isMapping(config["trading"])) return unchanged;
  const { symbol, symbols, ...trading } = config["trading"];
  const isSingle = symbol !== undefined && symbols === undefined;
  const items: unknown = isSingle ? [{ symbol, lattice: "window" }] : symbols;
  if (!Array.isArray(items)) return unchanged;
  const inherited = items.map((item: unknown) => (isMapping(item) ? inheritedBy(item, trading) : {}));
  const complete = items.map((item: unknown, index) =>
    isMapping(item) ? { ...inherited[index], ...item } : item,
  );
  const rest = isSingle ? trading : config["trading"];
  return {
    value: { ...config, trading: { ...rest, symbols: complete } },
    originOf(path) {
      const [section, list, index, key, ...deeper] = path;
      if (section !== "trading" || list !== "symbols" || index === undefined) return path;
      if (isSingle) return key === undefined ? [section] : [section, key, ...deeper];
      const isInherited = key !== undefined && Object.hasOwn(inherited[Number(index)] ?? {}, key);
      return isInherited && key !== "lattice" ? [section, key, ...deeper] : path;
    },
  };
}

/** The lattice of `item` and the defaults that it takes over. */
function inheritedBy(item: Mapping, trading: Mapping): Mapping {
  const lattice = item["lattice"] ?? latticeOf(item, trading);
  const keys = lattice === "window" ? [...DEFAULTS_OF_ALL, ...DEFAULTS_OF_WINDOWS] : DEFAULTS_OF_ALL;
  const isSized = OTHER_SIZES.some((key) => item[key] !== undefined);
  const taken = keys.filter(
    (key) => item[key] === undefined && trading[key] !== undefined && !(isSized && key === "order_quantity"),
  );
  return { lattice, ...Object.fromEntries(taken.map((key) => [key, trading[key]])) };
}

/** A window where it has its price_interval; its own keys say more than what it inherits. */
function latticeOf(item: Mapping, trading: Mapping): "range" | "window" {
  if (item["price_interval"] !== undefined) return "window";
  if (RANGE_ONLY.some((key) => item[key] !== undefined)) return "range";
  return trading["price_interval"] === undefined ? "range" : "window";
}
