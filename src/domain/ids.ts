/** Branded identifiers, and the numbers that name an order for ever. */
import { invariant } from "./assert.ts";
import type { Brand } from "./brand.ts";

/** A bot's code, drawn at random when its row is first stored: 10 characters of [0-9a-z]. */
export type BotCode = Brand<string, "BotCode">;
/** The number of a slot inside its bot; never used for another price. */
export type SlotNumber = Brand<number, "SlotNumber">;
/** The running number of orders of one (slot, side), from 1. */
export type Generation = Brand<number, "Generation">;
/** Names one order of one (bot, slot, side, generation) on the exchange. */
export type ClientOrderId = Brand<string, "ClientOrderId">;
/** Milliseconds since 1970 UTC, in exchange time. */
export type Instant = Brand<number, "Instant">;

export type Side = "buy" | "sell";

export const BOT_CODE_LENGTH = 10;
/** Slot numbers from here on belong to orders of no lattice slot. */
export const FIRST_SPECIAL_SLOT = 60_000_000;
/** The initial purchase of a bot that starts holding. */
export const INITIAL_PURCHASE_SLOT = FIRST_SPECIAL_SLOT as SlotNumber;
/** The sale of everything that a closing bot holds. */
export const CLOSE_SLOT = (FIRST_SPECIAL_SLOT + 1) as SlotNumber;

/** What people are shown of a slot: its number, or what its order is for. */
export function slotName(slot: number): string {
  if (slot === INITIAL_PURCHASE_SLOT) return "initial";
  return slot === CLOSE_SLOT ? "close" : String(slot);
}

export function botCode(text: string): BotCode {
  invariant(/^[0-9a-z]{10}$/.test(text), `"${text}" is not a bot code`);
  return text as BotCode;
}

export function slotNumber(value: number): SlotNumber {
  invariant(Number.isSafeInteger(value) && value >= 0, `${value} is not a slot number`);
  return value as SlotNumber;
}

export function generation(value: number): Generation {
  invariant(Number.isSafeInteger(value) && value >= 0, `${value} is not a generation`);
  return value as Generation;
}

export function instant(ms: number): Instant {
  invariant(Number.isFinite(ms), `${ms} is not an instant`);
  return ms as Instant;
}
