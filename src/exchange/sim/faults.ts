/** Which faults a simulated exchange injects, how often, and the words that count them. */
import { QuantmeshError } from "../../domain/errors.ts";

/** Everything is off unless given. Rates are shares from 0 (never) to 1 (always). */
export interface FaultOptions extends Partial<FaultRates> {
  /** Any integer; 1 unless given. The same seed and the same requests meet the same faults. */
  readonly seed?: number;
  /** The longest delay of a late request or answer, ms; 3,000 unless given. */
  readonly maxDelayMs?: number;
  /** How long a silent stream is silent, ms; 5,000 unless given. */
  readonly silenceMs?: number;
  /**
   * Breaks the promise that queries are never later than `settleMs`: every stale answer is then as old as `settleMs`
   * and this many ms. 0 unless given; only for a test that expects the bot to notice.
   */
  readonly staleBeyondSettleMs?: number;
  /** How far the exchange's clock is ahead of the bot's, ms; below 0 it is behind. 0 unless given. */
  readonly clockOffsetMs?: number;
}

/** How often each fault strikes. */
export interface FaultRates {
  /** A request to place or cancel never reaches the exchange; its outcome is unknown. */
  readonly lostBefore: number;
  /** An order is accepted and the answer is lost; its outcome is unknown. */
  readonly lostAfter: number;
  /** The answer to a place or cancel comes up to `maxDelayMs` later, perhaps after the request's time. */
  readonly lateAnswer: number;
  /**
   * A place or cancel reaches the exchange up to `maxDelayMs` late, perhaps after its time. In half of the cases
   * the bot waits for the answer, in the others its outcome is unknown at once, while the request is on its way.
   */
  readonly lateRequest: number;
  /** A valid order is refused for certain. */
  readonly rejected: number;
  /** A hint comes twice. */
  readonly duplicateHint: number;
  /** A hint comes after the one that follows it. */
  readonly reorderedHints: number;
  /** A hint never comes. */
  readonly missingHint: number;
  /** At a hint the stream falls silent for `silenceMs`, then tells of a gap. */
  readonly silentStream: number;
  /** A resting order that the price crosses executes only in part; what is left executes at a later point. */
  readonly partialFills: number;
  /**
   * A part of an order that is near the price executes just before its cancel; the cancel's answer tells what was
   * executed. Near: not farther than the price has ever moved from one point to the next.
   */
  readonly fillInCancel: number;
  /** An order is cancelled and the answer is lost; the outcome is unknown. */
  readonly lostCancelAnswer: number;
  /** openOrders, findOrder, ordersSince and fillsSince answer as of a moment less than `settleMs` ago. */
  readonly staleQueries: number;
  /** A read throws EXCHANGE_UNAVAILABLE. */
  readonly unavailableReads: number;
}

export type FaultName = keyof FaultRates;

const NO_FAULTS: FaultRates = {
  lostBefore: 0,
  lostAfter: 0,
  lateAnswer: 0,
  lateRequest: 0,
  rejected: 0,
  duplicateHint: 0,
  reorderedHints: 0,
  missingHint: 0,
  silentStream: 0,
  partialFills: 0,
  fillInCancel: 0,
  lostCancelAnswer: 0,
  staleQueries: 0,
  unavailableReads: 0,
};

/** Everything that can be counted. */
export const FAULT_NAMES = Object.keys(NO_FAULTS) as readonly FaultName[];

export type Faults = FaultRates & Required<Omit<FaultOptions, FaultName>>;

/** Fills in what is not given. Throws CONFIG_INVALID where a number makes no sense. */
export function completeFaults(options: FaultOptions): Faults {
  const faults: Faults = {
    ...NO_FAULTS,
    seed: 1,
    maxDelayMs: 3_000,
    silenceMs: 5_000,
    staleBeyondSettleMs: 0,
    clockOffsetMs: 0,
    ...options,
  };
  for (const name of FAULT_NAMES) {
    const rate = faults[name];
    if (!(rate >= 0 && rate <= 1)) throw invalid(name, rate, "a share from 0 to 1");
  }
  for (const name of ["seed", "clockOffsetMs"] as const) {
    if (!Number.isSafeInteger(faults[name])) throw invalid(name, faults[name], "a whole number");
  }
  for (const name of ["maxDelayMs", "silenceMs"] as const) {
    if (!(Number.isSafeInteger(faults[name]) && faults[name] >= 1))
      throw invalid(name, faults[name], "a whole number above 0");
  }
  const { staleBeyondSettleMs } = faults;
  if (!(Number.isSafeInteger(staleBeyondSettleMs) && staleBeyondSettleMs >= 0))
    throw invalid("staleBeyondSettleMs", staleBeyondSettleMs, "a whole number, at least 0");
  return faults;
}

function invalid(name: string, value: number, wanted: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", `the fault ${name} is ${value}, not ${wanted}`);
}
