/** The public streams: who subscribes to what, and what each command means for them. */
import type { WebSocket } from "ws";
import type { Instant } from "../../domain/ids.ts";
import type { Listing } from "./listing.ts";
import type { TapeTrade } from "./market-data.ts";
import type { Floor } from "./route.ts";
import type { StreamConnection } from "./stream-connection.ts";
import { bestPrices, dayTicker } from "./tickers.ts";
import type { Happening } from "./venue-world.ts";

interface Subscriber {
  readonly connection: StreamConnection;
  /** Whether messages are wrapped with the name of their stream. */
  readonly isCombined: boolean;
}

/** The best prices at every change · the last 24 hours, in short or at length, once a second where they changed. */
type Kind = "bookTicker" | "miniTicker" | "ticker";

const KINDS: readonly Kind[] = ["bookTicker", "miniTicker", "ticker"];
const TICKER_MS = 1_000;

/** One named stream that somebody listens to. */
interface Topic {
  readonly name: string;
  readonly kind: Kind;
  readonly listing: Listing;
  readonly subscribers: Set<Subscriber>;
  /** What was told last, where only changes are told. */
  last: string;
  /** When a ticker was told, and the one that comes a second after that. */
  toldAt: number;
  timer: NodeJS.Timeout | undefined;
}

const MOST_STREAMS = 1_024;

export class MarketStreams {
  readonly #floor: Floor;
  readonly #now: () => Instant;
  readonly #topics = new Map<string, Topic>();

  constructor(floor: Floor, now: () => Instant) {
    this.#floor = floor;
    this.#now = now;
  }

  accept(socket: WebSocket, connection: StreamConnection, url: string): void {
    const { names, isCombined } = namesIn(url);
    const subscriber = { connection, isCombined };
    const mine = new Set<string>();
    const subscribe = (name: string): boolean => {
      const topic = this.#topic(name);
      if (!topic) return false;
      topic.subscribers.add(subscriber);
      mine.add(name);
      return true;
    };
    const unsubscribe = (name: string): void => {
      mine.delete(name);
      const topic = this.#topics.get(name);
      topic?.subscribers.delete(subscriber);
      if (topic?.subscribers.size !== 0) return;
      clearTimeout(topic.timer);
      this.#topics.delete(name);
    };
    names.forEach(subscribe);
    socket.on("close", () => [...mine].forEach(unsubscribe));
    socket.on("message", (data: Buffer) => {
      connection.answer(this.#answer(data.toString(), mine, subscribe, unsubscribe));
    });
  }

  /** The messages of a command, ready to be told; undefined where nobody listens. */
  prepare(happening: Happening, trades: readonly TapeTrade[]): (() => void) | undefined {
    const { command } = happening;
    if (this.#topics.size === 0 || command.kind === "deposit") return undefined;
    const listing = this.#floor.listings.bySymbol.get(command.symbol);
    if (!listing || trades.length < 0) return undefined;
    const tickers = [this.#tickerOf(listing, "miniTicker"), this.#tickerOf(listing, "ticker")];
    const tellBest = this.#prepareBest(listing);
    return () => {
      tellBest?.();
      for (const tellTicker of tickers) tellTicker?.();
    };
  }

  #prepareBest(listing: Listing): (() => void) | undefined {
    const topic = this.#topics.get(`${listing.stream}@bookTicker`);
    if (!topic) return undefined;
    const { bidPrice, bidQty, askPrice, askQty } = bestPrices(this.#floor, listing);
    const best = `"s":"${listing.id}","b":"${bidPrice}","B":"${bidQty}","a":"${askPrice}","A":"${askQty}"`;
    if (best === topic.last) return undefined;
    topic.last = best;
    const { updateId } = this.#floor.data.of(listing.symbol);
    const message = `{"u":${updateId},${best}}`;
    return () => tell(topic, message);
  }

  /** At once where the last one is a second old, else a second after it. */
  #tickerOf(listing: Listing, kind: Kind): (() => void) | undefined {
    const topic = this.#topics.get(`${listing.stream}@${kind}`);
    if (!topic) return undefined;
    const tellNow = (): void => {
      topic.timer = undefined;
      topic.toldAt = performance.now();
      tell(topic, this.#tickerText(topic));
    };
    return () => {
      if (topic.timer) return;
      const wait = topic.toldAt + TICKER_MS - performance.now();
      if (wait <= 0) tellNow();
      else topic.timer = setTimeout(tellNow, wait);
    };
  }

  #tickerText({ kind, listing }: Topic): string {
    const now = this.#now();
    const day = dayTicker(this.#floor, listing, now);
    const { lastPrice: c, openPrice: o, highPrice: h, lowPrice: l, volume: v, quoteVolume: q } = day;
    const short = { E: now, s: listing.id, c, o, h, l, v, q };
    if (kind === "miniTicker") return JSON.stringify({ e: "24hrMiniTicker", ...short });
    return JSON.stringify({
      e: "24hrTicker",
      ...short,
      p: day.priceChange,
      P: day.priceChangePercent,
      w: day.weightedAvgPrice,
      x: day.prevClosePrice,
      Q: day.lastQty,
      b: day.bidPrice,
      B: day.bidQty,
      a: day.askPrice,
      A: day.askQty,
      O: day.openTime,
      C: day.closeTime,
      F: day.firstId,
      L: day.lastId,
      n: day.count,
    });
  }

  close(): void {
    for (const { timer } of this.#topics.values()) clearTimeout(timer);
    this.#topics.clear();
  }

  #topic(name: string): Topic | undefined {
    const known = this.#topics.get(name);
    if (known) return known;
    const [id = "", kindText = ""] = name.split("@");
    const kind = KINDS.find((each) => each === kindText);
    const listing = this.#floor.listings.byId.get(id.toUpperCase());
    if (!listing || id !== listing.stream || !kind) return undefined;
    const topic: Topic = {
      name,
      kind,
      listing,
      subscribers: new Set(),
      last: "",
      toldAt: Number.NEGATIVE_INFINITY,
      timer: undefined,
    };
    this.#topics.set(name, topic);
    return topic;
  }

  #answer(
    text: string,
    mine: ReadonlySet<string>,
    subscribe: (name: string) => boolean,
    unsubscribe: (name: string) => void,
  ): string {
    const request = readRequest(text);
    if ("error" in request) return request.error;
    const { id, method, names } = request;
    const idText = JSON.stringify(id ?? null);
    if (method === "LIST_SUBSCRIPTIONS") return `{"result":${JSON.stringify([...mine])},"id":${idText}}`;
    if (method === "SUBSCRIBE") {
      if (mine.size + names.length > MOST_STREAMS)
        return errorText(2, "Invalid request: too many streams", idText);
      if (!names.every(subscribe)) return errorText(2, "Invalid request: invalid stream", idText);
    } else if (method === "UNSUBSCRIBE") {
      names.forEach(unsubscribe);
    } else {
      return errorText(2, "Invalid request: unknown variant", idText);
    }
    return `{"result":null,"id":${idText}}`;
  }
}

function tell({ name, subscribers }: Topic, message: string): void {
  const wrapped = `{"stream":"${name}","data":${message}}`;
  for (const { connection, isCombined } of subscribers) connection.tell(isCombined ? wrapped : message);
}

function errorText(code: number, message: string, id: string): string {
  return `{"error":{"code":${code},"msg":"${message}"},"id":${id}}`;
}

/** `/ws/<name>/<name>` and `/stream?streams=<name>/<name>`; other parts of the path name a connection only. */
function namesIn(url: string): { readonly names: readonly string[]; readonly isCombined: boolean } {
  const [path = "/", query = ""] = url.split("?");
  const streams = new URLSearchParams(query).get("streams");
  const texts = streams === null ? path.split("/").slice(2) : streams.split("/");
  return { names: texts.filter((text) => text.includes("@")), isCombined: /^\/stream\/?$/.test(path) };
}

interface StreamRequest {
  readonly id: unknown;
  readonly method: unknown;
  readonly names: readonly string[];
}

function readRequest(text: string): StreamRequest | { readonly error: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { error: errorText(3, "Invalid JSON", "null") };
  }
  if (typeof value !== "object" || value === null) return { error: errorText(2, "Invalid request", "null") };
  const { id, method, params = [] } = value as Readonly<Record<string, unknown>>;
  if (!Array.isArray(params) || !params.every((name): name is string => typeof name === "string")) {
    return { error: errorText(2, "Invalid request: params must be a list", JSON.stringify(id ?? null)) };
  }
  return { id, method, names: params };
}
