/** A private etcd cluster of a test's own. */
import { Etcd3 } from "etcd3";
import type { PrivateServer } from "./private-server.ts";
import { findProgram, freePort, serverFolder, startServer } from "./private-server.ts";

/** Starts a cluster of `size` nodes on the loopback interface; `port` of each is its client port. */
export async function startEtcd(size: 1 | 3 = 1): Promise<readonly PrivateServer[]> {
  const names = Array.from({ length: size }, (_, index) => `n${index + 1}`);
  const clientPorts = await Promise.all(names.map(freePort));
  const peerPorts = await Promise.all(names.map(freePort));
  const urlOf = (ports: readonly number[], index: number): string => `http://127.0.0.1:${ports[index] ?? 0}`;
  const cluster = names.map((name, index) => `${name}=${urlOf(peerPorts, index)}`).join(",");
  return Promise.all(
    names.map(async (name, index) => {
      const folder = serverFolder("etcd");
      const client = urlOf(clientPorts, index);
      const peer = urlOf(peerPorts, index);
      return startServer({
        command: findProgram("etcd") ?? "etcd",
        args: [
          ["--name", name, "--data-dir", `${folder}/data`],
          ["--listen-client-urls", client, "--advertise-client-urls", client],
          ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
          ["--initial-cluster", cluster, "--heartbeat-interval", "50", "--election-timeout", "500"],
        ].flat(),
        port: clientPorts[index] ?? 0,
        folder,
        isReady: async () => {
          const etcd = new Etcd3({ hosts: client });
          try {
            await etcd.get("ready").string();
            return true;
          } finally {
            etcd.close();
          }
        },
      });
    }),
  );
}
