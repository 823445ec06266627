/** Which seat trades which symbol: consistent hashing with bounded load. Pure, so that every instance finds the same. */
import type { SeatNumber } from "./ring.ts";
import { buildRing, seatsFrom } from "./ring.ts";

/** Symbols that a person has put on a seat. */
export type Pins = ReadonlyMap<string, SeatNumber>;

/**
 * Every symbol's seat; empty without seats. The order of the arguments does not matter. A pin holds for as long as its
 * seat exists, whatever the load, and moves no symbol but its own: the ring is laid as if there were no pins, so that a
 * seat has at most as many symbols above its capacity as are pinned to it.
 * Bounded load after Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2018), ε = 1/4.
 */
export function assign(
  symbols: readonly string[],
  seats: readonly SeatNumber[],
  pins: Pins = new Map(),
): ReadonlyMap<string, SeatNumber> {
  const load = new Map(seats.map((seat) => [seat, 0]));
  const ring = buildRing([...load.keys()]);
  const assigned = new Map<string, SeatNumber>();
  // Who comes first where seats are nearly full must be the same everywhere.
  const inOrder = [...new Set(symbols)].sort();
  const capacity = seatCapacity(inOrder.length, load.size);
  for (const symbol of inOrder) {
    for (const seat of seatsFrom(ring, symbol)) {
      const taken = load.get(seat) ?? 0;
      if (taken >= capacity) continue;
      load.set(seat, taken + 1);
      const pinned = pins.get(symbol);
      assigned.set(symbol, pinned !== undefined && load.has(pinned) ? pinned : seat);
      break;
    }
  }
  return assigned;
}

/** How many symbols one seat takes: a quarter above the mean, but enough for all. */
export function seatCapacity(symbols: number, seats: number): number {
  const mean = symbols / seats;
  return Math.max(Math.ceil(mean), Math.floor(1.25 * mean));
}
