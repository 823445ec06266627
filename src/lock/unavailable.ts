/** The one failure of every lock backend, and whether the request may have been carried out all the same. */
import { QuantmeshError } from "../domain/errors.ts";

export class LockUnavailable extends QuantmeshError {
  /** False where it is certain that the service did nothing. */
  readonly maybeDone: boolean;

  constructor(message: string, maybeDone: boolean, cause?: unknown) {
    super("LOCK_UNAVAILABLE", message, { cause });
    this.maybeDone = maybeDone;
  }
}

export function closedLock(): LockUnavailable {
  return new LockUnavailable("the lock is closed", false);
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
