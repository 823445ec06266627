/** What the core does not keep of customers' orders but Binance shows: time in force, and the last change. */
import type { Instant } from "../../domain/ids.ts";
import type { TimeInForce } from "../matching/commands.ts";
import type { Happening } from "./venue-world.ts";

export interface OrderNotesState {
  readonly updated: readonly (readonly [order: string, at: Instant])[];
  readonly special: readonly (readonly [order: string, timeInForce: TimeInForce])[];
}

export class OrderNotes {
  readonly #updated = new Map<string, Instant>();
  /** Of orders that are not GTC. */
  readonly #special = new Map<string, TimeInForce>();

  note({ command, effects }: Happening): void {
    if (command.kind === "place" && effects.order !== undefined && command.timeInForce !== "GTC") {
      this.#special.set(effects.order, command.timeInForce);
    }
    for (const [order, , executed] of effects.changes) {
      // A new order's last change is its creation, which the core keeps.
      if (command.kind === "place" && order === effects.order && executed === 0) continue;
      this.#updated.set(order, command.time);
    }
  }

  updatedAt(order: string): Instant | undefined {
    return this.#updated.get(order);
  }

  timeInForce(order: string): TimeInForce {
    return this.#special.get(order) ?? "GTC";
  }

  state(): OrderNotesState {
    return { updated: [...this.#updated], special: [...this.#special] };
  }

  restore({ updated, special }: OrderNotesState): void {
    for (const [order, at] of updated) this.#updated.set(order, at);
    for (const [order, timeInForce] of special) this.#special.set(order, timeInForce);
  }
}
