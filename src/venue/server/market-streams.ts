/** The public streams: who listens to what, and when they are told. */
import type { WebSocket } from "ws";
import type { Instant } from "../../domain/ids.ts";
import type { TapeTrade } from "./market-data.ts";
import type { Floor } from "./route.ts";
import type { StreamConnection } from "./stream-connection.ts";
import type { TopicKind } from "./stream-topics.ts";
import { topicOf } from "./stream-topics.ts";
import type { Happening } from "./venue-world.ts";

interface Subscriber {
  readonly connection: StreamConnection;
  /** Whether messages are wrapped with the name of their stream. */
  isCombined: boolean;
}

/** One named stream that somebody listens to. */
interface Topic {
  readonly name: string;
  readonly says: TopicKind;
  readonly subscribers: Set<Subscriber>;
}

/** As many streams as Binance lets one connection have. */
const MOST_STREAMS = 1_024;
const TICK_MS = 100;

export class MarketStreams {
  readonly #floor: Floor;
  readonly #now: () => Instant;
  readonly #whenDurable: (run: () => void) => void;
  readonly #topics = new Map<string, Topic>();
  /** Those that each command of their symbol concerns. */
  readonly #watching = new Map<string, Set<Topic>>();
  readonly #timer: NodeJS.Timeout;
  #ticks = 0;

  constructor(floor: Floor, now: () => Instant, whenDurable: (run: () => void) => void) {
    this.#floor = floor;
    this.#now = now;
    this.#whenDurable = whenDurable;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  accept(socket: WebSocket, connection: StreamConnection, url: string): void {
    const { names, isCombined } = namesIn(url);
    const subscriber: Subscriber = { connection, isCombined };
    const mine = new Map<string, Topic>();
    const subscribe = (name: string): boolean => {
      const topic = this.#topic(name);
      if (!topic) return false;
      topic.subscribers.add(subscriber);
      mine.set(name, topic);
      return true;
    };
    const unsubscribe = (name: string): void => {
      const topic = mine.get(name);
      mine.delete(name);
      topic?.subscribers.delete(subscriber);
      if (topic?.subscribers.size === 0) this.#drop(topic);
    };
    names.slice(0, MOST_STREAMS).forEach(subscribe);
    socket.on("close", () => [...mine.keys()].forEach(unsubscribe));
    socket.on("message", (data: Buffer) => {
      connection.answer(answerTo(data.toString(), subscriber, mine, subscribe, unsubscribe));
    });
  }

  /** The messages of a command, ready to be told; undefined where nobody listens. */
  prepare(happening: Happening, trades: readonly TapeTrade[]): (() => void) | undefined {
    const { command } = happening;
    if (this.#watching.size === 0 || command.kind === "deposit") return undefined;
    const topics = this.#watching.get(command.symbol);
    if (!topics) return undefined;
    const prepared: (readonly [Topic, readonly string[]])[] = [];
    for (const topic of topics) {
      if (topic.says.kind === "periodic") {
        topic.says.watches?.note(happening);
        continue;
      }
      const messages = topic.says.messages(trades, command.time);
      if (messages.length > 0) prepared.push([topic, messages]);
    }
    if (prepared.length === 0) return undefined;
    return () => {
      for (const [topic, messages] of prepared) for (const message of messages) tell(topic, message);
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#topics.clear();
    this.#watching.clear();
  }

  #topic(name: string): Topic | undefined {
    const known = this.#topics.get(name);
    if (known) return known;
    const says = topicOf(this.#floor, name);
    if (!says) return undefined;
    const topic: Topic = { name, says, subscribers: new Set() };
    this.#topics.set(name, topic);
    const symbol = watchedBy(says);
    if (symbol !== undefined) {
      this.#watching.set(symbol, (this.#watching.get(symbol) ?? new Set()).add(topic));
    }
    return topic;
  }

  #drop(topic: Topic): void {
    this.#topics.delete(topic.name);
    const symbol = watchedBy(topic.says) ?? "";
    const others = this.#watching.get(symbol);
    others?.delete(topic);
    if (others?.size === 0) this.#watching.delete(symbol);
  }

  #tick(): void {
    this.#ticks += 1;
    const isSecond = (this.#ticks * TICK_MS) % 1_000 === 0;
    const now = this.#now();
    for (const topic of this.#topics.values()) {
      const { says } = topic;
      if (says.kind === "live" || !(says.periodMs === TICK_MS || isSecond)) continue;
      const messages = says.messages(now);
      if (messages.length > 0) this.#whenDurable(() => messages.forEach((message) => tell(topic, message)));
    }
  }
}

/** The symbol whose every command the topic must see. */
function watchedBy(says: TopicKind): string | undefined {
  return (says.kind === "live" ? says.listing : says.watches?.listing)?.symbol;
}

/** The same bytes for everybody: with thousands of subscribers nothing else would be affordable. */
function tell({ name, subscribers }: Topic, message: string): void {
  let [plain, wrapped]: (Buffer | undefined)[] = [];
  for (const { connection, isCombined } of subscribers) {
    if (isCombined) connection.tell((wrapped ??= Buffer.from(`{"stream":"${name}","data":${message}}`)));
    else connection.tell((plain ??= Buffer.from(message)));
  }
}

/** `/ws/<name>/<name>` and `/stream?streams=<name>/<name>`; other parts of the path name a connection only. */
function namesIn(url: string): { readonly names: readonly string[]; readonly isCombined: boolean } {
  const [path = "/", query = ""] = url.split("?");
  const streams = new URLSearchParams(query).get("streams");
  const texts = streams === null ? path.split("/").slice(2) : streams.split("/");
  return { names: texts.filter((text) => text.includes("@")), isCombined: /^\/stream\/?$/.test(path) };
}

function answerTo(
  text: string,
  subscriber: Subscriber,
  mine: ReadonlyMap<string, Topic>,
  subscribe: (name: string) => boolean,
  unsubscribe: (name: string) => void,
): string {
  const request = readRequest(text);
  if ("error" in request) return request.error;
  const { id, method, params } = request;
  const done = `{"result":null,"id":${id}}`;
  if (method === "SET_PROPERTY" || method === "GET_PROPERTY") {
    const [property, isOn] = params;
    if (property !== "combined") return errorText("Invalid request: unknown property", id);
    if (method === "GET_PROPERTY") return `{"result":${subscriber.isCombined},"id":${id}}`;
    if (typeof isOn !== "boolean") return errorText("Invalid request: combined must be true or false", id);
    subscriber.isCombined = isOn;
    return done;
  }
  const names = params.filter((name) => typeof name === "string");
  if (names.length < params.length) {
    return errorText("Invalid request: params must be a list of names", id);
  }
  switch (method) {
    case "LIST_SUBSCRIPTIONS":
      return `{"result":${JSON.stringify([...mine.keys()])},"id":${id}}`;
    case "SUBSCRIBE":
      if (mine.size + names.length > MOST_STREAMS) return errorText("Invalid request: too many streams", id);
      return names.every(subscribe) ? done : errorText("Invalid request: invalid stream", id);
    case "UNSUBSCRIBE":
      names.forEach(unsubscribe);
      return done;
    default:
      return errorText("Invalid request: unknown variant", id);
  }
}

function errorText(message: string, id: string, code = 2): string {
  return `{"error":{"code":${code},"msg":"${message}"},"id":${id}}`;
}

interface StreamRequest {
  /** As JSON. */
  readonly id: string;
  readonly method: unknown;
  readonly params: readonly unknown[];
}

function readRequest(text: string): StreamRequest | { readonly error: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { error: errorText("Invalid JSON", "null", 3) };
  }
  if (typeof value !== "object" || value === null) return { error: errorText("Invalid request", "null") };
  const { id, method, params = [] } = value as Readonly<Record<string, unknown>>;
  const idText = JSON.stringify(id ?? null);
  if (!Array.isArray(params)) return { error: errorText("Invalid request: params must be a list", idText) };
  return { id: idText, method, params };
}
