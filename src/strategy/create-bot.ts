/** Sets up a new bot: its lattice, its quantities and its start price, fixed for ever. */
import type { PriceTicks } from "../domain/amounts.ts";
import { MOST_UNITS, formatMoney, parseMoney, priceTicks } from "../domain/amounts.ts";
import { ONE, parseDecimal } from "../domain/decimal.ts";
import type { MarketKey } from "../domain/claim.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { Bot, WindowLattice } from "../domain/grid.ts";
import type { BotCode, Instant } from "../domain/ids.ts";
import type { Instrument } from "../domain/instrument.ts";
import { formatPrice, isOrderable, notional, parsePrice } from "../domain/instrument.ts";
import { rangeLattice } from "./lattice.ts";
import { resolveRules } from "./rules.ts";
import type { GridRules, GridSettings, WindowSettings } from "./settings.ts";
import { canonicalSettings } from "./settings.ts";
import { sizeSlots } from "./sizing.ts";
import { nearestLevel, windowSlot } from "./window.ts";

export interface BotSeed {
  /** Drawn at random by the caller. */
  readonly code: BotCode;
  readonly market: MarketKey;
  readonly instrument: Instrument;
  readonly settings: GridSettings;
  readonly rules: GridRules;
  /** The price of the market now. */
  readonly price: PriceTicks;
  readonly createdAt: Instant;
}

/**
 * A bot as it is to be stored. A grid with a trigger starts at its trigger price.
 * Throws CONFIG_INVALID where settings and rules make no grid that can earn.
 */
export function createBot(seed: BotSeed): Bot {
  const { settings, rules } = seed;
  const { triggerPrice } = rules;
  const startPrice = triggerPrice === undefined ? seed.price : parsePrice(seed.instrument, triggerPrice);
  const bot =
    settings.lattice === "window" ? windowBot(seed, settings, startPrice) : rangeBot(seed, startPrice);
  resolveRules(bot, rules);
  return bot;
}

function rangeBot({ settings, ...seed }: BotSeed, startPrice: PriceTicks): Bot {
  if (settings.lattice !== "range") throw invalid("not a range");
  const prices = rangeLattice(settings, seed.instrument);
  return {
    ...identity(seed),
    settings: canonicalSettings(settings),
    lattice: { kind: "range" },
    initial: settings.initial,
    startPrice,
    slots: sizeSlots(settings, seed.instrument, prices, startPrice),
  };
}

/** Starts without slots: the first price opens those of its window. */
function windowBot(seed: BotSeed, settings: WindowSettings, startPrice: PriceTicks): Bot {
  const lattice = windowLattice(settings, seed.instrument, startPrice);
  const minNotional = parseMoney(settings.minOrderValue);
  const instrument =
    minNotional > seed.instrument.minNotional ? { ...seed.instrument, minNotional } : seed.instrument;
  const bot: Bot = {
    ...identity(seed),
    instrument,
    settings: canonicalSettings(settings),
    lattice,
    initial: "none",
    startPrice,
    slots: [],
  };
  const { window, stopLoss, takeProfit } = resolveRules(bot, seed.rules);
  if (stopLoss !== undefined && stopLoss >= startPrice) {
    throw invalid(
      `stop_loss ${seed.rules.stopLoss} must be below the start price ${formatPrice(instrument, startPrice)}`,
    );
  }
  if (takeProfit !== undefined && takeProfit <= startPrice) {
    throw invalid(
      `take_profit ${seed.rules.takeProfit} must be above the start price ${formatPrice(instrument, startPrice)}`,
    );
  }
  if (window) {
    refuseLarge(settings, instrument, window, startPrice);
    refuseSmall(settings, bot, window, startPrice);
    refuseLosing(settings, bot, startPrice);
  }
  return bot;
}

function windowLattice(
  settings: WindowSettings,
  instrument: Instrument,
  startPrice: PriceTicks,
): WindowLattice {
  const interval = parseDecimal(settings.priceInterval);
  if (interval <= 0n || interval % instrument.tickSize !== 0n) {
    throw invalid(
      `price_interval ${settings.priceInterval} must be a multiple of the tick size ${formatMoney(instrument.tickSize)}`,
    );
  }
  if (BigInt(startPrice) + interval / instrument.tickSize > MOST_UNITS) {
    throw invalid(
      `price_interval ${settings.priceInterval} is too wide: prices are counted in ticks, up to ${MOST_UNITS} of them`,
    );
  }
  const { anchorPrice } = settings;
  return {
    kind: "window",
    anchor: anchorPrice === undefined ? startPrice : parsePrice(instrument, anchorPrice),
    interval: Number(interval / instrument.tickSize),
    orderQuantity: parseMoney(settings.orderQuantity),
  };
}

type Window = NonNullable<ReturnType<typeof resolveRules>["window"]>;

/** All levels together must be countable, because one position is their sum. */
function refuseLarge(
  settings: WindowSettings,
  { notionalUnit }: Instrument,
  { orderQuantity, buyLevels }: Window,
  startPrice: PriceTicks,
): void {
  if (orderQuantity * BigInt(buyLevels) <= MOST_UNITS * BigInt(startPrice) * notionalUnit) return;
  throw invalid(
    `order_quantity ${settings.orderQuantity} is too large: quantities are counted in lots, up to ${MOST_UNITS} of them in all levels`,
  );
}

function refuseSmall(
  settings: WindowSettings,
  { instrument }: Bot,
  window: Window,
  startPrice: PriceTicks,
): void {
  const slot = windowSlot(window, instrument, nearestLevel(window, startPrice));
  if (slot && isOrderable(instrument, slot.buyPrice, slot.quantity)) return;
  const value = slot ? formatMoney(notional(instrument, slot.buyPrice, slot.quantity)) : "0";
  throw invalid(
    `order_quantity ${settings.orderQuantity} gives an order of ${value} ${instrument.quote} at ` +
      `${formatPrice(instrument, startPrice)}, less than the smallest order of ${formatMoney(instrument.minNotional)} ` +
      `${instrument.quote} or one lot: raise order_quantity`,
  );
}

/** A cell must earn at the start price: (p + interval)·(1 − maker) > p·(1 + maker). */
function refuseLosing(settings: WindowSettings, { instrument, lattice }: Bot, startPrice: PriceTicks): void {
  const interval = lattice.kind === "window" ? lattice.interval : 0;
  const { makerFee } = instrument;
  const proceeds = BigInt(priceTicks(startPrice + interval)) * (ONE - makerFee);
  if (proceeds > BigInt(startPrice) * (ONE + makerFee)) return;
  throw invalid(
    `price_interval ${settings.priceInterval} loses money at ${formatPrice(instrument, startPrice)}: ` +
      "two fees cost more than an interval earns; widen price_interval",
  );
}

function identity({ code, market, instrument, createdAt }: Omit<BotSeed, "settings">) {
  return { code, market, instrument, createdAt };
}

function invalid(reason: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", `grid: ${reason}`);
}
