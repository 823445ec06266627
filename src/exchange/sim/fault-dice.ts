/** Decides when a fault strikes, and counts those that did: everything comes from one seed. */
import { createRandom, seedOf, wholeBetween } from "../../venue/market/random.ts";
import type { FaultName, Faults } from "./faults.ts";
import { FAULT_NAMES } from "./faults.ts";

/** How often each fault really struck. */
export type FaultCounts = Readonly<Record<FaultName, number>>;

export const NO_FAULT_COUNTS = Object.fromEntries(FAULT_NAMES.map((name) => [name, 0])) as FaultCounts;

export class FaultDice {
  readonly faults: Faults;
  readonly #random: () => number;
  readonly #counts: Record<FaultName, number> = { ...NO_FAULT_COUNTS };

  /** `opening`: which opening of the market this is, so that a restart does not meet the same faults again. */
  constructor(faults: Faults, opening: number) {
    this.faults = faults;
    this.#random = createRandom(seedOf(faults.seed, "opening", opening));
  }

  /** Throws the dice in turn: for faults that only change what the bot sees. */
  strikes(name: FaultName): boolean {
    const rate = this.faults[name];
    return rate > 0 && this.#random() < rate * 2 ** 32;
  }

  /** From 1 to `most`. */
  upTo(most: number): number {
    return wholeBetween(this.#random, 1, most);
  }

  isHeads(): boolean {
    return this.#random() % 2 === 0;
  }

  /**
   * A throw that belongs to `keys`, the same whenever it is repeated: for faults that change what the exchange does.
   * From 1 to `most` where the fault strikes, or undefined.
   */
  share(name: FaultName, most: number, ...keys: readonly (number | string)[]): number | undefined {
    const rate = this.faults[name];
    if (rate === 0 || most < 1) return undefined;
    const random = createRandom(seedOf(this.faults.seed, name, ...keys));
    return random() < rate * 2 ** 32 ? wholeBetween(random, 1, most) : undefined;
  }

  /** Notes that a fault did what it does. */
  count(name: FaultName): void {
    this.#counts[name] += 1;
  }

  counts(): FaultCounts {
    return { ...this.#counts };
  }
}
