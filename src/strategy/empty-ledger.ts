/** The ledger of a bot that has never traded. */
import type { BotLedger } from "../domain/ledger.ts";
import { NO_TOTALS } from "./accounting.ts";

export function emptyLedger(): BotLedger {
  return {
    mode: "running",
    modeReason: "",
    initialDone: false,
    holdings: new Map(),
    working: [],
    lastOrders: [],
    totals: NO_TOTALS,
    fillCursor: undefined,
    lastIntentAt: undefined,
  };
}
