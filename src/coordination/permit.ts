/** Until when an owner may act, on the local monotonic clock: checked immediately before each send. */
export interface Permit {
  isValid(): boolean;
}

/** `solo`: the process lock beside the database keeps everybody else out for as long as this process lives. */
export const SOLO_PERMIT: Permit = { isValid: () => true };
