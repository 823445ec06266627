/** Lays the configured grids out for somebody to look at; a real exchange is asked for its rules and prices, without keys. */
import type { Config } from "../config/schema.ts";
import type { Log } from "../domain/log.ts";
import type { Bot } from "../domain/grid.ts";
import type { Metrics } from "../domain/metrics.ts";
import { resolveRules } from "../strategy/rules.ts";
import { startingSlots } from "../strategy/window.ts";
import type { CheckedGrid } from "./check-grids.ts";
import { checkGrids } from "./check-grids.ts";
import { openPrices } from "./open-market.ts";

const nothing = (): void => undefined;
export const NO_LOG: Log = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => NO_LOG,
};
export const NO_METRICS: Metrics = { count: nothing, gauge: nothing, observe: nothing };

/** Throws as `checkGrids`, and EXCHANGE_UNAVAILABLE where a real exchange does not answer. */
export async function previewGrids(config: Config): Promise<readonly CheckedGrid[]> {
  const prices = await openPrices(config, NO_LOG, NO_METRICS);
  try {
    return await checkGrids(config, prices);
  } finally {
    await prices?.close();
  }
}

/** The bot with the slots that it opens first: a window grid has none before its first price. */
export function withStartingSlots(bot: Bot, { rules }: CheckedGrid): Bot {
  return { ...bot, slots: startingSlots(bot, resolveRules(bot, rules)) };
}
