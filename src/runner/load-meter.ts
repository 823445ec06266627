/** How much each symbol costs this process: events, orders and time at work, as rates over the last seconds. */
import type { Clock } from "../domain/clock.ts";
import type { Exchange, MarketHint } from "../exchange/exchange.ts";

export interface SymbolLoad {
  /** What its streams told, per second. */
  readonly events: number;
  /** Orders and cancels sent, per second. */
  readonly orders: number;
  /** The share of time that the event loop was busy with its events, from 0 to 1. */
  readonly busy: number;
}

interface Counts {
  readonly events: number;
  readonly orders: number;
  readonly busyMs: number;
}

interface Sample {
  /** Monotonic ms. */
  readonly at: number;
  readonly counts: ReadonlyMap<string, Counts>;
}

const NOTHING: Counts = { events: 0, orders: 0, busyMs: 0 };

export class LoadMeter {
  readonly #windowMs: number;
  readonly #counts = new Map<string, { events: number; orders: number; busyMs: number }>();
  #samples: readonly Sample[] = [];

  /** Rates are means over `windowMs`. */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  event(symbol: string, busyMs: number): void {
    const counts = this.#of(symbol);
    counts.events += 1;
    counts.busyMs += busyMs;
  }

  order(symbol: string): void {
    this.#of(symbol).orders += 1;
  }

  /** Remembers where the counts stand; to be called about once a second. */
  sample(now: number): void {
    const counts = new Map([...this.#counts].map(([symbol, one]) => [symbol, { ...one }]));
    const kept = this.#samples.filter(({ at }) => now - at <= this.#windowMs);
    this.#samples = [...kept, { at: now, counts }];
  }

  /** The loads between the oldest and the newest sample; empty before the second. */
  loads(): ReadonlyMap<string, SymbolLoad> {
    const [oldest, newest] = [this.#samples[0], this.#samples.at(-1)];
    if (!oldest || !newest || newest.at <= oldest.at) return new Map();
    const ms = newest.at - oldest.at;
    return new Map(
      [...newest.counts].map(([symbol, after]) => {
        const before = oldest.counts.get(symbol) ?? NOTHING;
        const load = {
          events: (1000 * (after.events - before.events)) / ms,
          orders: (1000 * (after.orders - before.orders)) / ms,
          busy: (after.busyMs - before.busyMs) / ms,
        };
        return [symbol, load];
      }),
    );
  }

  #of(symbol: string): { events: number; orders: number; busyMs: number } {
    const known = this.#counts.get(symbol);
    if (known) return known;
    const counts = { ...NOTHING };
    this.#counts.set(symbol, counts);
    return counts;
  }
}

/** The same exchange; what its streams tell and what is sent to it is counted. Costs two looks at the clock per event. */
export function meteredExchange(
  inner: Exchange,
  meter: LoadMeter,
  clock: Pick<Clock, "monotonic">,
): Exchange {
  const metered: Pick<Exchange, "subscribe" | "placeOrder" | "cancelOrder"> = {
    subscribe: (symbol, listen) =>
      inner.subscribe(symbol, (hint: MarketHint) => {
        const began = clock.monotonic();
        listen(hint);
        meter.event(symbol, clock.monotonic() - began);
      }),
    placeOrder: async (request) => {
      meter.order(request.symbol);
      return inner.placeOrder(request);
    },
    cancelOrder: async (request) => {
      meter.order(request.symbol);
      return inner.cancelOrder(request);
    },
  };
  return new Proxy(inner, {
    get(port, property): unknown {
      const own: unknown = Reflect.get(metered, property);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(port, property, port);
      return typeof value === "function" ? (value.bind(port) as unknown) : value;
    },
  });
}
