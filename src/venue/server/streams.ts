/** WebSockets: public streams, and the part of the WebSocket API that tells an account of its orders. */
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { WebSocketServer } from "ws";
import type { CommandLog } from "./group-commit.ts";
import { addressOf } from "./http-terms.ts";
import { MarketStreams } from "./market-streams.ts";
import { StreamConnection } from "./stream-connection.ts";
import type { Faults } from "./faults.ts";
import type { Gateway } from "./gateway.ts";
import type { KeyTable } from "./key-table.ts";
import type { Floor } from "./route.ts";
import { UserStreams } from "./user-streams.ts";
import type { Instant } from "../../domain/ids.ts";
import type { Log } from "../../domain/log.ts";
import type { Happening } from "./venue-world.ts";
import type { TapeTrade } from "./market-data.ts";

export interface StreamsOptions {
  readonly server: Server;
  readonly floor: Floor;
  readonly keys: KeyTable;
  readonly faults: Faults;
  readonly gateway: Gateway;
  readonly commands: CommandLog;
  readonly now: () => Instant;
  readonly log: Log;
}

const MOST_MESSAGE_BYTES = 65_536;
/** Binance asks each 20 s and gives a minute for the answer. */
const PING_MS = 60_000;
const USER_PATH = /^\/ws-api\/v3\/?$/;
const MARKET_PATH = /^\/(stream|ws)(\/|$)/;

export class Streams {
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MOST_MESSAGE_BYTES,
    clientTracking: true,
  });
  readonly #options: StreamsOptions;
  readonly #market: MarketStreams;
  readonly #user: UserStreams;
  readonly #heartbeat: NodeJS.Timeout;
  /** Who has not answered the last ping. */
  readonly #silent = new Set<WebSocket>();
  #cutOff = 0;

  constructor(options: StreamsOptions) {
    this.#options = options;
    this.#market = new MarketStreams(options.floor, options.now, (run) => options.commands.whenDurable(run));
    this.#user = new UserStreams(options.floor, options.keys, options.now);
    this.#heartbeat = setInterval(() => this.#ping(), PING_MS);
    options.server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** How many connections are open. */
  get size(): number {
    return this.#sockets.clients.size;
  }

  /** How many clients were cut off because they did not read. */
  get cutOff(): number {
    return this.#cutOff;
  }

  /** Tells whoever listens what a command did, once that is durable. */
  publish(happening: Happening, trades: readonly TapeTrade[]): void {
    const tellMarket = this.#market.prepare(happening, trades);
    const tellUsers = this.#user.prepare(happening);
    if (!tellMarket && !tellUsers) return;
    this.#options.commands.whenDurable(() => {
      tellMarket?.();
      tellUsers?.();
    });
  }

  /** Ends every connection as a broken network would. */
  disconnectAll(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  close(): void {
    clearInterval(this.#heartbeat);
    this.#market.close();
    this.disconnectAll();
    this.#sockets.close();
  }

  /** A connection whose peer is gone is noticed by nothing else. */
  #ping(): void {
    for (const client of this.#sockets.clients) {
      if (this.#silent.has(client)) {
        client.terminate();
      } else {
        this.#silent.add(client);
        client.ping();
      }
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const { gateway } = this.#options;
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const isUser = USER_PATH.test(path);
    if (gateway.isClosedForMaintenance) {
      socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n");
    } else if (!isUser && !MARKET_PATH.test(path)) {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
    } else {
      this.#sockets.handleUpgrade(request, socket, head, (client) => this.#accept(client, request, isUser));
    }
  }

  #accept(client: WebSocket, request: IncomingMessage, isUser: boolean): void {
    const { faults, log } = this.#options;
    const connection = new StreamConnection(client, isUser ? "user" : "market", faults, () => {
      this.#cutOff += 1;
      log.warn({ stream: request.url, connections: this.size }, "venue.slow_client_cut_off");
    });
    client.on("pong", () => this.#silent.delete(client));
    client.on("close", () => this.#silent.delete(client));
    client.on("error", (error) => log.debug({ error }, "venue.stream_failed"));
    const ip = addressOf(request.socket);
    if (isUser) this.#user.accept(client, connection, ip);
    else this.#market.accept(client, connection, request.url ?? "/");
  }
}
