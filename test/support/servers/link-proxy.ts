/** A TCP link of a test's own between a client and a server: it can be cut, frozen and mended. */
import { once } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";
import { connect, createServer } from "node:net";

export class LinkProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isFrozen = false;
  /** How many connections were made. */
  connections = 0;

  private constructor(target: () => number) {
    this.#server = createServer((client) => {
      this.connections += 1;
      const server = connect(target(), "127.0.0.1");
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(from);
        from.on("error", () => from.destroy());
        from.on("data", (chunk) => {
          // What arrives while the link is frozen is lost, as it is on a cut cable.
          if (!this.#isFrozen) to.write(chunk);
        });
        from.once("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  /** A link to the port that `target` gives at each connection. */
  static async open(target: () => number): Promise<LinkProxy> {
    const proxy = new LinkProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Nothing passes any more, and nobody is told. */
  freeze(): void {
    this.#isFrozen = true;
  }

  mend(): void {
    this.#isFrozen = false;
    this.drop();
  }

  /** Ends every connection; new ones are taken at once. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.drop();
    this.#server.close();
    await once(this.#server, "close");
  }
}
