/** What one instance remembers of seats: since when each has no living holder, until when it is not suspected, who had one last. */
import type { FleetView, Incarnation, Seat } from "./fleet-view.ts";
import { orphanedBy } from "./plan-seats.ts";
import type { Belief } from "./suspicion.ts";

export class SeatHistory {
  readonly #protectMs: number;
  /** Both by seat and revision. */
  readonly #orphanedSince = new Map<string, number>();
  readonly #protectedUntil = new Map<string, number>();
  #lastOnRing: Incarnation | undefined;

  /** A seat that was taken on suspicion is not taken so again for `protectMs`. */
  constructor(protectMs: number) {
    this.#protectMs = protectMs;
  }

  /** Looks at the seats as they are at `now` (monotonic ms). */
  note(view: FleetView, beliefOf: (peer: Incarnation) => Belief, now: number): void {
    for (const seat of view.seats) {
      const name = nameOf(seat);
      if (orphanedBy(view, seat, beliefOf) === undefined) this.#orphanedSince.delete(name);
      else if (!this.#orphanedSince.has(name)) this.#orphanedSince.set(name, now);
      if (seat.how === "suspected" && !this.#protectedUntil.has(name)) {
        this.#protectedUntil.set(name, now + this.#protectMs);
      }
    }
    this.#lastOnRing = view.seats.find(({ state }) => state === "held")?.holder ?? this.#lastOnRing;
    const names = new Set(view.seats.map(nameOf));
    for (const known of [this.#orphanedSince, this.#protectedUntil]) {
      for (const name of known.keys()) if (!names.has(name)) known.delete(name);
    }
  }

  /** Seats begin anew, and so do their revisions: nobody has left a ring that is not there yet. */
  forget(): void {
    this.#orphanedSince.clear();
    this.#protectedUntil.clear();
    this.#lastOnRing = undefined;
  }

  orphanedSince(seat: Seat): number | undefined {
    return this.#orphanedSince.get(nameOf(seat));
  }

  /** Who was last seen on the ring; undefined where nobody ever was. */
  get lastOnRing(): Incarnation | undefined {
    return this.#lastOnRing;
  }

  isProtected(seat: Seat, now: number): boolean {
    return now < (this.#protectedUntil.get(nameOf(seat)) ?? 0);
  }
}

function nameOf({ number, revision }: Seat): string {
  return `${number} ${revision}`;
}
