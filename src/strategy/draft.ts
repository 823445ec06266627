/** A step in the making: a grid state that may still change, with the records and commands it has led to. */
import type { PriceTicks } from "../domain/amounts.ts";
import type { Bot, BotMode, Totals } from "../domain/grid.ts";
import type { Instant, SlotNumber } from "../domain/ids.ts";
import type { StoreRecord } from "../domain/records.ts";
import type { Command, Step } from "./events.ts";
import { findSlot } from "./find-slot.ts";
import type { Rules } from "./rules.ts";
import type { BotOrder, GridState, SideHistory, SlotState } from "./state.ts";

/** Never leaves `step`: what goes out is a fresh, immutable state. */
export class Draft implements GridState {
  readonly bot: Bot;
  readonly rules: Rules;
  readonly at: Instant;
  readonly records: StoreRecord[] = [];
  readonly commands: Command[] = [];
  mode: BotMode;
  modeReason: string;
  ready: boolean;
  stopping: GridState["stopping"];
  held: boolean;
  price: PriceTicks;
  priceAt: Instant;
  initial: BotOrder;
  initialHistory: SideHistory;
  closing: BotOrder;
  closingHistory: SideHistory;
  fundsLockedUntil: Instant;
  shortSnapshots: number;
  totals: Totals;
  /** Slots whose plan may have changed; all of them, and the bot's own orders, after `touchAll`. */
  readonly touched: SlotNumber[] = [];
  allTouched = false;
  readonly #before: GridState;
  #slots: SlotState[] | undefined;

  constructor(before: GridState, at: Instant) {
    this.#before = before;
    this.bot = before.bot;
    this.rules = before.rules;
    this.at = at;
    this.mode = before.mode;
    this.modeReason = before.modeReason;
    this.ready = before.ready;
    this.stopping = before.stopping;
    this.held = before.held;
    this.price = before.price;
    this.priceAt = before.priceAt;
    this.initial = before.initial;
    this.initialHistory = before.initialHistory;
    this.closing = before.closing;
    this.closingHistory = before.closingHistory;
    this.fundsLockedUntil = before.fundsLockedUntil;
    this.shortSnapshots = before.shortSnapshots;
    this.totals = before.totals;
  }

  get slots(): readonly SlotState[] {
    return this.#slots ?? this.#before.slots;
  }

  setSlot(index: number, slot: SlotState): void {
    this.#slots ??= [...this.#before.slots];
    this.#slots[index] = slot;
  }

  /** Adds a slot in its place; indexes found before are void. */
  insertSlot(slot: SlotState): void {
    const slots = [...this.slots];
    const at = slots.findIndex(({ terms }) => terms.slot > slot.terms.slot);
    slots.splice(at < 0 ? slots.length : at, 0, slot);
    this.#slots = slots;
    this.records.push({ kind: "slotOpened", terms: slot.terms });
  }

  indexOf(slot: SlotNumber): number {
    return findSlot(this.slots, slot);
  }

  touch(slot: SlotNumber): void {
    if (!this.touched.includes(slot)) this.touched.push(slot);
  }

  touchAll(): void {
    this.allTouched = true;
  }

  event(type: string, detail: Readonly<Record<string, string | number>>): void {
    this.records.push({ kind: "event", at: this.at, type, detail });
  }

  setMode(mode: BotMode, reason: string): void {
    if (this.mode === mode) return;
    this.mode = mode;
    this.modeReason = reason;
    this.records.push({ kind: "mode", mode, reason });
    this.event(`bot_${mode}`, { reason });
    this.touchAll();
  }

  finish(): Step {
    if (this.totals !== this.#before.totals) this.records.push({ kind: "totals", totals: this.totals });
    const state: GridState = {
      bot: this.bot,
      rules: this.rules,
      mode: this.mode,
      modeReason: this.modeReason,
      ready: this.ready,
      stopping: this.stopping,
      held: this.held,
      price: this.price,
      priceAt: this.priceAt,
      slots: this.slots,
      initial: this.initial,
      initialHistory: this.initialHistory,
      closing: this.closing,
      closingHistory: this.closingHistory,
      fundsLockedUntil: this.fundsLockedUntil,
      shortSnapshots: this.shortSnapshots,
      totals: this.totals,
    };
    return { state, records: this.records, commands: this.commands };
  }
}
