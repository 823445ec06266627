/** A client of the venue's public streams, and a book that it keeps as Binance's documents say. */
import { once } from "node:events";
import { vi } from "vitest";
import { WebSocket } from "ws";
import { callRaw } from "./venue-client.ts";
import type { VenueProcess } from "./venue-process.ts";

export type Message = Readonly<Record<string, unknown>>;

export interface StreamClient {
  readonly socket: WebSocket;
  /** Everything it was told so far. */
  all(): readonly Message[];
  /** What a combined stream said under this name. */
  of(name: string): readonly Message[];
  send(message: object): void;
  close(): void;
}

export async function listen({ wsUrl }: Pick<VenueProcess, "wsUrl">, path: string): Promise<StreamClient> {
  const socket = new WebSocket(`${wsUrl}${path}`);
  const messages: Message[] = [];
  socket.on("message", (data: Buffer) => messages.push(JSON.parse(data.toString()) as Message));
  await once(socket, "open");
  return {
    socket,
    all: () => messages,
    of: (name) =>
      messages.flatMap((message) => (message["stream"] === name ? [message["data"] as Message] : [])),
    send: (message) => socket.send(JSON.stringify(message)),
    close: () => socket.close(),
  };
}

type Levels = readonly (readonly [price: string, quantity: string])[];

export interface Depth {
  readonly lastUpdateId: number;
  readonly bids: Levels;
  readonly asks: Levels;
}

interface DepthUpdate {
  readonly U: number;
  readonly u: number;
  readonly b: Levels;
  readonly a: Levels;
}

export async function fetchDepth(venue: Pick<VenueProcess, "url">, symbol: string): Promise<Depth> {
  return (await callRaw(venue, "GET", `/api/v3/depth?symbol=${symbol}&limit=5000`)).json as Depth;
}

/**
 * "How to manage a local order book correctly": buffer the events, take a snapshot that is not older than the first of
 * them, drop what it holds already, apply the rest; a gap is an error.
 */
export class LocalBook {
  readonly #client: StreamClient;
  readonly #bids: Map<string, string>;
  readonly #asks: Map<string, string>;
  #applied = 0;
  readonly #snapshotId: number;
  #updateId: number;

  private constructor(client: StreamClient, { lastUpdateId, bids, asks }: Depth) {
    this.#client = client;
    this.#snapshotId = lastUpdateId;
    this.#updateId = lastUpdateId;
    this.#bids = new Map(bids);
    this.#asks = new Map(asks);
  }

  /** Waits for the first event: something must change meanwhile. */
  static async follow(venue: VenueProcess, stream: string): Promise<LocalBook> {
    const client = await listen(venue, `/ws/${stream}`);
    const symbol = (stream.split("@")[0] ?? "").toUpperCase();
    await vi.waitFor(
      () => {
        if (client.all().length === 0) throw new Error(`${stream} says nothing`);
      },
      { timeout: 20_000 },
    );
    const first = client.all()[0] as unknown as DepthUpdate;
    let snapshot = await fetchDepth(venue, symbol);
    while (snapshot.lastUpdateId < first.U) snapshot = await fetchDepth(venue, symbol);
    return new LocalBook(client, snapshot);
  }

  /** The book as far as it was told; sorted by the text of the price. Throws where an event is missing. */
  now(): Depth {
    const events = this.#events();
    for (; this.#applied < events.length; this.#applied += 1) {
      const { U, u, b, a } = events[this.#applied] as DepthUpdate;
      // What the snapshot holds already may come after it.
      if (u <= this.#snapshotId) continue;
      if (U > this.#updateId + 1 || u < this.#updateId + 1) {
        throw new Error(`an event from ${U} to ${u} follows on ${this.#updateId}`);
      }
      apply(this.#bids, b);
      apply(this.#asks, a);
      this.#updateId = u;
    }
    return sorted({ lastUpdateId: this.#updateId, bids: [...this.#bids], asks: [...this.#asks] });
  }

  close(): void {
    this.#client.close();
  }

  #events(): readonly DepthUpdate[] {
    return this.#client.all() as unknown as readonly DepthUpdate[];
  }
}

export function sorted({ lastUpdateId, bids, asks }: Depth): Depth {
  const byPrice = (levels: Levels): Levels => [...levels].sort(([a], [b]) => (a < b ? -1 : 1));
  return { lastUpdateId, bids: byPrice(bids), asks: byPrice(asks) };
}

function apply(side: Map<string, string>, changes: Levels): void {
  for (const [price, quantity] of changes) {
    if (Number(quantity) === 0) side.delete(price);
    else side.set(price, quantity);
  }
}
