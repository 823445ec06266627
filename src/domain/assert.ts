/** Stops on our own bugs: an impossible state is never traded on. */
import { QuantmeshError } from "./errors.ts";

/** Throws INVARIANT unless `condition` holds; the message says what was believed. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new QuantmeshError("INVARIANT", message);
}

/** Ends a switch over a union: the compiler refuses a forgotten variant. */
export function assertNever(value: never): never {
  throw new QuantmeshError("INVARIANT", `unexpected variant ${JSON.stringify(value)}`);
}
