/** The WebSocket API as far as accounts need it to hear of their orders: subscribe by signature, then events. */
import type { WebSocket } from "ws";
import { ZERO_MONEY } from "../../domain/amounts.ts";
import type { Execution } from "../../domain/fill.ts";
import type { Instant } from "../../domain/ids.ts";
import { notional } from "../../domain/instrument.ts";
import type { OrderView } from "../matching/order-history.ts";
import { ApiError, invalidJson, mandatory } from "./api-error.ts";
import type { CommandLine } from "./journal-format.ts";
import type { KeyTable } from "./key-table.ts";
import type { Listing } from "./listing.ts";
import { moneyText, priceText, quantityText } from "./listing.ts";
import { TYPE_NAMES, ZERO_TEXT, limitText, statusName } from "./order-json.ts";
import type { Floor } from "./route.ts";
import type { StreamConnection } from "./stream-connection.ts";
import type { Happening } from "./venue-world.ts";

interface Subscriber {
  readonly connection: StreamConnection;
  readonly id: number;
}

interface UserRequest {
  readonly id: unknown;
  readonly method: unknown;
  readonly params: ReadonlyMap<string, string>;
}

export class UserStreams {
  readonly #floor: Floor;
  readonly #keys: KeyTable;
  readonly #now: () => Instant;
  readonly #byAccount = new Map<string, Set<Subscriber>>();

  constructor(floor: Floor, keys: KeyTable, now: () => Instant) {
    this.#floor = floor;
    this.#keys = keys;
    this.#now = now;
  }

  accept(socket: WebSocket, connection: StreamConnection, ip: string): void {
    const mine = new Map<number, { readonly account: string; readonly subscriber: Subscriber }>();
    let lastId = -1;
    const end = (id: number): boolean => {
      const found = mine.get(id);
      if (!found) return false;
      mine.delete(id);
      const others = this.#byAccount.get(found.account);
      others?.delete(found.subscriber);
      if (others?.size === 0) this.#byAccount.delete(found.account);
      return true;
    };
    const subscribe = (params: UserRequest["params"]): string => {
      const payload = [...params.keys()]
        .filter((name) => name !== "signature")
        .sort()
        .map((name) => `${name}=${params.get(name) ?? ""}`)
        .join("&");
      const { key } = this.#keys.check(params.get("apiKey"), params, payload, "read", ip, this.#now());
      lastId += 1;
      const subscriber = { connection, id: lastId };
      mine.set(lastId, { account: key.account, subscriber });
      const others = this.#byAccount.get(key.account) ?? new Set();
      this.#byAccount.set(key.account, others.add(subscriber));
      return `{"subscriptionId":${lastId}}`;
    };
    socket.on("close", () => [...mine.keys()].forEach(end));
    socket.on("message", (data: Buffer) => {
      let id: unknown = null;
      try {
        this.#floor.limits.take(ip, 2, this.#now());
        const request = readRequest(data.toString());
        id = request.id;
        connection.answer(answerText(id, 200, `"result":${this.#result(request, subscribe, end)}`));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        connection.answer(answerText(id, error.status, `"error":${error.body}`));
      }
    });
  }

  /** The events of a command, ready to be told; undefined where nobody listens. */
  prepare(happening: Happening): (() => void) | undefined {
    if (this.#byAccount.size === 0) return undefined;
    const { command } = happening;
    if (command.kind === "deposit") {
      const subscribers = this.#byAccount.get(command.account);
      if (!subscribers) return undefined;
      const { account, asset, amount, time } = command;
      const change = `{"e":"balanceUpdate","E":${time},"a":"${asset}","d":"${amount}","T":${time}}`;
      const messages = [change, this.#balancesText(account, new Set([asset]), time)];
      return () => tellAll(subscribers, messages);
    }
    const byAccount = new Map<string, string[]>();
    const listing = this.#floor.listings.bySymbol.get(command.symbol);
    if (!listing) return undefined;
    let execution: Execution | undefined;
    for (const event of happening.events) {
      if (!this.#byAccount.has(event.account)) continue;
      if (event.kind === "fill") {
        execution = event.execution;
        continue;
      }
      const messages = byAccount.get(event.account) ?? [];
      byAccount.set(event.account, messages);
      messages.push(this.#reportText(listing, event.order, execution, command));
      execution = undefined;
    }
    if (byAccount.size === 0) return undefined;
    const { base, quote } = listing.instrument;
    for (const [account, messages] of byAccount) {
      messages.push(this.#balancesText(account, new Set([base, quote]), command.time));
    }
    return () => {
      for (const [account, messages] of byAccount) {
        const subscribers = this.#byAccount.get(account);
        if (subscribers) tellAll(subscribers, messages);
      }
    };
  }

  #result(
    { method, params }: UserRequest,
    subscribe: (params: UserRequest["params"]) => string,
    end: (id: number) => boolean,
  ): string {
    switch (method) {
      case "ping":
        return "{}";
      case "time":
        return `{"serverTime":${this.#now()}}`;
      case "userDataStream.subscribe.signature":
        return subscribe(params);
      case "userDataStream.unsubscribe":
        if (!end(Number(params.get("subscriptionId")))) throw mandatory("subscriptionId");
        return "{}";
      default:
        throw new ApiError(400, -1000, "Unknown method.");
    }
  }

  #reportText(
    listing: Listing,
    order: OrderView,
    execution: Execution | undefined,
    command: CommandLine,
  ): string {
    const at = command.time;
    const { exchangeOrderId, quantity, executed, quote, type, side, createdAt, status, id } = order;
    const timeInForce = this.#floor.notes.timeInForce(exchangeOrderId);
    const kind = execution
      ? "TRADE"
      : status === "open"
        ? "NEW"
        : status === "canceled"
          ? "CANCELED"
          : "EXPIRED";
    const last = execution
      ? {
          quantity: quantityText(listing, execution.quantity),
          price: priceText(listing, execution.price),
          fee: moneyText(execution.fee),
          feeAsset: `"${execution.feeAsset}"`,
          id: execution.tradeId,
          value: moneyText(notional(listing.instrument, execution.price, execution.quantity)),
        }
      : { quantity: ZERO_TEXT, price: ZERO_TEXT, fee: "0", feeAsset: "null", id: "-1", value: ZERO_TEXT };
    // Of a cancelled order the first id is the cancel's, and the second one its own.
    const isCancel = command.kind === "cancel" && command.cancels === exchangeOrderId;
    const ids = isCancel ? `"c":"${command.id}","C":"${id ?? ""}"` : `"c":"${id ?? ""}","C":""`;
    // The core tells of a new order first with all of it open, then of its fills.
    return `{"e":"executionReport","E":${at},"s":"${listing.id}",${ids},"S":"${side === "buy" ? "BUY" : "SELL"}","o":"${TYPE_NAMES[type]}","f":"${timeInForce}","q":"${quantityText(listing, quantity)}","p":"${limitText(listing, order)}","P":"${ZERO_TEXT}","F":"${ZERO_TEXT}","g":-1,"x":"${kind}","X":"${statusName(order, timeInForce)}","r":"NONE","i":${exchangeOrderId},"l":"${last.quantity}","z":"${quantityText(listing, executed)}","L":"${last.price}","n":"${last.fee}","N":${last.feeAsset},"T":${at},"t":${last.id},"I":${exchangeOrderId},"w":${status === "open"},"m":${execution?.liquidity === "maker"},"M":${execution !== undefined},"O":${createdAt},"Z":"${moneyText(quote)}","Y":"${last.value}","Q":"${ZERO_TEXT}","W":${createdAt},"V":"EXPIRE_MAKER"}`;
  }

  #balancesText(account: string, assets: ReadonlySet<string>, at: Instant): string {
    const rows = this.#floor.world.reads
      .balances(account)
      .filter(({ asset }) => assets.has(asset))
      .map(
        ({ asset, free = ZERO_MONEY, locked }) =>
          `{"a":"${asset}","f":"${moneyText(free)}","l":"${moneyText(locked)}"}`,
      );
    return `{"e":"outboundAccountPosition","E":${at},"u":${at},"B":[${rows.join(",")}]}`;
  }
}

function tellAll(subscribers: ReadonlySet<Subscriber>, messages: readonly string[]): void {
  for (const { connection, id } of subscribers) {
    for (const message of messages)
      connection.tell(Buffer.from(`{"subscriptionId":${id},"event":${message}}`));
  }
}

function answerText(id: unknown, status: number, rest: string): string {
  return `{"id":${JSON.stringify(id ?? null)},"status":${status},${rest},"rateLimits":[]}`;
}

function readRequest(text: string): UserRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidJson();
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalidJson();
  const { id, method, params = {} } = value as Readonly<Record<string, unknown>>;
  if (typeof params !== "object" || params === null || Array.isArray(params)) throw invalidJson();
  const texts = Object.entries(params).map(([name, field]: [string, unknown]): [string, string] => {
    if (typeof field === "object") throw invalidJson();
    return [name, String(field)];
  });
  return { id, method, params: new Map(texts) };
}
