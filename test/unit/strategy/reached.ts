/** How often a run walked the rare paths: a property that never does proves nothing. */

export interface Reached {
  fillBeforeAnswer: number;
  closedBeforeFills: number;
  unknownThenOpen: number;
  unknownThenAbsent: number;
  notSent: number;
  duplicateFill: number;
  partlyFilledThenClosed: number;
  restarts: number;
  trades: number;
}

export function nothingReached(): Reached {
  return {
    fillBeforeAnswer: 0,
    closedBeforeFills: 0,
    unknownThenOpen: 0,
    unknownThenAbsent: 0,
    notSent: 0,
    duplicateFill: 0,
    partlyFilledThenClosed: 0,
    restarts: 0,
    trades: 0,
  };
}
