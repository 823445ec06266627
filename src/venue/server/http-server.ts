/** The REST side: fastify for every route, a way past it for the busiest one, and past node:http for plain requests. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { FastifyInstance } from "fastify";
import fastify from "fastify";
import { tooLarge } from "./api-error.ts";
import type { Call, Gateway, Headers, Outlet } from "./gateway.ts";
import { HTML, JSON_TYPE, KEPT_ALIVE_MS, MOST_BODY_BYTES, ORDER_PATH, addressOf } from "./http-terms.ts";
import type { Route } from "./route.ts";
import { takeShortWay } from "./short-way.ts";

/** An app whose server answers the venue's routes; it does not listen yet. */
export function createHttpServer(gateway: Gateway, routes: readonly Route[]): FastifyInstance {
  let endShortWay = (): void => undefined;
  const app = fastify({
    bodyLimit: MOST_BODY_BYTES,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: false },
    serverFactory: (handler): Server => {
      const server = createServer(SOCKETS, (request, response) => {
        if (isOrder(request.url)) readOrder(gateway, request, response);
        else handler(request, response);
      });
      endShortWay = takeShortWay(server, gateway);
      return server;
    },
  });
  app.addHook("preClose", async () => endShortWay());
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

const SOCKETS = { keepAlive: true, noDelay: true, keepAliveTimeout: KEPT_ALIVE_MS };

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
      return outlet.prepare(status, body, [])();
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
    ip: addressOf(socket),
    apiKey: typeof apiKey === "string" ? apiKey : undefined,
  };
}

class HttpOutlet implements Outlet {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  prepare(status: number, body: string, headers: Headers): () => void {
    const bytes = Buffer.from(body);
    return () => {
      if (this.#response.destroyed) return;
      const first = ["Content-Type", JSON_TYPE, "Content-Length", String(bytes.length)];
      this.#response.writeHead(status, [...first, ...headers]);
      this.#response.end(bytes);
    };
  }

  html(status: number): void {
    this.#response.writeHead(status, { "Content-Type": "text/html", "Content-Length": HTML.length });
    this.#response.end(HTML);
  }

  breakOff(body: string): void {
    const bytes = Buffer.from(body);
    this.#response.writeHead(200, { "Content-Type": JSON_TYPE, "Content-Length": bytes.length });
    const half = bytes.subarray(0, Math.max(1, bytes.length >> 1));
    this.#response.write(half, () => this.#response.socket?.resetAndDestroy());
  }

  vanish(): void {
    this.#response.socket?.destroy();
  }
}
