/** Looks whether this instance can listen where its config says, and whether it already does. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Config } from "../../config/schema.ts";
import type { Finding } from "../../domain/finding.ts";
import { fault, ok } from "../../domain/finding.ts";
import { servesHealth } from "../../observe/ask-health.ts";

/** `isRunning`: the instance is registered with its fleet, so its heartbeat port is its own. */
export async function checkPorts(
  { web, coordination }: Config,
  isRunning: boolean,
  limitMs: number,
): Promise<readonly Finding[]> {
  const listens = coordination.mode === "dynamic" ? splitAddress(coordination.listen) : undefined;
  const findings = await Promise.all([
    web.enabled ? checkWeb(web, limitMs) : undefined,
    listens && checkPort("coordination.listen", listens, async () => isRunning),
  ]);
  return findings.filter((finding) => finding !== undefined);
}

async function checkWeb({ host, port }: Config["web"], limitMs: number): Promise<Finding> {
  return checkPort("web.port", { host, port }, async () => servesHealth(host, port, limitMs));
}

interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

async function checkPort(
  key: string,
  { host, port }: HostAndPort,
  isOwn: () => Promise<boolean>,
): Promise<Finding> {
  const says = `${key} ${host}:${port}`;
  if (port === 0) return ok("ports", `${says}: any free port`);
  const trouble = await tryListen(host, port);
  if (trouble === undefined) return ok("ports", `${says} is free`);
  if (trouble === "EADDRINUSE") {
    if (await isOwn()) return ok("ports", `${says}: an instance of quantmesh runs there`);
    return fault(
      "ports",
      `${says}: another program listens there`,
      `set ${key} to another port, or end that program`,
    );
  }
  const remedy = `set the address of ${key} to one that this computer has (0.0.0.0 for all), and a port above 1023`;
  return fault("ports", `${says}: ${trouble}`, remedy);
}

/** Why nobody can listen there; undefined where one can. */
async function tryListen(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, "listening");
    server.close();
    await once(server, "close");
    return undefined;
  } catch (error) {
    return codeOf(error);
  }
}

/** Why no connection can be made to `address`, host:port; undefined where one can. */
export async function tryConnect(address: string, limitMs: number): Promise<string | undefined> {
  const socket = connect(splitAddress(address));
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(limitMs) });
    return undefined;
  } catch (error) {
    return error instanceof Error && error.name === "AbortError"
      ? `no answer within ${limitMs / 1000} s`
      : codeOf(error);
  } finally {
    socket.destroy();
  }
}

export function splitAddress(address: string): HostAndPort {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  return error instanceof Error ? error.message : String(error);
}
