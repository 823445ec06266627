/** What a bot has done, in the words of the log and of the terminal. */
import { formatMoney } from "../domain/amounts.ts";
import { formatPrice, formatQuantity } from "../domain/instrument.ts";
import type { BotStatus } from "../runner/bot-runner.ts";
import { valueGrid } from "../strategy/valuation.ts";

/** Amounts are exact decimal text, in quote unless said otherwise. */
export interface BotSummaryText {
  readonly symbol: string;
  readonly bot: string;
  readonly mode: string;
  readonly price: string;
  readonly position: string;
  readonly openBuys: number;
  readonly openSells: number;
  readonly fills: number;
  readonly trades: number;
  readonly inventorySells: number;
  readonly gridProfit: string;
  readonly inventoryPnl: string;
  readonly unrealizedPnl: string;
  readonly totalPnl: string;
  readonly fees: string;
}

export function summarizeBot({ bot, mode, price, working, totals, state }: BotStatus): BotSummaryText {
  const { instrument } = bot;
  const { unrealizedPnl, totalPnl } = valueGrid(state, price);
  const count = (side: string): number => working.filter(({ terms }) => terms.side === side).length;
  return {
    symbol: bot.market.symbol,
    bot: bot.code,
    mode,
    price: formatPrice(instrument, price),
    position: formatQuantity(instrument, totals.position),
    openBuys: count("buy"),
    openSells: count("sell"),
    fills: totals.fills,
    trades: totals.trades,
    inventorySells: totals.inventorySells,
    gridProfit: formatMoney(totals.gridProfit),
    inventoryPnl: formatMoney(totals.inventoryPnl),
    unrealizedPnl: formatMoney(unrealizedPnl),
    totalPnl: formatMoney(totalPnl),
    fees: formatMoney(totals.fees),
  };
}

/** One block of lines per bot. */
export function formatSummaries(summaries: readonly BotSummaryText[]): string {
  return summaries
    .map((summary) =>
      Object.entries(summary)
        .map(([name, value]) => `${name.padEnd(16)}${String(value)}`)
        .join("\n"),
    )
    .join("\n\n");
}
