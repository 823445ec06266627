/** The faults that change what the exchange does; each is drawn from the seed, the position and the order alone. */
import type { PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { ZERO_LOTS, quantityLots, subtractLots } from "../../domain/amounts.ts";
import type { Instant } from "../../domain/ids.ts";
import type { CancelCommand, PlaceCommand } from "../../venue/matching/commands.ts";
import type { OrderView } from "../../venue/matching/order-history.ts";
import type { Venue } from "../../venue/matching/venue.ts";
import type { FaultDice } from "./fault-dice.ts";

export class WorldFaults {
  readonly #dice: FaultDice;
  readonly #venue: Venue;
  /** The widest step of each symbol's price so far: how far it may trade before its next point. */
  readonly #reach = new Map<string, number>();

  constructor(dice: FaultDice, venue: Venue) {
    this.#dice = dice;
    this.#venue = venue;
  }

  /** Takes in that the symbol's price is about to move to `price`. */
  noteMove(symbol: string, price: PriceTicks): void {
    const step = Math.abs(price - (this.#venue.price(symbol)?.price ?? price));
    if (step > this.#reachOf(symbol)) this.#reach.set(symbol, step);
  }

  /** True where a valid order is to be refused. */
  refuses(command: PlaceCommand, position: number, time: Instant): boolean {
    if (this.#dice.share("rejected", 1, position, command.id ?? "") === undefined) return false;
    if (this.#venue.refusalOf(command, time)) return false;
    this.#dice.count("rejected");
    return true;
  }

  /** How much of the order executes just before its cancel: never all of it, and only where the price may have been. */
  fillBefore(command: CancelCommand, position: number, time: Instant): QuantityLots {
    const { account, symbol, exchangeOrderId, validUntil } = command;
    const order = this.#venue.findByExchangeId(account, symbol, exchangeOrderId);
    if (order?.status !== "open" || time > validUntil) return ZERO_LOTS;
    const price = this.#venue.price(symbol)?.price;
    if (price === undefined || Math.abs(order.price - price) > this.#reachOf(symbol)) return ZERO_LOTS;
    const part = this.#dice.share("fillInCancel", leftOf(order) - 1, position, exchangeOrderId);
    if (part === undefined) return ZERO_LOTS;
    this.#dice.count("fillInCancel");
    return quantityLots(part);
  }

  /** How much of a crossed order executes now. */
  portion(order: OrderView, position: number): QuantityLots {
    const left = leftOf(order);
    const part = this.#dice.share("partialFills", left - 1, position, order.exchangeOrderId);
    if (part === undefined) return left;
    this.#dice.count("partialFills");
    return quantityLots(part);
  }

  #reachOf(symbol: string): number {
    return this.#reach.get(symbol) ?? 0;
  }
}

function leftOf({ quantity, executed }: OrderView): QuantityLots {
  return subtractLots(quantity, executed);
}
