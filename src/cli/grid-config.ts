/** A grid's config in the words of the strategy. */
import type { GridConfig } from "../config/schema.ts";
import type { GridRules, GridSettings } from "../strategy/settings.ts";
import { DEFAULT_RULES } from "../strategy/settings.ts";

export function gridSettings(grid: GridConfig): GridSettings {
  if (grid.lattice === "window") {
    return {
      lattice: "window",
      priceInterval: grid.price_interval,
      orderQuantity: grid.order_quantity,
      minOrderValue: grid.min_order_value,
      anchorPrice: grid.anchor_price,
    };
  }
  const { lower, upper, grids, spacing, initial, size } = grid;
  const amount = { kind: size.kind, value: size.amount };
  return { lattice: "range", lower, upper, grids, spacing, initial, amount };
}

export function gridRules(grid: GridConfig): GridRules {
  return {
    orderType: grid.order_type,
    postOnlyFallbackAfter: grid.post_only_fallback_after,
    partialFillCancelRatio: grid.partial_fill_cancel_ratio,
    stopLoss: grid.stop_loss,
    takeProfit: grid.take_profit,
    triggerPrice: grid.trigger_price,
    maxOrders: grid.order_cleanup_threshold,
    marginLockMs: grid.margin_lock_duration_seconds * 1000,
    window:
      grid.lattice === "window"
        ? {
            buyLevels: grid.buy_window_size,
            sellLevels: grid.sell_window_size,
            hysteresis: grid.window_hysteresis,
            bufferRatio: grid.buy_safety_buffer_ratio,
          }
        : DEFAULT_RULES.window,
  };
}
