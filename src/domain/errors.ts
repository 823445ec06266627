/** The closed set of failures and what the caller does about each of them. */

/** What a failure means for the one who caught it; the blast radius is one bot unless it says otherwise. */
export const ERROR_POLICIES = {
  CONFIG_INVALID: "exit",
  EXCHANGE_AUTH: "haltAccount",
  EXCHANGE_UNAVAILABLE: "backOff",
  RATE_LIMITED: "backOff",
  ORDER_REJECTED: "idleSlot",
  INSUFFICIENT_FUNDS: "idleSlot",
  OUTCOME_UNKNOWN: "resolve",
  LOCK_UNAVAILABLE: "stopSending",
  LEASE_LOST: "stopSending",
  STALE_EPOCH: "stopSending",
  STORAGE_UNAVAILABLE: "stopSending",
  ALREADY_RUNNING: "exit",
  PORT_IN_USE: "exit",
  DATA_INVALID: "exit",
  INVARIANT: "haltBot",
} as const;

export type ErrorCode = keyof typeof ERROR_POLICIES;
export type ErrorPolicy = (typeof ERROR_POLICIES)[ErrorCode];

export interface QuantmeshErrorOptions extends ErrorOptions {
  readonly isOutcomeUnknown?: boolean;
}

/** A failure with a code; `message` is for people and holds no secret. */
export class QuantmeshError extends Error {
  readonly code: ErrorCode;
  /**
   * Of STORAGE_UNAVAILABLE: the write may have happened although its answer is lost; whoever wrote claims anew and
   * reads. False: nothing was written.
   */
  readonly isOutcomeUnknown: boolean;

  constructor(code: ErrorCode, message: string, options: QuantmeshErrorOptions = {}) {
    super(message, options);
    this.name = "QuantmeshError";
    this.code = code;
    this.isOutcomeUnknown = options.isOutcomeUnknown ?? false;
  }
}

/** What to do about `error`; anything that is not ours is a bug of ours. */
export function policyFor(error: unknown): ErrorPolicy {
  return error instanceof QuantmeshError ? ERROR_POLICIES[error.code] : ERROR_POLICIES.INVARIANT;
}

/** True if `error` carries this code. */
export function hasCode(error: unknown, code: ErrorCode): error is QuantmeshError {
  return error instanceof QuantmeshError && error.code === code;
}
