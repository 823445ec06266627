/** A TCP proxy that can keep back what a server answers, and hand it over later. */
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** From now on answers are kept; requests still pass. */
  hold(): void;
  /** Hands over what was kept, and everything from then on. */
  deliver(): void;
  stop(): Promise<void>;
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const kept: (() => void)[] = [];
  let isHolding = false;
  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => socket.destroy());
    }
    client.on("data", (data) => target.write(data));
    client.on("end", () => target.end());
    target.on("data", (data) => {
      if (isHolding) kept.push(() => client.write(data));
      else client.write(data);
    });
    target.on("end", () => client.end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    hold: () => {
      isHolding = true;
    },
    deliver: () => {
      isHolding = false;
      for (const hand of kept.splice(0)) hand();
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
