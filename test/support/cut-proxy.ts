/** A TCP proxy that passes one statement on and cuts the connection before its answer. */
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

export interface CutProxy {
  readonly port: number;
  /** From now on the next packet with `text` in it is passed on, and nothing after it in either direction. */
  cutAfter(text: string): void;
  /** Resolves once nobody is connected. */
  left(): Promise<void>;
  close(): Promise<void>;
}

export async function startCutProxy(target: number): Promise<CutProxy> {
  const sockets = new Set<Socket>();
  let armed: string | undefined;
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => sockets.delete(socket));
    }
    upstream.pipe(client);
    client.on("data", (chunk) => {
      upstream.write(chunk);
      if (armed === undefined || !chunk.includes(armed)) return;
      armed = undefined;
      upstream.unpipe(client);
      upstream.once("data", () => upstream.destroy());
      client.destroy();
    });
    client.once("end", () => upstream.end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    cutAfter: (text) => {
      armed = text;
    },
    left: async () => {
      for (const socket of sockets) if (!socket.closed) await once(socket, "close");
    },
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
