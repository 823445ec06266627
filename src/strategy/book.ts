/** Books what orders executed: parcels for buys, trades for sells, and what each slot wants next. */
import type { Money, QuantityLots } from "../domain/amounts.ts";
import { money, quantityLots, shareOf, subtractLots, subtractMoney } from "../domain/amounts.ts";
import type { Instant } from "../domain/ids.ts";
import { isOrderable } from "../domain/instrument.ts";
import type { OrderRef, Progress } from "../domain/order.ts";
import { addParcel, countTrade, sellFrom } from "./accounting.ts";
import type { Draft } from "./draft.ts";
import { halt } from "./halt.ts";
import { slotOf } from "./order-place.ts";
import { isSellable } from "./plan.ts";
import type { GridState, Phase, SlotState } from "./state.ts";
import { HOLDING, IDLE, heldLots, startsHolding } from "./state.ts";

/** A grid buy: its lots, less what was taken as fee in base, become a parcel; what is below a lot stays as dust. */
export function bookBuy(draft: Draft, index: number, bought: Progress): void {
  const slot = slotOf(draft, index);
  const { quantity, dust } = netLots(draft, bought.executed, bought.baseFee, slot.dust);
  const { quote, fee } = bought;
  const inventory = addParcel(slot.inventory, { origin: "grid", quantity, quote, fee });
  const next = { ...slot, inventory, dust };
  hold(draft, index, next, isSellable(draft, next) ? HOLDING : IDLE);
}

/** A sell of the slot: trades, and the wish to buy back what was sold if that is worth an order. */
export function bookSell(
  draft: Draft,
  index: number,
  order: OrderRef,
  sold: Progress,
  firstPart: number,
  at: Instant,
): void {
  const slot = slotOf(draft, index);
  const sale = sellFrom(slot.inventory, sold, order, at, firstPart);
  if (!sale) return halt(draft, order, `sold ${sold.executed} lots, more than the slot holds`);
  const next = { ...slot, inventory: sale.rest };
  hold(draft, index, next, restOf(draft, next));
  for (const trade of sale.trades) {
    draft.records.push({ kind: "trade", trade });
    draft.totals = countTrade(draft.totals, trade);
  }
}

/** What a slot without an order does next: buys what it lacks if that is worth an order, else sells what it holds. */
export function restOf(state: Pick<GridState, "bot">, slot: SlotState): Phase {
  const toBuy = quantityLots(slot.terms.quantity - heldLots(slot.inventory));
  const isWorthIt = isOrderable(state.bot.instrument, slot.terms.buyPrice, toBuy);
  return !isWorthIt && isSellable(state, slot) ? HOLDING : IDLE;
}

/** A sale of everything: takes the lots out of the slots from the lowest up. Its trades are numbered from `firstPart`. */
export function bookClose(
  draft: Draft,
  order: OrderRef,
  sold: Progress,
  firstPart: number,
  at: Instant,
): void {
  let { executed, quote, fee } = sold;
  const before = countedTrades(draft);
  draft.slots.forEach((slot, index) => {
    const lots = quantityLots(Math.min(executed, heldLots(slot.inventory)));
    if (lots === 0) return;
    const share: Progress = {
      ...sold,
      executed: lots,
      quote: shareOf(quote, lots, executed),
      fee: shareOf(fee, lots, executed),
    };
    bookSell(draft, index, order, share, firstPart + countedTrades(draft) - before, at);
    executed = subtractLots(executed, lots);
    quote = subtractMoney(quote, share.quote);
    fee = subtractMoney(fee, share.fee);
  });
  if (executed > 0) halt(draft, order, `sold ${executed} lots more than the bot holds`);
}

function countedTrades({ totals }: Draft): number {
  return totals.trades + totals.inventorySells;
}

/** Hands what the initial purchase bought to the slots that wait for it, from the lowest up, lot by lot. */
export function stock(draft: Draft, bought: Progress): void {
  let lots = keepDust(draft, bought);
  let { quote, fee } = bought;
  draft.slots.forEach((slot, index) => {
    const need = missingLots(draft, slot);
    if (lots === 0 || need <= 0) return;
    const quantity = quantityLots(Math.min(need, lots));
    const part = { quote: shareOf(quote, quantity, lots), fee: shareOf(fee, quantity, lots) };
    const inventory = addParcel(slot.inventory, { origin: "initial", quantity, ...part });
    hold(draft, index, { ...slot, inventory }, slot.phase);
    lots = subtractLots(lots, quantity);
    quote = subtractMoney(quote, part.quote);
    fee = subtractMoney(fee, part.fee);
  });
  if (lots === 0 && quote === 0n) return;
  const slot = slotOf(draft, surplusIndex(draft));
  const inventory = addParcel(slot.inventory, { origin: "initial", quantity: lots, quote, fee });
  hold(draft, surplusIndex(draft), { ...slot, inventory }, slot.phase);
}

/** What is below a lot stays with the first slot that waits, and completes a lot with that of the next fill; the lots. */
function keepDust(draft: Draft, { executed, baseFee }: Progress): QuantityLots {
  const first = draft.slots.findIndex((slot) => missingLots(draft, slot) > 0);
  const index = first < 0 ? surplusIndex(draft) : first;
  const slot = slotOf(draft, index);
  const { quantity, dust } = netLots(draft, executed, baseFee, slot.dust);
  if (dust !== slot.dust) hold(draft, index, { ...slot, dust }, slot.phase);
  return quantity;
}

/** What the initial purchase still has to bring to the slot. */
function missingLots({ bot }: Draft, { terms, inventory }: SlotState): number {
  return startsHolding(bot, terms) ? terms.quantity - heldLots(inventory) : 0;
}

/** More than was asked for, or less than a lot: the uppermost slot that starts holding has it with its next sell. */
function surplusIndex({ bot, slots }: Draft): number {
  const index = slots.findLastIndex(({ terms }) => startsHolding(bot, terms));
  return index < 0 ? slots.length - 1 : index;
}

/** All that the initial purchase can bring is there: its slots sell from here on. */
export function finishInitial(draft: Draft): void {
  draft.initial = { kind: "done" };
  draft.records.push({ kind: "initialDone" });
  draft.slots.forEach((slot, index) => {
    if (!startsHolding(draft.bot, slot.terms) || slot.phase.kind !== "idle") return;
    if (isSellable(draft, slot)) hold(draft, index, slot, HOLDING);
  });
}

/** What was bought in lots that can be sold, after fees in base; the dust of before may complete a lot. */
function netLots(
  draft: Draft,
  executed: QuantityLots,
  baseFee: Money,
  dust: Money,
): { quantity: QuantityLots; dust: Money } {
  if (baseFee === 0n && dust === 0n) return { quantity: executed, dust };
  const { lotSize } = draft.bot.instrument;
  const base = BigInt(executed) * lotSize - baseFee + dust;
  return { quantity: quantityLots(Number(base / lotSize)), dust: money(base % lotSize) };
}

/** Changes what a slot holds; its phase only where no order works in it. */
function hold(draft: Draft, index: number, next: SlotState, resting: Phase): void {
  const isWorking = next.phase.kind === "buying" || next.phase.kind === "selling";
  const phase = isWorking ? next.phase : resting;
  draft.setSlot(index, { ...next, phase });
  const { inventory, dust, terms } = next;
  const wants = resting.kind === "holding" || resting.kind === "selling" ? "sell" : "buy";
  draft.records.push({ kind: "slot", slot: terms.slot, holding: { wants, inventory, dust } });
}
