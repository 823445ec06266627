/** The web server on a real port: metrics, health, and whom it answers. */
import { EventEmitter, once } from "node:events";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { Health, Ping } from "../../src/observe/health.ts";
import { createHealth } from "../../src/observe/health.ts";
import type { HttpServer } from "../../src/observe/http.ts";
import { startHttp } from "../../src/observe/http.ts";
import { createMetrics } from "../../src/observe/metrics.ts";

const opened: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

/** A server on any free port of `host`, with its metrics and the parts that its health asks. */
async function serve(host = "127.0.0.1", port = 0) {
  const { metrics, registry } = createMetrics();
  const parts = new Map<string, Ping>([["database", () => Promise.resolve()]]);
  const server = await startHttp({
    host,
    port,
    registry,
    health: createHealth(() => parts, { limitMs: 20 }),
  });
  opened.push(server);
  return { server, metrics, parts };
}

/** Status of GET `path` with this Host header. */
function statusFor(server: HttpServer, host: string, path = "/metrics"): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port: server.port, path, headers: { host } }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    });
    call.on("error", reject).end();
  });
}

describe("the web server", () => {
  it("serves the metrics that were recorded, as Prometheus text", async () => {
    const { server, metrics } = await serve();
    metrics.gauge("quantmesh_current_price", { exchange: "sim", symbol: "BTC/USDT" }, 30_000.5);

    const response = await fetch(`${server.url}/metrics`);

    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await response.text()).toContain(
      'quantmesh_current_price{exchange="sim",symbol="BTC/USDT"} 30000.5\n',
    );
  });

  it("is ready with 200 and not ready with 503, and lives either way", async () => {
    const { server, parts } = await serve();
    const ready = await fetch(`${server.url}/health/ready`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ ready: true, parts: { database: { ok: true } } });

    parts.set("exchange", () => new Promise(() => undefined));
    const unready = await fetch(`${server.url}/health/ready`);
    const live = await fetch(`${server.url}/health/live`);

    expect(unready.status).toBe(503);
    expect(await unready.json()).toMatchObject({
      ready: false,
      parts: { database: { ok: true }, exchange: { ok: false, error: "no answer within 20 ms" } },
    });
    expect(live.status).toBe(200);
    expect(await live.json()).toEqual({ live: true });
  });

  it("answers 404 in JSON to other paths and methods", async () => {
    const { server } = await serve();

    for (const [path, method] of [
      ["/", "GET"],
      ["/metrics", "POST"],
    ] as const) {
      const response = await fetch(server.url + path, { method });
      expect(response.status).toBe(404);
      expect(await response.json()).toEqual({ error: "not found" });
    }
  });

  it("answers only to the names of this machine", async () => {
    const { server } = await serve();

    for (const host of ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"]) {
      expect(await statusFor(server, `${host}:${server.port}`)).toBe(200);
      expect(await statusFor(server, host)).toBe(200);
    }
    for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "localhost:x"]) {
      expect(await statusFor(server, host)).toBe(403);
      expect(await statusFor(server, host, "/nowhere")).toBe(403);
    }
  });

  it("answers to the host that it was told to listen on", async () => {
    const { server } = await serve("127.0.0.2");
    const response = await fetch(`${server.url}/health/live`);

    expect(server.url).toBe(`http://127.0.0.2:${server.port}`);
    expect(response.status).toBe(200);
  });

  it("says that another program has the port, and what to do", async () => {
    const program = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
    await once(program, "listening");
    const { port } = program.address() as AddressInfo;
    try {
      await expect(serve("127.0.0.1", port)).rejects.toMatchObject({
        code: "PORT_IN_USE",
        message: `127.0.0.1:${port} is in use: another program listens there; set web.port to a free port, or to 0 for any`,
      });
    } finally {
      program.close();
    }
  });

  it("says that another instance has the port, and what to do", async () => {
    const { server } = await serve();

    await expect(serve("127.0.0.1", server.port)).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: `127.0.0.1:${server.port} is in use: an instance of quantmesh runs there; if it is this one, stop it first; if it is another, set web.port to a free port, or to 0 for any`,
    });
  });

  it("refuses an address that is not of this machine", async () => {
    await expect(serve("192.0.2.1")).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("cannot listen on 192.0.2.1:0"),
    });
  });

  it("closes although a client keeps its connection and another waits for an answer", async () => {
    const { registry } = createMetrics();
    const calls = new EventEmitter();
    const health: Health = {
      ready() {
        calls.emit("asked");
        return new Promise(() => undefined);
      },
    };
    const asked = once(calls, "asked");
    const server = await startHttp({ host: "127.0.0.1", port: 0, registry, health });
    await fetch(`${server.url}/health/live`, { headers: { connection: "keep-alive" } });
    const waiting = fetch(`${server.url}/health/ready`).then(
      () => "answered",
      () => "cut",
    );
    await asked;

    await server.close();

    expect(await waiting).toBe("cut");
    await expect(fetch(`${server.url}/health/live`)).rejects.toThrow();
  });
});
