/** A grid's rules and lattice in the instrument's own units, ready to decide with. */
import type { Money, PriceTicks } from "../domain/amounts.ts";
import { priceTicks } from "../domain/amounts.ts";
import { ONE, parseDecimal } from "../domain/decimal.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { Bot, WindowLattice } from "../domain/grid.ts";
import type { Instrument } from "../domain/instrument.ts";
import { parsePrice } from "../domain/instrument.ts";
import type { OrderType } from "../domain/order.ts";
import type { GridRules } from "./settings.ts";

/** The moving window of a window grid; all prices in ticks, all levels counted from the anchor. */
export interface WindowRules {
  readonly anchor: PriceTicks;
  readonly interval: number;
  /** Quote per level. */
  readonly orderQuantity: Money;
  readonly buyLevels: number;
  readonly sellLevels: number;
  readonly hysteresis: number;
  /** A level is bought only while the price is more than this above it. */
  readonly buffer: number;
}

export interface Rules {
  /** Undefined for a range grid. */
  readonly window: WindowRules | undefined;
  readonly orderType: OrderType;
  readonly postOnlyFallbackAfter: number;
  /** In units of 1e-18. */
  readonly partialFillCancelRatio: bigint;
  readonly stopLoss: PriceTicks | undefined;
  readonly takeProfit: PriceTicks | undefined;
  readonly triggerPrice: PriceTicks | undefined;
  readonly maxOrders: number;
  readonly marginLockMs: number;
}

/** Throws CONFIG_INVALID where a price does not lie on the tick or the rules contradict the grid. */
export function resolveRules(bot: Bot, settings: GridRules): Rules {
  const { instrument } = bot;
  const price = (name: string, text: string | undefined): PriceTicks | undefined =>
    text === undefined ? undefined : onTick(instrument, name, text);
  const stopLoss = price("stop_loss", settings.stopLoss);
  const takeProfit = price("take_profit", settings.takeProfit);
  const [lowest] = bot.slots;
  const highest = bot.slots.at(-1);
  if (stopLoss !== undefined && lowest && stopLoss >= lowest.buyPrice && bot.lattice.kind === "range") {
    throw invalid(`stop_loss ${settings.stopLoss} must be below the lowest price of the grid`);
  }
  if (takeProfit !== undefined && highest && takeProfit < highest.sellPrice && bot.lattice.kind === "range") {
    throw invalid(`take_profit ${settings.takeProfit} must not be below the highest price of the grid`);
  }
  return {
    window: bot.lattice.kind === "window" ? windowRules(bot.lattice, settings) : undefined,
    orderType: settings.orderType === "post_only" ? "limit_maker" : "limit",
    postOnlyFallbackAfter: settings.postOnlyFallbackAfter,
    partialFillCancelRatio: parseDecimal(settings.partialFillCancelRatio),
    stopLoss,
    takeProfit,
    triggerPrice: price("trigger_price", settings.triggerPrice),
    maxOrders: settings.maxOrders,
    marginLockMs: settings.marginLockMs,
  };
}

function windowRules(lattice: WindowLattice, { window }: GridRules): WindowRules {
  const { anchor, interval, orderQuantity } = lattice;
  const { buyLevels, sellLevels, hysteresis, bufferRatio } = window;
  const buffer = Number((BigInt(interval) * parseDecimal(bufferRatio)) / ONE);
  return { anchor, interval, orderQuantity, buyLevels, sellLevels, hysteresis, buffer };
}

/** `ratio` of the way from `from` to `to`, rounded towards `from`. */
export function shareOfWay(from: PriceTicks, to: PriceTicks, ratio: bigint): PriceTicks {
  return priceTicks(from + Number((BigInt(to - from) * ratio) / ONE));
}

function onTick(instrument: Instrument, name: string, text: string): PriceTicks {
  try {
    return parsePrice(instrument, text);
  } catch (cause) {
    throw new QuantmeshError("CONFIG_INVALID", `grid: ${name} ${text} does not lie on the tick`, { cause });
  }
}

function invalid(reason: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", `grid: ${reason}`);
}
