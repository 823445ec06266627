/** All that is stored of a bot beyond its row: what a start needs to go on where the last one ended. */
import type { BotMode, SlotHolding, Totals } from "./grid.ts";
import type { Generation, Instant, Side, SlotNumber } from "./ids.ts";
import type { TerminalStatus, WorkingOrder } from "./order.ts";

/** The newest order of one (slot, side): its generation and how it ended, if it has. */
export interface LastOrder {
  readonly slot: SlotNumber;
  readonly side: Side;
  readonly generation: Generation;
  readonly status: TerminalStatus | "working";
}

/** A working order as stored, with the instant at which its request dies or died. */
export interface StoredOrder {
  readonly order: WorkingOrder;
  readonly validUntil: Instant;
}

/** All that a start needs beyond the bot's row. */
export interface BotLedger {
  readonly mode: BotMode;
  readonly modeReason: string;
  readonly initialDone: boolean;
  /** Of slots that ever traded. */
  readonly holdings: ReadonlyMap<SlotNumber, SlotHolding>;
  readonly working: readonly StoredOrder[];
  readonly lastOrders: readonly LastOrder[];
  readonly totals: Totals;
  readonly fillCursor: string | undefined;
  /** When the newest intent was made; undefined where there is none. */
  readonly lastIntentAt: Instant | undefined;
}
