/** The state of one grid: everything that `step` decides from. */
import type { PriceTicks, QuantityLots } from "../domain/amounts.ts";
import { ZERO_LOTS, ZERO_MONEY, quantityLots } from "../domain/amounts.ts";
import { invariant } from "../domain/assert.ts";
import type { Bot, BotMode, Parcel, SlotHolding, SlotTerms, Totals } from "../domain/grid.ts";
import type { Generation, Instant, SlotNumber } from "../domain/ids.ts";
import { CLOSE_SLOT, INITIAL_PURCHASE_SLOT } from "../domain/ids.ts";
import type { BotLedger } from "../domain/ledger.ts";
import type { TerminalStatus, WorkingOrder } from "../domain/order.ts";
import type { Rules } from "./rules.ts";

/** Where a slot is in its cycle; what it holds stands beside it, because carried lots exist in every phase. */
export type Phase =
  | { readonly kind: "idle" }
  | { readonly kind: "buying"; readonly order: WorkingOrder }
  | { readonly kind: "holding" }
  | { readonly kind: "selling"; readonly order: WorkingOrder };

/** The newest generation of one (slot, side) and how its last terminal order ended. */
export interface SideHistory {
  readonly generation: Generation;
  readonly ended: TerminalStatus | "never";
}

export interface SlotState extends Pick<SlotHolding, "inventory" | "dust"> {
  readonly terms: SlotTerms;
  readonly phase: Phase;
  readonly buys: SideHistory;
  readonly sells: SideHistory;
  readonly backOff: BackOff;
}

/** After refusals: nothing is placed before `until`. */
export interface BackOff {
  readonly refusals: number;
  /** Of them, refusals in a row of a post-only order that would have crossed. */
  readonly crossings: number;
  readonly until: Instant;
}

/** A market order for the whole bot: what the upper slots start with, or all that a closing bot holds. */
export type BotOrder =
  | { readonly kind: "wanted"; readonly backOff: BackOff }
  | { readonly kind: "working"; readonly order: WorkingOrder; readonly backOff: BackOff }
  | { readonly kind: "done" };

export interface GridState {
  readonly bot: Bot;
  readonly rules: Rules;
  readonly mode: BotMode;
  readonly modeReason: string;
  /** The exchange's lists were reconciled since this state was opened. */
  readonly ready: boolean;
  /** `leave`: nothing new is placed, what rests stays. `cancel`: and what rests is cancelled. */
  readonly stopping: "no" | "leave" | "cancel";
  /** The database is away: nothing is placed until a new state is opened. */
  readonly held: boolean;
  readonly price: PriceTicks;
  readonly priceAt: Instant;
  /** Ascending by price, and so by number. */
  readonly slots: readonly SlotState[];
  readonly initial: BotOrder;
  readonly initialHistory: SideHistory;
  readonly closing: BotOrder;
  readonly closingHistory: SideHistory;
  /** Nothing is bought before: the account could not pay. */
  readonly fundsLockedUntil: Instant;
  /** Snapshots in a row in which the exchange owned less than the books say. */
  readonly shortSnapshots: number;
  readonly totals: Totals;
}

export const NO_BACK_OFF: BackOff = { refusals: 0, crossings: 0, until: 0 as Instant };
export const NEVER: SideHistory = { generation: 0 as Generation, ended: "never" };
export const IDLE: Phase = { kind: "idle" };
export const HOLDING: Phase = { kind: "holding" };
export const EMPTY: SlotHolding = { wants: "buy", inventory: [], dust: ZERO_MONEY };

/** The state with which a start begins: what is stored, and nothing placed until a snapshot was reconciled. */
export function openState(bot: Bot, ledger: BotLedger, rules: Rules): GridState {
  const orders = new Map<string, WorkingOrder>();
  for (const { order } of ledger.working) {
    orders.set(`${order.terms.slot}:${order.terms.side}`, asFound(order));
  }
  const histories = new Map<string, SideHistory>();
  for (const last of ledger.lastOrders) {
    const ended = last.status === "working" ? "never" : last.status;
    histories.set(`${last.slot}:${last.side}`, { generation: last.generation, ended });
  }
  const history = (slot: SlotNumber, side: string): SideHistory => histories.get(`${slot}:${side}`) ?? NEVER;
  const slots = bot.slots.map((terms): SlotState => {
    const { wants, inventory, dust } = ledger.holdings.get(terms.slot) ?? EMPTY;
    const buy = orders.get(`${terms.slot}:buy`);
    const sell = orders.get(`${terms.slot}:sell`);
    invariant(!(buy && sell), `slot ${terms.slot} has two working orders`);
    const rest = {
      terms,
      inventory,
      dust,
      buys: history(terms.slot, "buy"),
      sells: history(terms.slot, "sell"),
      backOff: NO_BACK_OFF,
    };
    if (buy) return { ...rest, phase: { kind: "buying", order: buy } };
    if (sell) return { ...rest, phase: { kind: "selling", order: sell } };
    return { ...rest, phase: wants === "sell" ? HOLDING : IDLE };
  });
  const needsInitial = !ledger.initialDone && bot.slots.some((terms) => startsHolding(bot, terms));
  return {
    bot,
    rules,
    mode: ledger.mode,
    modeReason: ledger.modeReason,
    ready: false,
    stopping: "no",
    held: false,
    price: bot.startPrice,
    priceAt: 0 as Instant,
    slots,
    initial: openBotOrder(orders.get(`${INITIAL_PURCHASE_SLOT}:buy`), needsInitial),
    initialHistory: history(INITIAL_PURCHASE_SLOT, "buy"),
    closing: openBotOrder(orders.get(`${CLOSE_SLOT}:sell`), ledger.mode === "closing"),
    closingHistory: history(CLOSE_SLOT, "sell"),
    fundsLockedUntil: 0 as Instant,
    shortSnapshots: 0,
    totals: ledger.totals,
  };
}

/** A slot that nobody has used yet. */
export function newSlot(terms: SlotTerms): SlotState {
  const { inventory, dust } = EMPTY;
  return { terms, phase: IDLE, inventory, dust, buys: NEVER, sells: NEVER, backOff: NO_BACK_OFF };
}

/** Lots that a slot holds. */
export function heldLots(inventory: readonly Parcel[]): QuantityLots {
  let lots = 0;
  for (const parcel of inventory) lots += parcel.quantity;
  return quantityLots(lots);
}

/** True if the slot's lots are bought by the initial purchase. */
export function startsHolding(bot: Bot, terms: SlotTerms): boolean {
  return bot.initial === "buy" && terms.buyPrice >= bot.startPrice;
}

/** Lots that the initial purchase still has to bring. */
export function missingInitialLots(state: Pick<GridState, "bot" | "slots">): QuantityLots {
  let missing = 0;
  for (const slot of state.slots) {
    if (startsHolding(state.bot, slot.terms)) {
      missing += Math.max(0, slot.terms.quantity - heldLots(slot.inventory));
    }
  }
  return missing === 0 ? ZERO_LOTS : quantityLots(missing);
}

/** Lots that all slots hold together. */
export function allHeldLots(state: Pick<GridState, "slots">): QuantityLots {
  let lots = 0;
  for (const slot of state.slots) if (slot.inventory.length > 0) lots += heldLots(slot.inventory);
  return quantityLots(lots);
}

function openBotOrder(order: WorkingOrder | undefined, isWanted: boolean): BotOrder {
  if (order) return { kind: "working", order, backOff: NO_BACK_OFF };
  return isWanted ? { kind: "wanted", backOff: NO_BACK_OFF } : { kind: "done" };
}

/** A stored intent whose sender is gone may or may not have left: its outcome is unknown. */
function asFound(order: WorkingOrder): WorkingOrder {
  return order.kind === "pending" ? { ...order, kind: "unknown" } : order;
}
