/** The REST side: fastify for every route, and a short way past it for the busiest one. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { FastifyInstance } from "fastify";
import fastify from "fastify";
import { tooLarge } from "./api-error.ts";
import type { Call, Gateway, Headers, Outlet } from "./gateway.ts";
import type { Route } from "./route.ts";

const MOST_BODY_BYTES = 16_384;
const ORDER_PATH = "/api/v3/order";

/** An app whose server answers the venue's routes; it does not listen yet. */
export function createHttpServer(gateway: Gateway, routes: readonly Route[]): FastifyInstance {
  const app = fastify({
    bodyLimit: MOST_BODY_BYTES,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: false },
    serverFactory: (handler): Server =>
      createServer(SOCKETS, (request, response) => {
        if (isOrder(request.url)) readOrder(gateway, request, response);
        else handler(request, response);
      }),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => done(null, body));
  for (const { method, path } of routes) {
    if (path === ORDER_PATH) continue;
    app.route({
      method,
      url: path,
      exposeHeadRoute: false,
      handler: (request, reply) => {
        reply.hijack();
        const body = typeof request.body === "string" ? request.body : "";
        gateway.handle(callOf(request.raw, body), new HttpOutlet(reply.raw));
      },
    });
  }
  app.setNotFoundHandler((request, reply) => {
    reply.hijack();
    gateway.handle(callOf(request.raw, ""), new HttpOutlet(reply.raw));
  });
  app.setErrorHandler<Error & { readonly statusCode?: number }>((error, _, reply) => {
    const isTooLarge = error.statusCode === 413;
    reply
      .code(error.statusCode ?? 500)
      .type(JSON_TYPE)
      .send(
        isTooLarge
          ? tooLarge().body
          : '{"code":-1000,"msg":"An unknown error occurred while processing the request."}',
      );
  });
  return app;
}

/** Idle connections live long: a request that meets their end has an unknown outcome. */
const SOCKETS = { keepAlive: true, noDelay: true, keepAliveTimeout: 75_000 };

const JSON_TYPE = "application/json;charset=UTF-8";

function isOrder(url: string | undefined): boolean {
  if (url?.startsWith(ORDER_PATH) !== true) return false;
  return url.length === ORDER_PATH.length || url.charCodeAt(ORDER_PATH.length) === 63;
}

function readOrder(gateway: Gateway, request: IncomingMessage, response: ServerResponse): void {
  const outlet = new HttpOutlet(response);
  if (request.method !== "POST") return gateway.handle(callOf(request, ""), outlet);
  const chunks: Buffer[] = [];
  let size = 0;
  request.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MOST_BODY_BYTES) chunks.push(chunk);
  });
  request.on("end", () => {
    if (size > MOST_BODY_BYTES) {
      const { status, body } = tooLarge();
      return outlet.answer(status, Buffer.from(body), []);
    }
    const [only] = chunks;
    const body = chunks.length === 1 && only ? only : Buffer.concat(chunks);
    gateway.handle(callOf(request, body.toString("latin1")), outlet);
  });
}

function callOf(request: IncomingMessage, body: string): Call {
  const { url = "/", method = "GET", headers, socket } = request;
  const mark = url.indexOf("?");
  const apiKey = headers["x-mbx-apikey"];
  return {
    method,
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? "" : url.slice(mark + 1),
    body,
    ip: (socket.remoteAddress ?? "").replace(/^::ffff:/, ""),
    apiKey: typeof apiKey === "string" ? apiKey : undefined,
  };
}

const HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";

class HttpOutlet implements Outlet {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  answer(status: number, body: Buffer, headers: Headers): void {
    if (this.#response.destroyed) return;
    this.#response.writeHead(status, [
      "Content-Type",
      JSON_TYPE,
      "Content-Length",
      String(body.length),
      ...headers,
    ]);
    this.#response.end(body);
  }

  html(status: number): void {
    this.#response.writeHead(status, { "Content-Type": "text/html", "Content-Length": HTML.length });
    this.#response.end(HTML);
  }

  breakOff(body: Buffer): void {
    this.#response.writeHead(200, {
      "Content-Type": JSON_TYPE,
      "Content-Length": body.length,
    });
    const half = body.subarray(0, Math.max(1, body.length >> 1));
    this.#response.write(half, () => this.#response.socket?.resetAndDestroy());
  }

  vanish(): void {
    this.#response.socket?.destroy();
  }
}
