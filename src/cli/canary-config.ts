/** The config of an instance while a version is rolled out: the one of before, but for the bots of the canary. */
import type { Config, GridConfig } from "../config/schema.ts";
import type { RollOut } from "../coordination/roll-out.ts";
import { canaryOf } from "../coordination/roll-out.ts";

export interface CanaryConfig {
  readonly config: Config;
  /** Symbols that the canary touches: whose grids it changes, brings or takes away. */
  readonly touched: readonly string[];
  /** Those of them that trade under it. */
  readonly expected: readonly string[];
}

/** `base` with the grids of `next` in the place of those that belong to the canary. */
export function mergeCanary(
  base: Config,
  next: Config,
  { version, percent }: Pick<RollOut, "version" | "percent">,
): CanaryConfig {
  const touched = canaryOf(changedSymbols(base, next), version, percent);
  const isTouched = new Set(touched);
  const grids = gridsOf(next);
  const known = gridsOf(base);
  const kept = base.trading.symbols.flatMap((grid): readonly GridConfig[] => {
    if (!isTouched.has(grid.symbol)) return [grid];
    const changed = grids.get(grid.symbol);
    return changed ? [changed] : [];
  });
  const added = next.trading.symbols.filter(({ symbol }) => isTouched.has(symbol) && !known.has(symbol));
  return {
    config: { ...base, trading: { ...base.trading, symbols: [...kept, ...added] } },
    touched,
    expected: touched.filter((symbol) => grids.has(symbol)),
  };
}

/** Symbols whose grids differ, in the order of `base`, then of `next`. */
export function changedSymbols(base: Config, next: Config): readonly string[] {
  const [before, after] = [rulesOf(base), rulesOf(next)];
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (symbol) => before.get(symbol) !== after.get(symbol),
  );
}

/** Everything that is configured of each symbol, as text to compare. */
export function rulesOf({ trading }: Config): ReadonlyMap<string, string> {
  return new Map(trading.symbols.map((grid) => [grid.symbol, JSON.stringify(grid)]));
}

function gridsOf({ trading }: Config): ReadonlyMap<string, GridConfig> {
  return new Map(trading.symbols.map((grid) => [grid.symbol, grid]));
}
