/** Lays each configured grid out by itself: one that cannot trade does not hide another. */
import type { Config, GridConfig } from "../../config/schema.ts";
import type { MarketKey } from "../../domain/claim.ts";
import { hasCode } from "../../domain/errors.ts";
import type { Finding } from "../../domain/finding.ts";
import { fault, warn } from "../../domain/finding.ts";
import type { Bot } from "../../domain/grid.ts";
import { canonicalSettings } from "../../strategy/settings.ts";
import { KEEP_STORED_GRID, differenceFromStored } from "../../strategy/stored-grid.ts";
import type { CheckedGrid, Prices } from "../check-grids.ts";
import { checkOneGrid } from "../check-grids.ts";
import { gridSettings } from "../grid-config.ts";
import { judgeGrid } from "./judge-grids.ts";
import { reasonOf } from "./run-checks.ts";

export interface EachGrid {
  readonly findings: readonly Finding[];
  /** Those that can trade. */
  readonly checked: readonly CheckedGrid[];
}

type GridEnd =
  | { readonly kind: "checked"; readonly grid: CheckedGrid; readonly finding: Finding }
  | { readonly kind: "wrong"; readonly finding: Finding }
  /** Fees are told to the key's owner only. */
  | { readonly kind: "keyRefused" };

const GRIDS_AT_ONCE = 10;

/** `prices`: of a real exchange. `stored`: the bots that trade already. */
export async function checkEachGrid(
  config: Config,
  prices: Prices | undefined,
  stored: readonly Bot[] = [],
): Promise<EachGrid> {
  const { symbols } = config.trading;
  const ends: GridEnd[] = [];
  for (let from = 0; from < symbols.length; from += GRIDS_AT_ONCE) {
    const some = symbols.slice(from, from + GRIDS_AT_ONCE);
    ends.push(
      ...(await Promise.all(
        some.map(async (grid, index) => checkOne(config, prices, stored, grid, from + index)),
      )),
    );
  }
  const checked = ends.flatMap((end) => (end.kind === "checked" ? [end.grid] : []));
  const unseen = ends.filter(({ kind }) => kind === "keyRefused").length;
  const skipped = warn(
    "grid",
    `${unseen} not checked: the key is refused`,
    "correct the key first, as exchange.key says",
  );
  return {
    checked,
    findings: [
      ...ends.flatMap((end) => (end.kind === "keyRefused" ? [] : [end.finding])),
      ...(unseen > 0 ? [skipped] : []),
    ],
  };
}

async function checkOne(
  config: Config,
  prices: Prices | undefined,
  stored: readonly Bot[],
  grid: GridConfig,
  index: number,
): Promise<GridEnd> {
  const findBot = ({ exchange, account, symbol }: MarketKey): Bot | undefined =>
    stored.find(
      ({ market }) => market.exchange === exchange && market.account === account && market.symbol === symbol,
    );
  try {
    const wanted = canonicalSettings(gridSettings(grid));
    // Of a new grid it is worth more to know why it cannot trade than that it is another one than the stored.
    const checked = await checkOneGrid(config, grid, prices, async (market) => {
      const bot = findBot(market);
      return bot?.settings === wanted ? bot : undefined;
    });
    const bot = findBot(checked.preview.market);
    const difference = bot && differenceFromStored(bot, checked.settings, checked.instrument);
    if (difference !== undefined)
      return { kind: "wrong", finding: fault("grid", difference, KEEP_STORED_GRID) };
    return { kind: "checked", grid: checked, finding: judgeGrid(checked) };
  } catch (error) {
    if (hasCode(error, "EXCHANGE_AUTH")) return { kind: "keyRefused" };
    const remedy = hasCode(error, "CONFIG_INVALID")
      ? `change trading.symbols[${index}] as said, and look at quantmesh plan`
      : "try again in a minute";
    return { kind: "wrong", finding: fault("grid", `${grid.symbol}: ${reasonOf(error)}`, remedy) };
  }
}
