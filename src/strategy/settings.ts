/** What a user asks of a grid, in exact decimal text: its lattice, fixed for ever, and its rules, which may change. */
import type { InitialMode } from "../domain/grid.ts";

export type Spacing = "arithmetic" | "geometric";

/** Exactly one way of saying how much each slot trades. */
export type Amount =
  /** Quote per slot. */
  | { readonly kind: "order_quantity"; readonly value: string }
  /** Base per slot. */
  | { readonly kind: "base_quantity"; readonly value: string }
  /** Quote in total, the same base quantity in every slot, fees included. */
  | { readonly kind: "investment"; readonly value: string };

/** n cells between two bounds. */
export interface RangeSettings {
  readonly lattice: "range";
  readonly lower: string;
  readonly upper: string;
  /** Number of cells: one price more than this. */
  readonly grids: number;
  readonly spacing: Spacing;
  readonly amount: Amount;
  readonly initial: InitialMode;
}

/** Levels at a fixed distance, of which those around the price are in use. */
export interface WindowSettings {
  readonly lattice: "window";
  /** Distance of two levels, in quote. */
  readonly priceInterval: string;
  /** Quote per level. */
  readonly orderQuantity: string;
  /** Smallest order value, in quote. */
  readonly minOrderValue: string;
  /** A price that is a level; the first price where none is given. */
  readonly anchorPrice: string | undefined;
}

export type GridSettings = RangeSettings | WindowSettings;

/** What may be changed from one start to the next. */
export interface GridRules {
  readonly orderType: "limit" | "post_only";
  /** Post-only refusals after which a plain limit is sent; 0: never. */
  readonly postOnlyFallbackAfter: number;
  /** A partly filled order is cancelled for its rest once the price is this share of a cell away: 0 … 1. */
  readonly partialFillCancelRatio: string;
  readonly stopLoss: string | undefined;
  readonly takeProfit: string | undefined;
  readonly triggerPrice: string | undefined;
  /** Most orders at a time; exits come first. */
  readonly maxOrders: number;
  /** How long nothing is bought after the account could not pay, ms. */
  readonly marginLockMs: number;
  /** Of a window grid. */
  readonly window: {
    readonly buyLevels: number;
    readonly sellLevels: number;
    /** Levels that an order may be outside the window before it is cancelled. */
    readonly hysteresis: number;
    /** No buy is placed nearer to the price than this share of an interval: 0 … 1. */
    readonly bufferRatio: string;
  };
}

export const DEFAULT_RULES: GridRules = {
  orderType: "limit",
  postOnlyFallbackAfter: 3,
  partialFillCancelRatio: "0.5",
  stopLoss: undefined,
  takeProfit: undefined,
  triggerPrice: undefined,
  maxOrders: 1000,
  marginLockMs: 10_000,
  window: { buyLevels: 10, sellLevels: 10, hysteresis: 1, bufferRatio: "0.1" },
};

/** The lattice as JSON with a fixed order of keys: equal texts are equal grids. */
export function canonicalSettings(settings: GridSettings): string {
  if (settings.lattice === "window") {
    const { lattice, priceInterval, orderQuantity, minOrderValue, anchorPrice } = settings;
    return JSON.stringify({
      lattice,
      price_interval: priceInterval,
      order_quantity: orderQuantity,
      min_order_value: minOrderValue,
      anchor_price: anchorPrice,
    });
  }
  const { lattice, lower, upper, grids, spacing, amount, initial } = settings;
  return JSON.stringify({ lattice, lower, upper, grids, spacing, [amount.kind]: amount.value, initial });
}
