/**
 * ccxt's watch methods as hints. They lose what arrives while nobody awaits, so each is awaited again at once and its
 * events only put on; a stream that broke or went silent is opened again, and the lists are read meanwhile.
 */
import type { Clock } from "../../domain/clock.ts";
import type { Instant } from "../../domain/ids.ts";
import type { PriceTicks } from "../../domain/amounts.ts";
import type { Log } from "../../domain/log.ts";
import type { Metrics } from "../../domain/metrics.ts";
import type { MarketHint } from "../exchange.ts";
import type { CcxtClient, CcxtRecord } from "./ccxt-client.ts";
import { breakSockets } from "./ccxt-client.ts";
import { Expected } from "./expected-orders.ts";
import { describeCall } from "./failures.ts";
import { withinLimit } from "./within-limit.ts";

export interface StreamTimes {
  /** A price older than this is asked for by REST, ms. */
  readonly staleAfterMs: number;
  /** Time between two questions while a stream is away, ms. */
  readonly pollMs: number;
  /** An order of ours that the stream does not mention for so long after its acceptance shows that it is silent, ms. */
  readonly silentAfterMs: number;
  /** A symbol that nobody has listened to for so long is not traded here any more, ms; an outage of ours is shorter. */
  readonly leftAfterMs: number;
  /** First and longest pause before a stream is opened again, ms. */
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
}

export const STREAM_TIMES: StreamTimes = {
  staleAfterMs: 15_000,
  pollMs: 5_000,
  silentAfterMs: 5_000,
  leftAfterMs: 600_000,
  firstRetryMs: 250,
  longestRetryMs: 30_000,
};

const OPEN_LIMIT_MS = 10_000;
const CHECK_MS = 500;
/** A stream that has just been opened tells a price by then, or is asked by REST. */
const FIRST_PRICE_MS = 2_000;

export interface StreamParts {
  readonly exchange: string;
  readonly client: CcxtClient;
  /** False where nobody's own orders are watched: without keys. */
  readonly watchesOrders: boolean;
  openOrderStream(client: CcxtClient): Promise<void>;
  /** The hints in streamed orders and trades of one symbol; none in what cannot be read. */
  hintOfOrder(order: CcxtRecord): { readonly symbol: string; readonly hint: MarketHint } | undefined;
  hintOfTrade(trade: CcxtRecord): { readonly symbol: string; readonly hint: MarketHint } | undefined;
  priceOf(symbol: string, ticker: CcxtRecord): { readonly price: PriceTicks; readonly at: Instant };
  /** The price by REST. */
  readPrice(symbol: string): Promise<{ readonly price: PriceTicks; readonly at: Instant }>;
  /** Reads the exchange's clock again: streams are opened by what is signed in its time. */
  resynchronize(): Promise<void>;
  /** Where a stream says that an order is closed. */
  noteClosed(symbol: string, exchangeOrderId: string): void;
  /** Where nobody has listened to a symbol for `leftAfterMs`. */
  noteLeft(symbol: string): void;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly times: StreamTimes;
}

interface Watched {
  readonly listeners: Set<(hint: MarketHint) => void>;
  /** Monotonic ms of the last price, of whichever source, and of the last question by REST. */
  heardAt: number;
  askedAt: number;
  /** The newest price that is known, whoever told it: of a change from it the stream has to tell. */
  known: PriceTicks | undefined;
  isStale: boolean;
  /** Monotonic ms since which nobody listens, until that was told. */
  leftAt: number | undefined;
}

export class CcxtStreams {
  readonly #parts: StreamParts;
  readonly #watched = new Map<string, Watched>();
  readonly #expected: Expected;
  readonly #closing = new AbortController();
  readonly #loops: Promise<void>[] = [];
  #isOrderStreamOpen = false;
  #wasOpen = false;
  #polledAt = 0;
  #cancelCheck: () => void = () => undefined;

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#expected = new Expected(parts.times.silentAfterMs);
  }

  /** Opens the order stream and resolves when it is, or when it could not be in time: then lists are polled meanwhile. */
  async start(): Promise<void> {
    this.#check();
    if (!this.#parts.watchesOrders) return;
    let isOpen: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => {
      isOpen = resolve;
    });
    this.#loops.push(this.#keepOrderStream(isOpen));
    await withinLimit(opened, OPEN_LIMIT_MS, this.#parts.clock).catch(() => {
      this.#parts.log.warn({ exchange: this.#parts.exchange }, "stream.not_opened");
    });
  }

  subscribe(symbol: string, listen: (hint: MarketHint) => void): () => void {
    const { clock } = this.#parts;
    let watched = this.#watched.get(symbol);
    if (!watched) {
      const now = clock.monotonic();
      watched = {
        listeners: new Set(),
        // What happened before the stream is open is soon asked for.
        heardAt: now - this.#parts.times.staleAfterMs + FIRST_PRICE_MS,
        askedAt: now,
        known: undefined,
        isStale: false,
        leftAt: undefined,
      };
      this.#watched.set(symbol, watched);
      this.#loops.push(this.#keepTicker(symbol, watched));
    }
    const heard = watched;
    heard.listeners.add(listen);
    heard.leftAt = undefined;
    return () => {
      if (heard.listeners.delete(listen) && heard.listeners.size === 0) heard.leftAt = clock.monotonic();
    };
  }

  /** The exchange has accepted an order: the stream has to mention it soon. */
  expect(symbol: string, exchangeOrderId: string): void {
    if (this.#parts.watchesOrders) {
      this.#expected.add(symbol, exchangeOrderId, this.#parts.clock.monotonic());
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelCheck();
    for (const { listeners } of this.#watched.values()) listeners.clear();
    breakSockets(this.#parts.client);
    await Promise.all(this.#loops);
    await this.#parts.client.close();
  }

  async #keepOrderStream(isOpen: () => void): Promise<void> {
    const { client, times, clock, log, exchange } = this.#parts;
    let delay = times.firstRetryMs;
    while (!this.#isClosed) {
      const opening = new AbortController();
      try {
        await withinLimit(this.#parts.openOrderStream(client), OPEN_LIMIT_MS, clock);
        delay = times.firstRetryMs;
        this.#noteOrderStream(true);
        isOpen();
        await Promise.race([
          this.#pump(
            opening.signal,
            () => client.watchOrders(),
            (order) => this.#hearOrder(order),
          ),
          this.#pump(
            opening.signal,
            () => client.watchMyTrades(),
            (trade) => this.#hearTrade(trade),
          ),
        ]);
      } catch (error) {
        if (this.#isClosed) return;
        log.warn({ exchange, reason: describeCall("stream", error) }, "stream.lost");
      } finally {
        opening.abort();
      }
      this.#noteOrderStream(false);
      await this.#pause(delay);
      if (!this.#isClosed) await this.#parts.resynchronize();
      delay = Math.min(delay * 2, times.longestRetryMs);
    }
  }

  /** Awaits `next` again and again; ends only by its failure, or when a newer pump has taken over. */
  async #pump(
    signal: AbortSignal,
    next: () => Promise<readonly CcxtRecord[]>,
    hear: (record: CcxtRecord) => void,
  ): Promise<void> {
    while (!signal.aborted) {
      const batch = await next();
      if (signal.aborted) return;
      for (const record of [...batch]) hear(record);
    }
  }

  async #keepTicker(symbol: string, watched: Watched): Promise<void> {
    const { client, times, clock, log, exchange } = this.#parts;
    let delay = times.firstRetryMs;
    while (!this.#isClosed) {
      try {
        const ticker = await client.watchTicker(symbol);
        const { price, at } = this.#parts.priceOf(symbol, ticker);
        delay = times.firstRetryMs;
        watched.known = price;
        watched.heardAt = clock.monotonic();
        this.#noteStale(symbol, watched, false);
        tell(watched, { kind: "tick", price, at });
      } catch (error) {
        if (this.#isClosed) return;
        log.warn({ exchange, symbol, reason: describeCall("stream", error) }, "stream.lost");
        watched.heardAt = Number.NEGATIVE_INFINITY;
        await this.#pause(delay);
        delay = Math.min(delay * 2, times.longestRetryMs);
      }
    }
  }

  #hearOrder(order: CcxtRecord): void {
    const found = this.#parts.hintOfOrder(order);
    if (!found) return;
    const { symbol, hint } = found;
    if (hint.kind === "order") {
      this.#expected.hear(symbol, hint.order.exchangeOrderId);
      if (hint.order.status !== "open") this.#parts.noteClosed(symbol, hint.order.exchangeOrderId);
    }
    this.#tell(symbol, hint);
  }

  #hearTrade(trade: CcxtRecord): void {
    const found = this.#parts.hintOfTrade(trade);
    if (found) this.#tell(found.symbol, found.hint);
  }

  #tell(symbol: string, hint: MarketHint): void {
    const watched = this.#watched.get(symbol);
    if (watched) tell(watched, hint);
  }

  #tellAll(hint: MarketHint): void {
    for (const watched of this.#watched.values()) tell(watched, hint);
  }

  #noteOrderStream(isOpen: boolean): void {
    const { metrics, exchange, log } = this.#parts;
    const labels = { exchange, stream_type: "orders" };
    metrics.gauge("quantmesh_websocket_connected", labels, isOpen ? 1 : 0);
    this.#isOrderStreamOpen = isOpen;
    if (!isOpen) return;
    this.#expected.clear();
    log.info({ exchange }, "stream.opened");
    if (this.#wasOpen) metrics.count("quantmesh_websocket_reconnect_count_total", labels);
    // What happened while nobody listened is in the lists.
    this.#tellAll({ kind: "gap" });
    this.#wasOpen = true;
  }

  /** Looks for streams that are silent, every half second. */
  #check(): void {
    const { clock } = this.#parts;
    this.#cancelCheck = clock.after(CHECK_MS, () => {
      if (this.#isClosed) return;
      this.#checkOrders();
      for (const [symbol, watched] of this.#watched) this.#checkTicker(symbol, watched);
      this.#check();
    });
  }

  #checkOrders(): void {
    const { clock, client, times, log, exchange, watchesOrders } = this.#parts;
    if (!watchesOrders) return;
    const now = clock.monotonic();
    if (this.#isOrderStreamOpen && this.#expected.isOverdue(now)) {
      log.warn({ exchange }, "stream.silent");
      this.#expected.clear();
      // Its loop finds it broken, and opens it again.
      breakSockets(client);
    }
    if (this.#isOrderStreamOpen || now - this.#polledAt < times.pollMs) return;
    this.#polledAt = now;
    this.#tellAll({ kind: "gap" });
  }

  #checkTicker(symbol: string, watched: Watched): void {
    const { clock, times } = this.#parts;
    const now = clock.monotonic();
    if (watched.leftAt !== undefined && now - watched.leftAt >= times.leftAfterMs) {
      watched.leftAt = undefined;
      this.#parts.noteLeft(symbol);
    }
    if (watched.listeners.size === 0 || now - watched.heardAt < times.staleAfterMs) return;
    this.#noteStale(symbol, watched, true);
    if (now - watched.askedAt < times.pollMs) return;
    watched.askedAt = now;
    void this.#ask(symbol, watched);
  }

  /** The price by REST. Where it has changed and the stream did not say so, the stream is silent and not merely quiet. */
  async #ask(symbol: string, watched: Watched): Promise<void> {
    const { client, log, exchange } = this.#parts;
    try {
      const { known, heardAt } = watched;
      const { price, at } = await this.#parts.readPrice(symbol);
      if (this.#isClosed) return;
      tell(watched, { kind: "tick", price, at });
      if (watched.heardAt !== heardAt) return;
      watched.known = price;
      if (known === undefined || price === known) return;
      log.warn({ exchange, symbol }, "stream.silent");
      breakSockets(client);
    } catch (error) {
      log.warn({ exchange, symbol, reason: describeCall("price", error) }, "stream.poll_failed");
    }
  }

  #noteStale(symbol: string, watched: Watched, isStale: boolean): void {
    if (watched.isStale === isStale) return;
    watched.isStale = isStale;
    const { metrics, exchange } = this.#parts;
    metrics.gauge("quantmesh_stream_stale", { exchange, symbol }, isStale ? 1 : 0);
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Ends early when the streams are closed. */
  async #pause(delayMs: number): Promise<void> {
    const { signal } = this.#closing;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        cancel();
        signal.removeEventListener("abort", finish);
        resolve();
      };
      const cancel = this.#parts.clock.after(delayMs, finish);
      signal.addEventListener("abort", finish);
    });
  }
}

function tell({ listeners }: Watched, hint: MarketHint): void {
  for (const listen of [...listeners]) listen(hint);
}
