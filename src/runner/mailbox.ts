/** A bot's queue of events: a newer tick replaces an unread one, nothing else is ever dropped. */
import { invariant } from "../domain/assert.ts";
import type { GridEvent } from "../strategy/events.ts";

export interface Letter {
  readonly event: GridEvent;
  /** Called when the event was handled; false where nothing of it was stored. */
  readonly done?: (isStored: boolean) => void;
}

/** Far above what an exchange can owe one bot; more means that nobody reads. */
const CAPACITY = 100_000;

export class Mailbox {
  #letters: Letter[] = [];
  #next = 0;
  #tick: Letter | undefined;

  get size(): number {
    return this.#letters.length - this.#next + (this.#tick ? 1 : 0);
  }

  put(letter: Letter): void {
    if (letter.event.kind === "tick") {
      this.#tick = letter;
      return;
    }
    invariant(this.size < CAPACITY, `mailbox holds ${CAPACITY} unread events`);
    this.#letters.push(letter);
  }

  /** The oldest letter; the tick only when nothing else waits: what filled is worth more than where the price is. */
  take(): Letter | undefined {
    if (this.#next < this.#letters.length) {
      const letter = this.#letters[this.#next];
      this.#next += 1;
      if (this.#next === this.#letters.length) {
        this.#letters = [];
        this.#next = 0;
      }
      return letter;
    }
    const tick = this.#tick;
    this.#tick = undefined;
    return tick;
  }
}
