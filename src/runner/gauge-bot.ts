/** Sets the gauges of one bot from its state; done at each scrape, so that what is shown is of that moment. */
import type { Money, PriceTicks } from "../domain/amounts.ts";
import { addMoney, formatMoney } from "../domain/amounts.ts";
import type { BotMode } from "../domain/grid.ts";
import type { Instrument } from "../domain/instrument.ts";
import { formatPrice, valueOfBase } from "../domain/instrument.ts";
import type { Metrics } from "../domain/metrics.ts";
import type { GridState } from "../strategy/state.ts";
import { baseOwned, valueGrid } from "../strategy/valuation.ts";
import { workingOrders } from "../strategy/working-orders.ts";

const MODES: readonly BotMode[] = ["waiting", "running", "paused", "halted", "closing", "closed", "killed"];

/** `price`: the last one heard; `mailbox`: events that wait. */
export function gaugeBot(metrics: Metrics, state: GridState, price: PriceTicks, mailbox: number): void {
  const { bot, totals, mode, fundsLockedUntil, priceAt } = state;
  const { exchange, symbol } = bot.market;
  const labels = { exchange, symbol };
  const { instrument } = bot;
  const owned = baseOwned(bot, totals);
  const gauge = (name: string, value: number): void => metrics.gauge(`quantmesh_${name}`, labels, value);
  gauge("current_price", Number(formatPrice(instrument, price)));
  gauge("position_size", number(owned));
  gauge("position_value", number(valueOfBase(instrument, price, owned)));
  gauge("pnl_realized", number(addMoney(totals.gridProfit, totals.inventoryPnl)));
  gauge("pnl_total", number(valueGrid(state, price).totalPnl));
  gauge("mailbox_depth", mailbox);
  gauge(
    "risk_control_triggered",
    mode === "closing" || mode === "closed" || fundsLockedUntil > priceAt ? 1 : 0,
  );
  for (const one of MODES)
    metrics.gauge("quantmesh_bot_mode", { ...labels, mode: one }, one === mode ? 1 : 0);
  gaugeOrders(metrics, state, instrument);
}

function gaugeOrders(metrics: Metrics, state: GridState, { exchange, symbol }: Instrument): void {
  const working = workingOrders(state);
  for (const side of ["buy", "sell"] as const) {
    const count = working.filter(({ terms }) => terms.side === side).length;
    metrics.gauge("quantmesh_active_orders_count", { exchange, symbol, side }, count);
  }
}

/** Gauges are floats by their nature; the exact amounts are in the database. */
function number(amount: Money): number {
  return Number(formatMoney(amount));
}
