/** The moving window of a window grid: which levels are in use at a price, and where that changes. */
import type { PriceTicks } from "../domain/amounts.ts";
import { priceTicks, quantityLots } from "../domain/amounts.ts";
import type { Bot, SlotTerms } from "../domain/grid.ts";
import type { SlotNumber } from "../domain/ids.ts";
import { slotNumber } from "../domain/ids.ts";
import type { Instrument } from "../domain/instrument.ts";
import type { Draft } from "./draft.ts";
import { placeOf } from "./order-place.ts";
import type { Rules, WindowRules } from "./rules.ts";
import { newSlot } from "./state.ts";

/** Level k has this number plus k: a number is never used for another price. */
export const WINDOW_SLOT_BASE = 30_000_000;

/** The level nearest to `price`, counted from the anchor; the upper one where both are as near. */
export function nearestLevel({ anchor, interval }: WindowRules, price: PriceTicks): number {
  return Math.floor((2 * (price - anchor) + interval) / (2 * interval));
}

export function levelOf(slot: SlotNumber): number {
  return slot - WINDOW_SLOT_BASE;
}

export function levelPrice({ anchor, interval }: WindowRules, level: number): PriceTicks {
  return priceTicks(anchor + level * interval);
}

/** A buy is placed at the nearest level and below, as many levels as the window has, and not too near the price. */
export function entersWindow(rules: WindowRules, slot: SlotTerms, price: PriceTicks): boolean {
  const nearest = nearestLevel(rules, price);
  const level = levelOf(slot.slot);
  return level <= nearest && level > nearest - rules.buyLevels && price > slot.buyPrice + rules.buffer;
}

/** A resting buy stays until it is further below the window than the hysteresis. */
export function keepsEntry(rules: WindowRules, slot: SlotTerms, price: PriceTicks): boolean {
  return levelOf(slot.slot) > nearestLevel(rules, price) - rules.buyLevels - rules.hysteresis;
}

/** A sell rests for slots up to so many levels above the nearest. */
export function exitsWindow(rules: WindowRules, slot: SlotTerms, price: PriceTicks): boolean {
  return levelOf(slot.slot) <= nearestLevel(rules, price) + rules.sellLevels;
}

export function keepsExit(rules: WindowRules, slot: SlotTerms, price: PriceTicks): boolean {
  return levelOf(slot.slot) <= nearestLevel(rules, price) + rules.sellLevels + rules.hysteresis;
}

/** Opens the slots of the buy window at the draft's price that nobody has used yet. */
export function openWindowSlots(draft: Draft): void {
  const { window } = draft.rules;
  if (!window) return;
  const nearest = nearestLevel(window, draft.price);
  for (let level = nearest - window.buyLevels + 1; level <= nearest; level++) {
    const slot = slotNumber(WINDOW_SLOT_BASE + level);
    if (levelPrice(window, level) < 1 || draft.indexOf(slot) >= 0) continue;
    const terms = windowSlot(window, draft.bot.instrument, level);
    if (terms) draft.insertSlot(newSlot(terms));
  }
}

/** Opens the slot again where a restored backup has forgotten that the window had reached it: its number says what it is. */
export function openForgottenSlot(draft: Draft, slot: SlotNumber): void {
  const { window } = draft.rules;
  if (!window || placeOf(draft, slot) || levelPrice(window, levelOf(slot)) < 1) return;
  const terms = windowSlot(window, draft.bot.instrument, levelOf(slot));
  if (terms) draft.insertSlot(newSlot(terms));
}

/** The slots with which a grid starts: a range's own, or the buy window at the start price. */
export function startingSlots(bot: Bot, { window }: Pick<Rules, "window">): readonly SlotTerms[] {
  if (!window) return bot.slots;
  const nearest = nearestLevel(window, bot.startPrice);
  const levels = Array.from({ length: window.buyLevels }, (_, i) => nearest - window.buyLevels + 1 + i);
  return levels
    .filter((level) => levelPrice(window, level) >= 1)
    .map((level) => windowSlot(window, bot.instrument, level))
    .filter((terms) => terms !== undefined);
}

/** The terms of a level; undefined where its quote buys less than one lot. */
export function windowSlot(
  window: WindowRules,
  instrument: Instrument,
  level: number,
): SlotTerms | undefined {
  const buyPrice = levelPrice(window, level);
  const quantity = quantityLots(Number(window.orderQuantity / (BigInt(buyPrice) * instrument.notionalUnit)));
  if (quantity < 1) return undefined;
  const slot = slotNumber(WINDOW_SLOT_BASE + level);
  return { slot, buyPrice, sellPrice: levelPrice(window, level + 1), quantity };
}

/** The prices around `price` at which the window or the distance to its nearest levels changes. */
export function windowBand(rules: WindowRules, price: PriceTicks): { below: number; above: number } {
  const { anchor, interval, buffer } = rules;
  const nearest = nearestLevel(rules, price);
  // The nearest level is `nearest` from here up to, but not at, the same half an interval on.
  const first = Math.ceil((2 * (anchor + nearest * interval) - interval) / 2);
  let below = first - 1;
  let above = Math.ceil((2 * (anchor + nearest * interval) + interval) / 2);
  for (const level of [nearest - 1, nearest]) {
    const edge = anchor + level * interval + buffer;
    if (price > edge) below = Math.max(below, edge);
    else above = Math.min(above, edge + 1);
  }
  return { below, above };
}
