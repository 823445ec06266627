/** What happens to a request between the socket and the matcher: limits, faults, keys, and the wait for the disk. */
import type { Instant } from "../../domain/ids.ts";
import type { Log } from "../../domain/log.ts";
import { ApiError, duplicateOrder, internalError, unknownOrder } from "./api-error.ts";
import type { Faults, RequestFault, Struck } from "./faults.ts";
import type { CommandLog } from "./group-commit.ts";
import type { KeyTable, Signed } from "./key-table.ts";
import type { Params } from "./params.ts";
import { NO_PARAMS, parseParams } from "./params.ts";
import type { PastAnswers } from "./past-answers.ts";
import type { ReplayGuard } from "./replay-guard.ts";
import type { AccountReads, Floor, Route } from "./route.ts";

/** A request as it came. */
export interface Call {
  readonly method: string;
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
  readonly body: string;
  readonly ip: string;
  readonly apiKey: string | undefined;
}

/** Names and values by turns. */
export type Headers = readonly string[];

/** Where the answer goes; exactly one of the methods is called, once. */
export interface Outlet {
  /** Returns what sends the answer; until then it may have to wait. */
  prepare(status: number, body: string, headers: Headers): () => void;
  html(status: number): void;
  /** Begins the answer and resets the connection in the middle of it. */
  breakOff(body: string): void;
  /** Ends the connection without an answer. */
  vanish(): void;
}

export interface GatewayOptions {
  readonly floor: Floor;
  readonly routes: readonly Route[];
  readonly keys: KeyTable;
  readonly faults: Faults;
  readonly commands: CommandLog;
  readonly now: () => Instant;
  readonly past: PastAnswers;
  /** Undefined where a request may be sent again. */
  readonly replays: ReplayGuard | undefined;
  readonly log: Log;
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
}

const NO_HEADERS: Headers = [];

export class Gateway {
  /** While set every request is answered 503. */
  isClosedForMaintenance = false;
  readonly #options: GatewayOptions;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #refusals = new Map<string, number>();
  #requests = 0;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#routes = new Map(options.routes.map((route) => [`${route.method} ${route.path}`, route]));
  }

  /** How many requests came, and how many were refused, by code. */
  counts(): { readonly requests: number; readonly refusals: Readonly<Record<string, number>> } {
    return { requests: this.#requests, refusals: Object.fromEntries(this.#refusals) };
  }

  handle(call: Call, outlet: Outlet): void {
    this.#requests += 1;
    const { faults } = this.#options;
    const fault = faults.ofRequest(call.method, call.path);
    if (fault) this.#handleFaulty(call, outlet, fault);
    else this.#send(outlet, this.#reply(call));
  }

  #handleFaulty(call: Call, outlet: Outlet, fault: Struck<RequestFault>): void {
    switch (fault.kind) {
      case "lost_request":
        return outlet.vanish();
      case "error_before":
        return outlet.prepare(fault.status, internalError().body, NO_HEADERS)();
      case "rate_limited":
        return this.#send(outlet, replyOf(new ApiError(429, -1003, "Too many requests queued.", RETRY_SOON)));
      case "delayed_request":
        return this.#delayRequest(call, outlet, fault.delayMs);
      case "stale_query":
        return this.#send(
          outlet,
          this.#reply(call, this.#options.past.before(fault.ageMs, this.#options.now())),
        );
      default:
        return this.#spoilAnswer(outlet, fault, this.#reply(call));
    }
  }

  /** Signature and time are checked at the door; what takes too long after that is the matcher's business. */
  #delayRequest(call: Call, outlet: Outlet, delayMs: number): void {
    const signed = this.#checkAtDoor(call);
    if ("status" in signed) return this.#send(outlet, signed);
    setTimeout(() => this.#send(outlet, this.#reply(call, undefined, signed.signed)), delayMs);
  }

  #checkAtDoor(call: Call): Reply | { readonly signed: Signed | undefined } {
    try {
      const route = this.#routes.get(`${call.method} ${call.path}`);
      if (!route) return NOT_FOUND;
      return { signed: this.#signed(route, call, paramsOf(call)) };
    } catch (error) {
      return this.#refused(error);
    }
  }

  #spoilAnswer(outlet: Outlet, fault: Struck<RequestFault>, reply: Reply): void {
    this.#options.commands.whenDurable(() => {
      if (fault.kind === "lost_answer") outlet.vanish();
      else if (fault.kind === "error_after") outlet.prepare(fault.status, internalError().body, NO_HEADERS)();
      else if (fault.kind === "reset_in_body") outlet.breakOff(reply.body);
      else if (fault.kind === "html_body") outlet.html(fault.status);
      else setTimeout(outlet.prepare(reply.status, reply.body, reply.headers), fault.delayMs);
    });
  }

  /** Nobody hears of anything that a crash could undo. */
  #send(outlet: Outlet, { status, body, headers }: Reply): void {
    this.#options.commands.whenDurable(outlet.prepare(status, body, headers));
  }

  #reply(call: Call, reads?: AccountReads, checked?: Signed): Reply {
    const { floor, now: clock } = this.#options;
    let headers = NO_HEADERS;
    try {
      if (this.isClosedForMaintenance) throw new ApiError(503, -1008, SERVER_BUSY);
      const route = this.#routes.get(`${call.method} ${call.path}`);
      if (!route) return NOT_FOUND;
      const now = clock();
      const params = paramsOf(call);
      const weight = typeof route.weight === "number" ? route.weight : route.weight(params);
      const used = floor.limits.take(call.ip, weight, now);
      headers = weightHeaders(used);
      const seen = reads ?? floor.world.reads;
      if (route.access === "public")
        return { status: 200, body: route.answer({ params, now, reads: seen }), headers };
      const signed = checked ?? this.#signed(route, call, params);
      if (signed === undefined) return NOT_FOUND;
      if (route.countsOrders === true) {
        const counts = floor.limits.takeOrder(signed.key.account, now);
        headers = orderHeaders(used, counts);
      }
      return { status: 200, body: route.answer({ params, now, reads: seen, signed }), headers };
    } catch (error) {
      return this.#refused(error, headers);
    }
  }

  #signed(route: Route, call: Call, params: Params): Signed | undefined {
    if (route.access === "public") return undefined;
    const { keys, now: clock, replays } = this.#options;
    const now = clock();
    const signed = keys.check(call.apiKey, params, payloadOf(call), route.access, call.ip, now);
    if (!replays || route.access !== "trade") return signed;
    const { timestamp, validUntil } = signed;
    if (replays.use(params.get("signature") ?? "", timestamp, validUntil, now)) return signed;
    // As if the first one's order were still open, or already cancelled.
    throw route.method === "DELETE" ? unknownOrder() : duplicateOrder();
  }

  #refused(error: unknown, headers: Headers = NO_HEADERS): Reply {
    if (!(error instanceof ApiError)) {
      this.#options.log.error({ error }, "venue.failed");
      return replyOf(internalError(), headers);
    }
    const code = String(error.code);
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    return replyOf(error, headers);
  }
}

const SERVER_BUSY = "Server is currently overloaded with other requests. Please try again in a few minutes.";
const RETRY_SOON = { "Retry-After": "1" };
const NOT_FOUND: Reply = {
  status: 404,
  body: '{"code":-1000,"msg":"Not found."}',
  headers: NO_HEADERS,
};

function replyOf(error: ApiError, headers: Headers = NO_HEADERS): Reply {
  const more = Object.entries(error.headers).flat();
  return { status: error.status, body: error.body, headers: [...headers, ...more] };
}

/** Those of the query come first: they win over the body's. */
function paramsOf({ query, body }: Call): Params {
  if (query === "" && body === "") return NO_PARAMS;
  const params = parseParams(query);
  return body === "" ? params : parseParams(body, params);
}

/** What was signed: query and body end to end, without the signature. */
function payloadOf({ query, body }: Call): string {
  return withoutSignature(query) + withoutSignature(body);
}

function withoutSignature(text: string): string {
  const at = text.startsWith("signature=") ? 0 : text.indexOf("&signature=");
  if (at < 0) return text;
  const end = text.indexOf("&", at + 1);
  const rest = end < 0 ? "" : text.slice(end);
  return at === 0 ? rest.slice(1) : text.slice(0, at) + rest;
}

function weightHeaders(used: number): Headers {
  const text = String(used);
  return ["X-MBX-USED-WEIGHT", text, "X-MBX-USED-WEIGHT-1M", text];
}

function orderHeaders(used: number, [tenSeconds, day]: readonly [number, number]): Headers {
  const text = String(used);
  return [
    "X-MBX-USED-WEIGHT",
    text,
    "X-MBX-USED-WEIGHT-1M",
    text,
    "X-MBX-ORDER-COUNT-10S",
    String(tenSeconds),
    "X-MBX-ORDER-COUNT-1D",
    String(day),
  ];
}
