/** A seeded, mean-reverting random walk in whole ticks: the same seed gives the same prices everywhere, for ever. */
import type { PriceTicks } from "../../domain/amounts.ts";
import { priceTicks } from "../../domain/amounts.ts";
import { invariant } from "../../domain/assert.ts";
import { createRandom } from "./random.ts";

export interface WalkOptions {
  /** Any integer; its low 32 bits are used. */
  readonly seed: number;
  readonly startTicks: number;
  /** The largest move of one step. */
  readonly stepTicks: number;
  /** In how many steps the pull home would bring the price back if it did not weaken on the way. */
  readonly reversion: number;
}

export interface Walk {
  /** The price after one more step, at least one tick. */
  next(): PriceTicks;
}

/**
 * price ← max(1, price + noise − pull), with `noise` uniform in −stepTicks … +stepTicks and `pull` the distance
 * from the start divided by `reversion`, rounded up or down by chance so that it is exact on average.
 * In the long run the price keeps a distance of about stepTicks · √(reversion / 6) from the start (standard
 * deviation), and returns to it about every `reversion` steps. Integers only.
 */
export function createWalk(options: WalkOptions): Walk {
  const { seed, startTicks, stepTicks, reversion } = options;
  for (const value of [startTicks, stepTicks, reversion]) {
    invariant(Number.isSafeInteger(value) && value >= 1, `${value} in a walk is not a whole number above 0`);
  }
  const random = createRandom(seed);
  let price = startTicks;
  return {
    next(): PriceTicks {
      const noise = (random() % (2 * stepTicks + 1)) - stepTicks;
      const distance = price - startTicks;
      const pull =
        Math.sign(distance) * Math.floor((Math.abs(distance) + (random() % reversion)) / reversion);
      price = Math.max(1, price + noise - pull);
      return priceTicks(price);
    },
  };
}
