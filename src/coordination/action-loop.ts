/** Carries out what is planned, one action after the other; what changes meanwhile is planned anew. */
import type { Clock } from "../domain/clock.ts";
import { hasCode } from "../domain/errors.ts";
import type { Log } from "../domain/log.ts";

export interface ActionLoopOptions<Action extends { readonly kind: string }> {
  readonly clock: Clock;
  readonly log: Log;
  /** Nothing is done while it is false. */
  readonly isOpen: () => boolean;
  readonly plan: () => readonly Action[];
  readonly carryOut: (action: Action) => Promise<void>;
  /** An action failed otherwise than by a store that does not answer. */
  readonly failed: (error: unknown) => void;
}

const RETRY_MS = 200;

export class ActionLoop<Action extends { readonly kind: string }> {
  readonly #options: ActionLoopOptions<Action>;
  #isActing = false;
  #mustActAgain = false;
  /** After a failed call nothing is tried for a moment. */
  #quietUntil = Number.NEGATIVE_INFINITY;

  constructor(options: ActionLoopOptions<Action>) {
    this.#options = options;
  }

  /** Something has changed: plans and acts, or does so once what is being done is done. */
  act(): void {
    const { clock, isOpen } = this.#options;
    if (!isOpen() || clock.monotonic() < this.#quietUntil) return;
    this.#mustActAgain = true;
    if (this.#isActing) return;
    this.#isActing = true;
    void this.#actUntilSettled().finally(() => {
      this.#isActing = false;
    });
  }

  async #actUntilSettled(): Promise<void> {
    const { clock, log, isOpen, plan, carryOut, failed } = this.#options;
    while (this.#mustActAgain && isOpen()) {
      this.#mustActAgain = false;
      for (const action of plan()) {
        try {
          await carryOut(action);
        } catch (error) {
          if (!hasCode(error, "COORDINATION_UNAVAILABLE")) return failed(error);
          log.warn({ action: action.kind, error }, "coordination.action_failed");
          this.#quietUntil = clock.monotonic() + RETRY_MS;
          return;
        }
      }
    }
  }
}
