/** Seeded randomness that is the same everywhere, for ever: for simulations only. */

/** Tommy Ettinger's mulberry32: 32-bit integers, uniform, from 32 bits of state. */
export function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** One 32-bit seed of `seed` and whatever else names the draw; other keys give unrelated seeds (FNV-1a). */
export function seedOf(seed: number, ...keys: readonly (number | string)[]): number {
  let hash = 0x811c9dc5;
  for (const character of [seed, ...keys].join("\n")) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return hash >>> 0;
}

/** A whole number from `low` to `high`, both included. */
export function wholeBetween(random: () => number, low: number, high: number): number {
  return low + (random() % (high - low + 1));
}
