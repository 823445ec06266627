/** The symbols of this instance's seat, told anew whenever they may have changed. */
import { assign } from "./assign.ts";
import type { FleetView, Seat } from "./fleet-view.ts";
import { ringSeats } from "./fleet-view.ts";
import { SettledRing } from "./settled-ring.ts";

const NO_SYMBOLS: ReadonlySet<string> = new Set();

export class SymbolAssignment {
  readonly #ring: SettledRing;
  readonly #changed: (symbols: ReadonlySet<string>) => void;
  #assigned: ReadonlySet<string> = NO_SYMBOLS;
  #assignedBy = "";

  /** `changed` is told what is assigned now. */
  constructor(settleMs: number, changed: (symbols: ReadonlySet<string>) => void) {
    this.#ring = new SettledRing(settleMs);
    this.#changed = changed;
  }

  get symbols(): ReadonlySet<string> {
    return this.#assigned;
  }

  /** True while seats wait to join: only the time is needed for a change. */
  get isSettling(): boolean {
    return this.#ring.isSettling;
  }

  /** Assigns `list`, all symbols of the fleet, to its seats at `now` (monotonic ms); ours is `seat`. */
  update(view: FleetView, seat: Seat | undefined, list: readonly string[], now: number): void {
    // A standby follows the ring too: when it takes a seat over, the ring has long settled.
    const seats = this.#ring.inForce(ringSeats(view), now);
    if (!seat) return;
    const pins = [...view.pins].sort();
    const by = JSON.stringify([seat.number, seats, pins, list]);
    if (by === this.#assignedBy) return;
    this.#assignedBy = by;
    const assigned = new Set(
      [...assign(list, seats, view.pins)]
        .filter(([, number]) => number === seat.number)
        .map(([symbol]) => symbol),
    );
    this.#assigned = assigned;
    this.#changed(assigned);
  }

  /** The seat is lost: nothing is assigned, and nobody is told. */
  clear(): void {
    this.#assigned = NO_SYMBOLS;
    this.#assignedBy = "";
  }
}
