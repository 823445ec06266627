/** Heartbeats between instances over TCP: each listens, and keeps one connection to every other to hear it beat. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { AddressInfo, Server, Socket } from "node:net";
import { connect, createServer } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { QuantmeshError } from "../domain/errors.ts";
import type { Clock } from "../domain/clock.ts";
import type { Log } from "../domain/log.ts";
import type { Incarnation } from "./fleet-view.ts";

export interface PeerMeshOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly me: Incarnation;
  /** What every instance of the fleet knows, and nobody else. */
  readonly secret: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** PEM text; without it the connections are authenticated, and not encrypted. */
  readonly tls?: { readonly ca: string; readonly certificate: string; readonly key: string };
  readonly beatMs: number;
  readonly listener: PeerListener;
}

export interface PeerListener {
  /** The peer lives. */
  beat(peer: Incarnation): void;
  /** Its connection closed and its port refuses, or another incarnation answers there. */
  gone(peer: Incarnation): void;
  /** It said something to all. */
  told(peer: Incarnation, message: string): void;
}

export interface PeerAddress extends Incarnation {
  readonly address: string;
}

/** Waits between two attempts to reach a peer, ms; an attempt itself takes at most `LONGEST_ATTEMPT_MS`. */
const FIRST_RETRY_MS = 20;
const LONGEST_RETRY_MS = 500;
const LONGEST_ATTEMPT_MS = 1000;
const LONGEST_LINE = 65_536;

/** Listens. Throws PORT_IN_USE where another program does, CONFIG_INVALID where `tls` cannot be used. */
export async function openPeerMesh(options: PeerMeshOptions): Promise<PeerMesh> {
  const mesh = new PeerMesh(options);
  await mesh.open();
  return mesh;
}

export class PeerMesh {
  readonly #options: PeerMeshOptions;
  readonly #server: Server;
  /** Authenticated peers that hear our beats. */
  readonly #hearers = new Set<Socket>();
  readonly #sockets = new Set<Socket>();
  readonly #links = new Map<string, PeerLink>();
  #refused = "";
  #cancelBeat: () => void = () => undefined;

  constructor(options: PeerMeshOptions) {
    this.#options = options;
    const accept = (socket: Socket): void => this.#accept(socket);
    this.#server = createListener(options.tls, accept);
    this.#server.on("tlsClientError", (error: NodeJS.ErrnoException) => {
      // Who goes away while it greets is no stranger.
      if (error.code !== "ECONNRESET") this.#refuse(error.message);
    });
  }

  async open(): Promise<void> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (cause) =>
        reject(
          new QuantmeshError(
            "PORT_IN_USE",
            `cannot listen for heartbeats on ${host}:${port} (${cause.message}): set coordination.listen to a free port`,
            { cause },
          ),
        ),
      );
      this.#server.listen(port, host, resolve);
    });
    this.#server.on("error", (error) => this.#options.log.warn({ error }, "mesh.server_error"));
    this.#beat();
  }

  get port(): number {
    const address = this.#server.address() as AddressInfo | null;
    return address?.port ?? 0;
  }

  /** Keeps a connection to each of `peers` and to nobody else. */
  watch(peers: readonly PeerAddress[]): void {
    const wanted = new Map(peers.map((peer) => [`${peer.id} ${peer.incarnation} ${peer.address}`, peer]));
    for (const [name, link] of this.#links) {
      if (wanted.has(name)) continue;
      link.close();
      this.#links.delete(name);
    }
    for (const [name, peer] of wanted) {
      if (!this.#links.has(name)) this.#links.set(name, new PeerLink(this.#options, peer));
    }
  }

  /** Says something to everybody who hears us; who misses it finds out in another way. */
  tell(message: string): void {
    for (const socket of this.#hearers) socket.write(`${JSON.stringify({ told: message })}\n`);
  }

  async close(): Promise<void> {
    this.#cancelBeat();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #beat(): void {
    for (const socket of this.#hearers) socket.write(".\n");
    this.#cancelBeat = this.#options.clock.after(this.#options.beatMs, () => this.#beat());
  }

  #accept(socket: Socket): void {
    const { clock, me, secret } = this.#options;
    const nonce = randomBytes(16).toString("hex");
    const giveUp = clock.after(LONGEST_ATTEMPT_MS, () => socket.destroy());
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      giveUp();
      this.#sockets.delete(socket);
      this.#hearers.delete(socket);
    });
    onLines(socket, (line) => {
      if (this.#hearers.has(socket)) return;
      const greeting = parseRecord(line);
      const named = [greeting["id"], greeting["incarnation"], greeting["nonce"]].join("\n");
      if (!isProof(greeting["proof"], proofOf(secret, "hearer", nonce, named))) {
        this.#refuse("it does not know the fleet's secret");
        return void socket.destroy();
      }
      giveUp();
      const proof = proofOf(
        secret,
        "beater",
        String(greeting["nonce"]),
        `${me.id}\n${me.incarnation}\n${nonce}`,
      );
      socket.write(`${JSON.stringify({ id: me.id, incarnation: me.incarnation, proof })}\n.\n`);
      this.#hearers.add(socket);
    });
    socket.write(`${JSON.stringify({ nonce })}\n`);
  }

  /** Who is refused comes again and again: it is told once for each reason. */
  #refuse(reason: string): void {
    if (this.#refused === reason) return;
    this.#refused = reason;
    this.#options.log.warn({ reason }, "mesh.stranger_refused");
  }
}

/** The connection to one peer: opened again whenever it ends. */
class PeerLink {
  readonly #options: PeerMeshOptions;
  readonly #peer: PeerAddress;
  #socket: Socket | undefined;
  #isClosed = false;
  /** True while the last connection was one on which the peer proved who it is. */
  #wasHeard = false;
  /** What was wrong last, so that it is told once. */
  #trouble = "";
  #retryMs = FIRST_RETRY_MS;
  #cancel: () => void = () => undefined;

  constructor(options: PeerMeshOptions, peer: PeerAddress) {
    this.#options = options;
    this.#peer = peer;
    this.#dial();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
    this.#socket?.destroy();
  }

  #dial(): void {
    if (this.#isClosed) return;
    const { clock, tls } = this.#options;
    const { host, port } = splitAddress(this.#peer.address);
    const socket = tls
      ? connectTls({
          host,
          port,
          ca: tls.ca,
          cert: tls.certificate,
          key: tls.key,
          checkServerIdentity: () => undefined,
        })
      : connect({ host, port });
    this.#socket = socket;
    const giveUp = clock.after(LONGEST_ATTEMPT_MS, () => {
      trouble = `no answer within ${LONGEST_ATTEMPT_MS} ms`;
      socket.destroy();
    });
    let isRefused = false;
    let trouble: string | undefined = "it ended the connection: do both know the same secret?";
    let serverNonce: string | undefined;
    let isProven = false;
    const nonce = randomBytes(16).toString("hex");
    socket.setNoDelay(true);
    socket.on("error", (error) => {
      isRefused = "code" in error && error.code === "ECONNREFUSED";
      if (!isProven) trouble = error.message;
    });
    socket.once("close", () => {
      giveUp();
      if (trouble !== undefined) this.#complain(trouble);
      this.#ended(isRefused);
    });
    onLines(socket, (line) => {
      if (isProven) return this.#hear(line);
      if (serverNonce === undefined) {
        serverNonce = String(parseRecord(line)["nonce"]);
        return this.#greet(socket, serverNonce, nonce);
      }
      giveUp();
      trouble = this.#recognize(line, nonce, serverNonce);
      isProven = trouble === undefined;
      if (!isProven) socket.destroy();
    });
  }

  #greet(socket: Socket, serverNonce: string, nonce: string): void {
    const { me, secret } = this.#options;
    const { id, incarnation } = me;
    const proof = proofOf(secret, "hearer", serverNonce, `${id}\n${incarnation}\n${nonce}`);
    socket.write(`${JSON.stringify({ id, incarnation, nonce, proof })}\n`);
  }

  /** Why the other side is not the peer, if it is not; another incarnation of it means that this one is gone. */
  #recognize(line: string, nonce: string, serverNonce: string): string | undefined {
    const { secret, listener, log } = this.#options;
    const { id, incarnation, proof } = parseRecord(line);
    const named = `${String(id)}\n${String(incarnation)}\n${serverNonce}`;
    if (!isProof(proof, proofOf(secret, "beater", nonce, named))) {
      return "it does not know the fleet's secret";
    }
    if (id !== this.#peer.id || incarnation !== this.#peer.incarnation) {
      if (this.#wasHeard || id === this.#peer.id) listener.gone(this.#peer);
      return `${String(id)} ${String(incarnation)} answers there`;
    }
    log.info({ peer: this.#peer.id }, "mesh.heard");
    this.#wasHeard = true;
    this.#trouble = "";
    this.#retryMs = FIRST_RETRY_MS;
    listener.beat(this.#peer);
    return undefined;
  }

  #complain(trouble: string): void {
    if (this.#isClosed || this.#trouble === trouble) return;
    this.#trouble = trouble;
    this.#options.log.warn({ peer: this.#peer.id, address: this.#peer.address, trouble }, "mesh.not_heard");
  }

  #hear(line: string): void {
    this.#options.listener.beat(this.#peer);
    if (line === ".") return;
    const { told } = parseRecord(line);
    if (typeof told === "string") this.#options.listener.told(this.#peer, told);
  }

  #ended(isRefused: boolean): void {
    if (this.#isClosed) return;
    const wasHeard = this.#wasHeard;
    if (isRefused) {
      this.#wasHeard = false;
      this.#options.listener.gone(this.#peer);
    }
    // Who was heard a moment ago is asked at once: a refusal now says that it is gone.
    const delayMs = wasHeard && !isRefused && this.#retryMs === FIRST_RETRY_MS ? 0 : this.#retryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
    this.#cancel = this.#options.clock.after(delayMs, () => this.#dial());
  }
}

/** Throws CONFIG_INVALID where the certificate and its key are none, or do not belong together. */
function createListener(tls: PeerMeshOptions["tls"], accept: (socket: Socket) => void): Server {
  if (!tls) return createServer(accept);
  const { ca, certificate: cert, key } = tls;
  const demands = { requestCert: true, rejectUnauthorized: true, handshakeTimeout: LONGEST_ATTEMPT_MS };
  try {
    return createTlsServer({ ca, cert, key, ...demands }, accept);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QuantmeshError("CONFIG_INVALID", `coordination.tls: ${reason}`, { cause });
  }
}

function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}

/** Who does not know the secret cannot answer a fresh nonce; the part keeps an answer from being sent back. */
function proofOf(secret: string, part: "hearer" | "beater", nonce: string, named: string): string {
  return createHmac("sha256", secret).update(`${part}\n${nonce}\n${named}`).digest("hex");
}

function isProof(given: unknown, expected: string): boolean {
  if (typeof given !== "string" || given.length !== expected.length) return false;
  return timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}

function parseRecord(line: string): Readonly<Record<string, unknown>> {
  try {
    const record: unknown = JSON.parse(line);
    return typeof record === "object" && record !== null ? (record as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}

/** Calls `listen` with each line; a peer that sends none for too long text is cut off. */
function onLines(socket: Socket, listen: (line: string) => void): void {
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LONGEST_LINE) return void socket.destroy();
    for (const line of lines) listen(line);
  });
}
