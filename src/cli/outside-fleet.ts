/** A fleet as its operator's commands see it: its keys, its database, and nothing of its own. */
import type { Config } from "../config/schema.ts";
import type { FleetKeys, FleetView } from "../coordination/fleet-view.ts";
import type { KeyStore } from "../coordination/key-store.ts";
import type { MoveScene } from "../coordination/moves.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { Storage } from "../storage/storage.ts";

const LOOK_MS = 100;

export interface OutsideFleet {
  readonly config: Config;
  readonly store: KeyStore;
  readonly storage: Storage;
  readonly keys: FleetKeys;
  view(): Promise<FleetView>;
  /** The fleet with its moves, as of one moment. */
  scene(): Promise<MoveScene>;
}

/** How long a command waits until what it asked for is so, in seconds. */
export interface Patience {
  readonly timeout: number;
}

/** Throws COORDINATION_UNAVAILABLE where it takes longer; what was asked for goes on. */
export async function waitUntil(
  { timeout }: Patience,
  what: string,
  holds: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + timeout * 1000;
  while (!(await holds())) {
    if (performance.now() > deadline) {
      throw new QuantmeshError(
        "COORDINATION_UNAVAILABLE",
        `${what} after ${timeout} s; it goes on by itself`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
