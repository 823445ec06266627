/** Judges grids that can trade: what they earn, and whether the account can pay for them. */
import { previewGrid } from "../../backtest/preview-grid.ts";
import type { Money } from "../../domain/amounts.ts";
import { ZERO_MONEY, addMoney, formatMoney, parseMoney, subtractMoney } from "../../domain/amounts.ts";
import type { Finding } from "../../domain/finding.ts";
import { fault, ok, warn } from "../../domain/finding.ts";
import { valueOfBase } from "../../domain/instrument.ts";
import type { Balance } from "../../exchange/exchange.ts";
import type { CheckedGrid } from "../check-grids.ts";
import { mostResting, tooManyOrders } from "../fit-order-counts.ts";
import { percent } from "../plan-command.ts";
import { withStartingSlots } from "../preview-grids.ts";

export function judgeGrid(grid: CheckedGrid): Finding {
  const { levels, quote, quoteNeeded, startPrice, worst, restingBuys, restingSells } = preview(grid);
  const says =
    `${grid.symbol} at ${startPrice}: ${levels.length} cells, needs ${quoteNeeded} ${quote}, ` +
    `its worst cell earns ${percent(worst.profitRate)} % a cycle`;
  if (restingBuys + restingSells > 0) return ok("grid", says);
  return warn(
    "grid",
    `${says}; at this price nothing would rest`,
    `set lower and upper around the price ${startPrice}, or initial: buy (trading.symbols, ${grid.symbol})`,
  );
}

/** `mostOf`: how many orders of one account the exchange lets rest in a symbol. `ownMost`: limits.max_open_orders. */
export function judgeOrderCounts(
  grids: readonly CheckedGrid[],
  mostOf: (symbol: string) => number | undefined,
  ownMost: number | undefined,
): readonly Finding[] {
  const tooMany = grids.flatMap((grid) => {
    const found = tooManyOrders(grid, mostOf(grid.symbol));
    return found ? [fault("exchange.limits", `${grid.symbol}: ${found.says}`, found.remedy)] : [];
  });
  const sum = grids.reduce((total, grid) => total + mostResting(grid), 0);
  if (ownMost === undefined || sum <= ownMost) return tooMany;
  return [
    ...tooMany,
    warn(
      "exchange.limits",
      `up to ${sum} orders rest, and limits.max_open_orders allows ${ownMost}: the rest is not placed`,
      `raise limits.max_open_orders to ${sum}, or lower order_cleanup_threshold in trading.symbols`,
    ),
  ];
}

/** Of each quote: what the grids of it need at their start against what the account owns, the grids' base included. */
export function judgeBalances(
  grids: readonly CheckedGrid[],
  balances: readonly Balance[],
): readonly Finding[] {
  const ownedOf = (asset: string): Money => {
    const balance = balances.find((one) => one.asset === asset);
    return balance ? addMoney(balance.free, balance.locked) : ZERO_MONEY;
  };
  const quotes = new Set(grids.map(({ instrument }) => instrument.quote));
  const counted = new Set<string>();
  return [...quotes].map((quote) => {
    const own = grids.filter(({ instrument }) => instrument.quote === quote);
    const needed = own.reduce(
      (sum, grid) => addMoney(sum, parseMoney(preview(grid).quoteNeeded)),
      ZERO_MONEY,
    );
    // Grids that run already hold base instead of quote.
    const held = own.reduce((sum, { instrument, preview: { startPrice } }) => {
      if (counted.has(instrument.base)) return sum;
      counted.add(instrument.base);
      return addMoney(sum, valueOfBase(instrument, startPrice, ownedOf(instrument.base)));
    }, ZERO_MONEY);
    const owned = addMoney(ownedOf(quote), held);
    const says = `the grids need ${formatMoney(needed)} ${quote}, the account has ${formatMoney(owned)} (with base at today's price)`;
    if (owned >= needed) return ok("exchange.balance", says);
    const missing = formatMoney(subtractMoney(needed, owned));
    return warn(
      "exchange.balance",
      `${says}: buys pause where it is not enough`,
      `deposit ${missing} ${quote}, or lower order_quantity or the number of levels in trading.symbols`,
    );
  });
}

function preview(grid: CheckedGrid): ReturnType<typeof previewGrid> {
  return previewGrid(withStartingSlots(grid.preview, grid));
}
