/** A private etcd cluster of a test's own. */
import type { IOptions } from "etcd3";
import { Etcd3 } from "etcd3";
import type { Identity } from "../certificates.ts";
import type { PrivateServer } from "./private-server.ts";
import { findProgram, freePort, serverFolder, startServer } from "./private-server.ts";

export interface EtcdOptions {
  /** Clients must show a certificate of its authority. */
  readonly tls?: Identity | undefined;
  /** Further options of the program's own; they win. */
  readonly more?: readonly string[];
}

/** Starts a cluster of `size` nodes on the loopback interface; `port` of each is its client port. */
export async function startEtcd(
  size: 1 | 3 = 1,
  { tls, more = [] }: EtcdOptions = {},
): Promise<readonly PrivateServer[]> {
  const names = Array.from({ length: size }, (_, index) => `n${index + 1}`);
  const clientPorts = await Promise.all(names.map(freePort));
  const peerPorts = await Promise.all(names.map(freePort));
  const urlOf = (ports: readonly number[], index: number): string => `http://127.0.0.1:${ports[index] ?? 0}`;
  const cluster = names.map((name, index) => `${name}=${urlOf(peerPorts, index)}`).join(",");
  return Promise.all(
    names.map(async (name, index) => {
      const folder = serverFolder("etcd");
      const client = urlOf(clientPorts, index).replace("http:", tls ? "https:" : "http:");
      const peer = urlOf(peerPorts, index);
      return startServer({
        command: findProgram("etcd") ?? "etcd",
        args: [
          ["--name", name, "--data-dir", `${folder}/data`],
          ["--listen-client-urls", client, "--advertise-client-urls", client],
          ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
          ["--initial-cluster", cluster, "--heartbeat-interval", "50", "--election-timeout", "500"],
          tls ? ["--client-cert-auth", "--trusted-ca-file", tls.files.ca] : [],
          tls ? ["--cert-file", tls.files.certificate, "--key-file", tls.files.key] : [],
          more,
        ].flat(),
        port: clientPorts[index] ?? 0,
        folder,
        isReady: async () => {
          const etcd = new Etcd3({ hosts: client, ...(tls ? { credentials: credentialsOf(tls) } : {}) });
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

function credentialsOf({ pem }: Identity): NonNullable<IOptions["credentials"]> {
  return {
    rootCertificate: Buffer.from(pem.ca),
    certChain: Buffer.from(pem.certificate),
    privateKey: Buffer.from(pem.key),
  };
}
