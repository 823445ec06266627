/** Counts how often a bot walked its rare paths, by what it stored. */
import type { StoreRecord } from "../../src/domain/records.ts";
import type { FillSpool, Storage } from "../../src/storage/storage.ts";
import { override } from "./override.ts";

/** How often the bot walked its rare paths. */
export interface RarePaths {
  unknownThenOpen: number;
  unknownThenAbsent: number;
  duplicateFillRefused: number;
  partlyFilledThenCanceled: number;
  lateFill: number;
  unresolvedAtStart: number;
  startRefused: number;
  fillSpooled: number;
  spoolFull: number;
  fillDelivered: number;
}

export const NO_RARE_PATHS: RarePaths = {
  unknownThenOpen: 0,
  unknownThenAbsent: 0,
  duplicateFillRefused: 0,
  partlyFilledThenCanceled: 0,
  lateFill: 0,
  unresolvedAtStart: 0,
  startRefused: 0,
  fillSpooled: 0,
  spoolFull: 0,
  fillDelivered: 0,
};

/** The storage `real`, which adds to `rare`. */
export function countRarePaths(real: Storage, rare: RarePaths): Storage {
  const unknown = new Set<string>();
  return override(real, {
    loadLedger: async (bot) => {
      const ledger = await real.loadLedger(bot);
      for (const { order } of ledger.working) {
        if (order.kind !== "pending" && order.kind !== "unknown") continue;
        rare.unresolvedAtStart += 1;
        unknown.add(order.terms.id);
      }
      return ledger;
    },
    deliveredFills: async (bot) => {
      const fills = await real.deliveredFills(bot);
      rare.fillDelivered += fills.length;
      return fills;
    },
    commit: async (claim, bot, records) => {
      const outcome = await real.commit(claim, bot, records);
      if (outcome === "duplicate") rare.duplicateFillRefused += 1;
      if (outcome === "stored") for (const record of records) note(record, unknown, rare);
      return outcome;
    },
  });
}

/** The spool `real`, which adds to `rare`. */
export function countSpooled(real: FillSpool, rare: RarePaths): FillSpool {
  return override(real, {
    add: (fills) => {
      const outcome = real.add(fills);
      if (outcome === "stored") rare.fillSpooled += fills.length;
      if (outcome === "full") rare.spoolFull += 1;
      return outcome;
    },
  });
}

function note(record: StoreRecord, unknown: Set<string>, rare: RarePaths): void {
  if (record.kind === "event" && record.type === "late_fill") rare.lateFill += 1;
  if (record.kind !== "order") return;
  const { id, status, progress } = record;
  if (status === "canceled" && progress.executed > 0) rare.partlyFilledThenCanceled += 1;
  if (status === "unknown") {
    unknown.add(id);
  } else if (unknown.delete(id)) {
    if (status === "absent") rare.unknownThenAbsent += 1;
    else if (status !== "rejected") rare.unknownThenOpen += 1;
  }
}
