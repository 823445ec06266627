/** The short way of ordinary requests from the socket to the gateway and back; all others go to node:http. */
import type { Server } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Call, Gateway, Headers, Outlet } from "./gateway.ts";
import { HTML, JSON_TYPE, KEPT_ALIVE_MS, MOST_BODY_BYTES, ORDER_PATH, addressOf } from "./http-terms.ts";

/**
 * Reads connections here for as long as each request on them comes whole, alone and plain: HTTP/1.1, kept alive, no
 * body but an order's. At the first one that is not so, the connection is node:http's for good, that request included.
 * The gateway is the same behind both; node:http spends most of a request's time on what no such request needs.
 * Returns what ends the connections that are read here: the server itself knows only of the others.
 */
export function takeShortWay(server: Server, gateway: Gateway): () => void {
  const lanes = new Set<Socket>();
  let isEnded = false;
  const usual = server.listeners("connection") as ((this: Server, socket: Socket) => void)[];
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    if (isEnded) {
      socket.destroy();
      return;
    }
    const forget = (): void => void lanes.delete(socket);
    lanes.add(socket);
    socket.once("close", forget);
    new Lane(socket, gateway, () => {
      forget();
      socket.off("close", forget);
      for (const listener of usual) listener.call(server, socket);
    });
  });
  return () => {
    isEnded = true;
    for (const socket of lanes) socket.destroy();
  };
}

class Lane implements Outlet {
  readonly #socket: Socket;
  readonly #gateway: Gateway;
  readonly #leave: () => void;
  readonly #ip: string;
  /** A request is being answered. */
  #isBusy = false;
  /** The client sends no more. */
  #isEnding = false;
  /** What came before the answer to what was before it. */
  #early: Buffer | undefined = undefined;
  /** The header lines of the last request: most clients send the same ones with each. */
  #lines = "";
  #head: Head | undefined = undefined;

  constructor(socket: Socket, gateway: Gateway, leave: () => void) {
    this.#socket = socket;
    this.#gateway = gateway;
    this.#leave = leave;
    this.#ip = addressOf(socket);
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.setTimeout(KEPT_ALIVE_MS, this.#onTimeout);
  }

  prepare(status: number, body: string, headers: Headers): () => void {
    const bytes = messageOf(status, body, headers);
    return () => {
      if (!this.#socket.destroyed && !this.#socket.write(bytes)) this.#waitForReader();
      this.#done();
    };
  }

  html(status: number): void {
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nContent-Type: text/html\r\n`;
    this.#socket.write(`${head}Content-Length: ${HTML.length}\r\n\r\n${HTML}`);
    this.#done();
  }

  breakOff(body: string): void {
    const bytes = messageOf(200, body, []);
    const half = bytes.subarray(0, bytes.length - Math.min(body.length - 1, (body.length + 1) >> 1));
    this.#socket.write(half, () => this.#socket.resetAndDestroy());
  }

  vanish(): void {
    this.#socket.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isBusy) {
      this.#early = this.#early === undefined ? chunk : Buffer.concat([this.#early, chunk]);
      this.#socket.pause();
      return;
    }
    const call = this.#read(chunk);
    if (!call) return this.#handOver(chunk);
    this.#isBusy = true;
    this.#gateway.handle(call, this);
  };

  readonly #onEnd = (): void => {
    this.#isEnding = true;
    if (!this.#isBusy) this.#socket.end();
  };

  readonly #onError = (): void => {
    this.#socket.destroy();
  };

  readonly #onTimeout = (): void => {
    if (!this.#isBusy) this.#socket.destroy();
  };

  /** Who does not read answers may send no more requests: what waits for him is in the venue's memory. */
  #waitForReader(): void {
    const socket = this.#socket;
    socket.pause();
    socket.once("drain", () => socket.resume());
  }

  #done(): void {
    this.#isBusy = false;
    if (this.#early) this.#handOver(this.#early);
    else if (this.#isEnding) this.#socket.end();
  }

  /** Undefined for what is not a whole plain request, or more than one. */
  #read(chunk: Buffer): Call | undefined {
    const text = chunk.toString("latin1");
    const request = REQUEST_LINE.exec(text);
    const end = text.indexOf("\r\n\r\n");
    if (!request || end < 0) return undefined;
    const [line, method = "", path = "", query = ""] = request;
    const lines = text.slice(line.length, end);
    if (lines !== this.#lines) {
      this.#head = readHead(lines);
      this.#lines = lines;
    }
    const head = this.#head;
    if (!head || end + 4 + head.length !== text.length) return undefined;
    const isOrder = method === "POST" && path === ORDER_PATH;
    if (!isOrder && (method === "POST" || head.length > 0)) return undefined;
    return { method, path, query, body: text.slice(end + 4), ip: this.#ip, apiKey: head.apiKey };
  }

  #handOver(chunk: Buffer): void {
    const socket = this.#socket;
    socket.pause();
    socket.off("data", this.#onData).off("end", this.#onEnd).off("error", this.#onError);
    socket.setTimeout(0, this.#onTimeout);
    if (socket.destroyed) return;
    socket.unshift(chunk);
    this.#leave();
    process.nextTick(() => socket.resume());
  }
}

/** What matters of a request's header lines. */
interface Head {
  /** Of the body. */
  readonly length: number;
  readonly apiKey: string | undefined;
}

const REQUEST_LINE = /^(GET|POST|DELETE) (\/[!->@-~]*)(?:\?([!-~]*))? HTTP\/1\.1\r\n/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([!-~](?:[ -~]*[!-~])?)[ \t]*$/;
/** Nothing that changes how the connection or the body is to be read. */
const UNUSUAL = /^(transfer-encoding|upgrade|expect|te|trailer|keep-alive|proxy-connection|http2-settings)$/;

/** Undefined where there is anything unusual: node:http knows what to say of it. */
function readHead(text: string): Head | undefined {
  const headers = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    const [, name = "", value = ""] = HEADER_LINE.exec(line) ?? [];
    const known = name.toLowerCase();
    if (known === "" || headers.has(known) || UNUSUAL.test(known)) return undefined;
    headers.set(known, value);
  }
  const length = headers.get("content-length") ?? "0";
  const isPlain =
    headers.has("host") &&
    (headers.get("connection") ?? "keep-alive").toLowerCase() === "keep-alive" &&
    /^\d{1,5}$/.test(length) &&
    Number(length) <= MOST_BODY_BYTES;
  return isPlain ? { length: Number(length), apiKey: headers.get("x-mbx-apikey") } : undefined;
}

/** As node:http would write it. Bytes, not text: what waits for the disk is not to be copied by the garbage collector. */
function messageOf(status: number, body: string, headers: Headers): Buffer {
  const length = Buffer.byteLength(body);
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nContent-Type: ${JSON_TYPE}\r\nContent-Length: ${length}\r\n`;
  for (let at = 0; at < headers.length; at += 2) text += `${headers[at] ?? ""}: ${headers[at + 1] ?? ""}\r\n`;
  text += `Date: ${dateText()}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${KEPT_ALIVE_MS / 1_000}\r\n\r\n${body}`;
  return Buffer.from(text, length === body.length ? "latin1" : "utf8");
}

let dateSecond = 0;
let dateOfSecond = "";

function dateText(): string {
  const now = Date.now();
  if (now >= dateSecond + 1_000 || now < dateSecond) {
    dateSecond = now - (now % 1_000);
    dateOfSecond = new Date(now).toUTCString();
  }
  return dateOfSecond;
}
