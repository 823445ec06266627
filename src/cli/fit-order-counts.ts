/** Whether the orders of a grid find room on the exchange, which lets only so many of an account rest in a symbol. */
import { QuantmeshError } from "../domain/errors.ts";
import type { Log } from "../domain/log.ts";
import type { CheckedGrid, FindBot, Prices } from "./check-grids.ts";

/** In the other modes no order leaves. */
export function sendsOrders(mode: string): boolean {
  return mode === "live" || mode === "sandbox";
}

export type LaidOutGrid = Pick<CheckedGrid, "symbol" | "preview" | "rules">;

export interface TooManyOrders {
  readonly says: string;
  readonly remedy: string;
}

/** What is wrong with more orders than `most`, which is undefined where the exchange does not tell; undefined where they fit. */
export function tooManyOrders(grid: LaidOutGrid, most: number | undefined): TooManyOrders | undefined {
  const count = mostResting(grid);
  if (most === undefined || count <= most) return undefined;
  return {
    says: `up to ${count} orders rest, and the exchange takes ${most} of an account`,
    remedy: `set order_cleanup_threshold to ${most} or less for ${grid.symbol} (trading.symbols), or use fewer levels`,
  };
}

/** Each slot has one order at a time. */
export function mostResting({ preview: bot, rules }: Pick<CheckedGrid, "preview" | "rules">): number {
  const { buyLevels, sellLevels } = rules.window;
  return Math.min(bot.lattice.kind === "range" ? bot.slots.length : buyLevels + sellLevels, rules.maxOrders);
}

/** Throws CONFIG_INVALID where a new grid wants more orders than `most`. */
export function refuseTooManyOrders(grid: LaidOutGrid, most: number | undefined): void {
  const found = tooManyOrders(grid, most);
  if (found) throw new QuantmeshError("CONFIG_INVALID", `${found.says}: ${found.remedy}`);
}

/**
 * Throws CONFIG_INVALID where a new grid wants more orders than the exchange lets rest: exits would be refused for want
 * of room. One that is stored goes on, with as many as it may have.
 */
export async function fitOrderCount(
  grid: CheckedGrid,
  prices: Prices,
  exchange: string,
  findBot: FindBot | undefined,
  log: Log | undefined,
): Promise<CheckedGrid> {
  const { symbol, rules } = grid;
  const most = prices.mostOpenOrders?.(symbol);
  const found = tooManyOrders(grid, most);
  if (!found || most === undefined) return grid;
  const { says, remedy } = found;
  if (!(await findBot?.({ exchange, account: prices.account, symbol }))) refuseTooManyOrders(grid, most);
  log?.warn({ symbol, says, remedy, orders: most }, "grid.orders_limited");
  return { ...grid, rules: { ...rules, maxOrders: most } };
}
