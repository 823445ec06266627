/** How much of a suite's counts a run does: all with QUANTMESH_TEST_SCALE=full, a tenth otherwise. */

export const IS_FULL = process.env["QUANTMESH_TEST_SCALE"] === "full";

/** `full` or a tenth of it, at least one. */
export function scaled(full: number): number {
  return IS_FULL ? full : Math.max(1, Math.ceil(full / 10));
}

/** A fresh seed for each run, or QUANTMESH_TEST_SEED to repeat one; print it. */
export function freshSeed(): number {
  const given = process.env["QUANTMESH_TEST_SEED"];
  return given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
}

/** A small seeded generator (mulberry32): numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
