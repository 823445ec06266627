/** Turns what happens on the simulated exchange into the hints of its streams. */
import type { Instant } from "../../domain/ids.ts";
import type { Point } from "../../venue/market/feed.ts";
import type { OrderView } from "../../venue/matching/order-history.ts";
import type { VenueEvent } from "../../venue/matching/commands.ts";
import type { ExchangeOrder, MarketHint } from "../exchange.ts";

type Listen = (hint: MarketHint) => void;

/** Delivers in the order of arrival, each hint to those who listen at that moment. */
export class Hints {
  readonly #listeners = new Map<string, Set<Listen>>();
  #waiting = 0;

  /** True while hints are on their way. */
  get arePending(): boolean {
    return this.#waiting > 0;
  }

  subscribe(symbol: string, listen: Listen): () => void {
    const listeners = this.#listeners.get(symbol) ?? new Set();
    this.#listeners.set(symbol, listeners);
    // A function of its own, so that the same listener may subscribe twice and leave once.
    const own: Listen = (hint) => listen(hint);
    listeners.add(own);
    return () => listeners.delete(own);
  }

  /** Delivers soon, for what a command caused: never inside the command. */
  deliverSoon(events: readonly VenueEvent[]): void {
    if (events.length === 0) return;
    this.#waiting += 1;
    queueMicrotask(() => {
      this.#waiting -= 1;
      this.deliver(events);
    });
  }

  deliver(events: readonly VenueEvent[]): void {
    for (const event of events) {
      const hint = hintOf(event);
      for (const listen of this.#listeners.get(event.symbol) ?? []) listen(hint);
    }
  }

  /** Delivers a point: what it filled first, so that whoever sees the price knows of its fills. */
  deliverPoint(point: Point, at: Instant, events: readonly VenueEvent[]): void {
    this.deliver(events);
    const listeners = this.#listeners.get(point.symbol);
    if (!listeners || listeners.size === 0) return;
    const hint: MarketHint = { kind: "tick", price: point.price, at };
    for (const listen of listeners) listen(hint);
  }

  clear(): void {
    this.#listeners.clear();
  }
}

/** An order as the port shows it. */
export function exchangeOrderOf(view: OrderView): ExchangeOrder {
  const { id, exchangeOrderId, side, type, price, quantity, executed, status, createdAt } = view;
  return { id, exchangeOrderId, side, type, price, quantity, executed, status, createdAt };
}

function hintOf(event: VenueEvent): MarketHint {
  return event.kind === "fill"
    ? { kind: "fill", execution: event.execution, id: event.id }
    : { kind: "order", order: exchangeOrderOf(event.order) };
}
