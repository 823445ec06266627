/** The instance's web server: metrics and health, for this machine's own browsers and scrapers. */
import fastify from "fastify";
import { QuantmeshError } from "../domain/errors.ts";
import { servesHealth } from "./ask-health.ts";
import type { Health } from "./health.ts";
import type { MetricsPage } from "./metrics.ts";
import { redactText } from "./redact.ts";
import { servedHosts } from "./served-hosts.ts";

export interface HttpOptions {
  /** Address to listen on. */
  readonly host: string;
  /** Names that requests may have in their Host header, besides localhost, `host` and any address. */
  readonly allowedHosts?: readonly string[];
  /** 0 takes any free port. */
  readonly port: number;
  readonly registry: MetricsPage;
  readonly health: Health;
}

export interface HttpServer {
  readonly url: string;
  readonly port: number;
  /** Ends open connections too. */
  close(): Promise<void>;
}

/**
 * Serves GET /metrics, /health/live and /health/ready (503 where a part is not ok).
 * Throws PORT_IN_USE where another program listens, CONFIG_INVALID where the address cannot be listened on.
 */
export async function startHttp({
  host,
  port,
  allowedHosts = [],
  registry,
  health,
}: HttpOptions): Promise<HttpServer> {
  const app = fastify({ forceCloseConnections: true });
  const isServed = servedHosts(["localhost", host, ...allowedHosts]);
  app.addHook("onRequest", async (request, reply) => {
    if (!isServed(request.headers.host)) return reply.code(403).send({ error: "this Host is not served" });
  });
  app.get("/metrics", async (_, reply) => reply.type(registry.contentType).send(await registry.text()));
  app.get("/health/live", async () => ({ live: true }));
  app.get("/health/ready", async (_, reply) => {
    const readiness = await health.ready();
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
  app.setNotFoundHandler(async (_, reply) => reply.code(404).send({ error: "not found" }));
  app.setErrorHandler<Error & { readonly statusCode?: number }>(async (error, _, reply) =>
    reply.code(error.statusCode ?? 500).send({ error: redactText(error.message) }),
  );
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw await listenFailure(error, host, port);
  }
  const address = app.server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return { url: `http://${bracketed(host)}:${bound}`, port: bound, close: () => app.close() };
}

async function listenFailure(error: unknown, host: string, port: number): Promise<QuantmeshError> {
  const address = `${bracketed(host)}:${port}`;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "EADDRINUSE") {
    const otherPort = "set web.port to a free port, or to 0 for any";
    const remedy = (await servesHealth(host, port))
      ? `an instance of quantmesh runs there; if it is this one, stop it first; if it is another, ${otherPort}`
      : `another program listens there; ${otherPort}`;
    return new QuantmeshError("PORT_IN_USE", `${address} is in use: ${remedy}`, { cause: error });
  }
  const remedy = "set web.host and web.port to an address of this machine";
  return new QuantmeshError("CONFIG_INVALID", `cannot listen on ${address} (${code}): ${remedy}`, {
    cause: error,
  });
}

/** An IPv6 address as it stands in a URL. */
function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
