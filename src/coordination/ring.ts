/** A consistent-hash ring: each seat stands on many points, a symbol belongs to the first point at or after its own. */

/** A place in the fleet that one instance at a time holds; numbered from 1. */
export type SeatNumber = number;

export const POINTS_PER_SEAT = 100;

export interface RingPoint {
  readonly hash: number;
  readonly seat: SeatNumber;
}

/** The points of all seats in the order of their hashes; the same for any order of `seats`. */
export function buildRing(seats: readonly SeatNumber[]): readonly RingPoint[] {
  return seats
    .flatMap((seat) =>
      Array.from({ length: POINTS_PER_SEAT }, (_, point) => ({
        hash: hash32(`seat ${seat} point ${point}`),
        seat,
      })),
    )
    .sort((a, b) => a.hash - b.hash || a.seat - b.seat);
}

/** The seats as `key` meets them on its way around the ring, from its own place on; seats repeat. */
export function* seatsFrom(ring: readonly RingPoint[], key: string): Generator<SeatNumber> {
  const first = firstAtOrAfter(ring, hash32(key));
  for (let step = 0; step < ring.length; step += 1) {
    const point = ring[(first + step) % ring.length];
    if (point) yield point.seat;
  }
}

/** FNV-1a with the finalizer of MurmurHash3, which spreads keys that differ in their last letter only. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function firstAtOrAfter(ring: readonly RingPoint[], hash: number): number {
  let low = 0;
  let high = ring.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ring[middle]?.hash ?? 0) < hash) low = middle + 1;
    else high = middle;
  }
  return low;
}
