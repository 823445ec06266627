/** What a grid is worth at a price, from its own books: the two ways to the total must agree to the last unit. */
import type { Money, PriceTicks } from "../domain/amounts.ts";
import { ZERO_MONEY, addMoney, money, subtractMoney } from "../domain/amounts.ts";
import type { Bot, Totals } from "../domain/grid.ts";
import { INITIAL_PURCHASE_SLOT } from "../domain/ids.ts";
import { valueOfBase } from "../domain/instrument.ts";
import { costOf } from "./accounting.ts";
import type { GridState } from "./state.ts";
import { workingOrders } from "./working-orders.ts";

/** All in quote. */
export interface Valuation {
  /** Of what is held, fees included; what half-filled orders moved so far is in it. */
  readonly cost: Money;
  /** Holdings at the price against that cost; no sell fee. */
  readonly unrealizedPnl: Money;
  /** gridProfit + inventoryPnl + unrealizedPnl. */
  readonly totalPnl: Money;
  /** Cash flow + holdings at the price, less `totalPnl`: 0, or the books are wrong. */
  readonly identityError: Money;
}

export function valueGrid(state: GridState, price: PriceTicks): Valuation {
  const { totals, bot } = state;
  const cost = addMoney(inventoryCost(state), costInFlight(state));
  const holdings = valueOfBase(bot.instrument, price, baseOwned(bot, totals));
  const unrealizedPnl = subtractMoney(holdings, cost);
  const totalPnl = money(totals.gridProfit + totals.inventoryPnl + unrealizedPnl);
  const identityError = money(totals.cashFlow + holdings - totalPnl);
  return { cost, unrealizedPnl, totalPnl, identityError };
}

/** What the bot owns on the exchange: lots bought less lots sold, less the fees that were taken in base. */
export function baseOwned({ instrument }: Bot, { position, baseFees }: Totals): Money {
  return money(BigInt(position) * instrument.lotSize - baseFees);
}

function inventoryCost(state: GridState): Money {
  return state.slots.reduce((sum, { inventory }) => addMoney(sum, costOf(inventory)), ZERO_MONEY);
}

/** A buy adds to the inventory, and a sell becomes a trade, only when it ends. */
function costInFlight(state: GridState): Money {
  let cost = 0n;
  for (const { terms, progress } of workingOrders(state)) {
    // The initial purchase is handed to its slots fill by fill.
    if (terms.slot === INITIAL_PURCHASE_SLOT) continue;
    cost += terms.side === "buy" ? progress.quote + progress.fee : progress.fee - progress.quote;
  }
  return money(cost);
}
