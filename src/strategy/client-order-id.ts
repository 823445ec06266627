/** The client order id: 25 characters that name (bot, slot, side, generation) and nothing else. */
import { invariant } from "../domain/assert.ts";
import type { BotCode, ClientOrderId, Generation, Side, SlotNumber } from "../domain/ids.ts";
import { BOT_CODE_LENGTH } from "../domain/ids.ts";

const PREFIX = "qm";
const SLOT_LENGTH = 5;
const GENERATION_LENGTH = 7;
const RADIX = 36;
const MAX_SLOT = RADIX ** SLOT_LENGTH - 1;
const MAX_GENERATION = RADIX ** GENERATION_LENGTH - 1;
const SLOT_AT = PREFIX.length + BOT_CODE_LENGTH;
const SIDE_AT = SLOT_AT + SLOT_LENGTH;
const GENERATION_AT = SIDE_AT + 1;
const PATTERN = /^qm[0-9a-z]{10}[0-9a-z]{5}[bs][0-9a-z]{7}$/;

export interface OrderName {
  readonly bot: BotCode;
  readonly slot: SlotNumber;
  readonly side: Side;
  readonly generation: Generation;
}

/** `qm` + bot (10) + slot (5) + `b`|`s` + generation (7), numbers in base 36: the same order always has the same id. */
export function encodeClientOrderId(
  bot: BotCode,
  slot: SlotNumber,
  side: Side,
  generation: Generation,
): ClientOrderId {
  invariant(
    slot <= MAX_SLOT && generation <= MAX_GENERATION,
    `no id for slot ${slot} generation ${generation}`,
  );
  const slotText = slot.toString(RADIX).padStart(SLOT_LENGTH, "0");
  const generationText = generation.toString(RADIX).padStart(GENERATION_LENGTH, "0");
  return `${PREFIX}${bot}${slotText}${side === "buy" ? "b" : "s"}${generationText}` as ClientOrderId;
}

/** Reads an id back; undefined where it is not one of ours. */
export function decodeClientOrderId(text: string): OrderName | undefined {
  if (!PATTERN.test(text)) return undefined;
  return {
    bot: text.slice(PREFIX.length, SLOT_AT) as BotCode,
    slot: Number.parseInt(text.slice(SLOT_AT, SIDE_AT), RADIX) as SlotNumber,
    side: text[SIDE_AT] === "b" ? "buy" : "sell",
    generation: Number.parseInt(text.slice(GENERATION_AT), RADIX) as Generation,
  };
}
