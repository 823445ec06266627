/** One listener's stream of hints, and what goes wrong with it by the dice. */
import type { Clock } from "../../domain/clock.ts";
import type { MarketHint } from "../exchange.ts";
import type { FaultDice } from "./fault-dice.ts";

export class FaultyStream {
  readonly #listen: (hint: MarketHint) => void;
  readonly #dice: FaultDice;
  readonly #clock: Clock;
  /** A hint that waits for the next one to overtake it. */
  #held: MarketHint | undefined;
  #endSilence: (() => void) | undefined;

  constructor(listen: (hint: MarketHint) => void, dice: FaultDice, clock: Clock) {
    this.#listen = listen;
    this.#dice = dice;
    this.#clock = clock;
  }

  hear(hint: MarketHint): void {
    if (this.#endSilence) return;
    if (this.#dice.strikes("silentStream")) return this.#fallSilent();
    if (this.#strikes("missingHint")) return;
    if (!this.#held && this.#dice.strikes("reorderedHints")) {
      this.#held = hint;
      return;
    }
    this.#listen(hint);
    if (this.#strikes("duplicateHint")) this.#listen(hint);
    this.#release();
  }

  close(): void {
    this.#endSilence?.();
    this.#held = undefined;
  }

  #release(): void {
    const held = this.#held;
    if (!held) return;
    this.#held = undefined;
    this.#dice.count("reorderedHints");
    this.#listen(held);
  }

  /** The hint that it falls silent at is the first that is not heard, and one that was held is the second. */
  #fallSilent(): void {
    this.#dice.count("silentStream");
    this.#held = undefined;
    this.#endSilence = this.#clock.after(this.#dice.faults.silenceMs, () => {
      this.#endSilence = undefined;
      this.#listen({ kind: "gap" });
    });
  }

  #strikes(name: "missingHint" | "duplicateHint"): boolean {
    if (!this.#dice.strikes(name)) return false;
    this.#dice.count(name);
    return true;
  }
}
