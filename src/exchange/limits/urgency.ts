/** Who goes first where requests are short, and how much of a limit each may use. */

/** `query`: the fate of one order, which somebody waits for. Cancels, exits and queries may use all of a limit; entries and reads leave the rest to them. */
export type Urgency = "cancel" | "exit" | "query" | "entry" | "read";

/** The most urgent first. */
export const URGENCIES: readonly Urgency[] = ["cancel", "exit", "query", "entry", "read"];

/** Of a limit, a share from 0 to 1. */
export const CEILINGS: Readonly<Record<Urgency, number>> = {
  cancel: 1,
  exit: 1,
  query: 1,
  entry: 0.8,
  read: 0.7,
};

/** What must not wait for those that may use less. */
export function isUrgent(urgency: Urgency): boolean {
  return CEILINGS[urgency] === 1;
}
