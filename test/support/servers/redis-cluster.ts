/** A private Redis Cluster, and a private Redis that Sentinel watches over. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import type { PrivateServer } from "./private-server.ts";
import { findProgram, freePort, serverFolder, startServer } from "./private-server.ts";
import { answersPing, startRedis } from "./redis.ts";

/** Three masters that share the slots; resolves once all of them agree. */
export async function startRedisCluster(): Promise<readonly PrivateServer[]> {
  const servers = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const bus = await freePort();
      return startRedis([
        ...["--cluster-enabled", "yes", "--cluster-port", String(bus), "--cluster-node-timeout", "2000"],
        ...["--cluster-require-full-coverage", "no"],
      ]);
    }),
  );
  const clients = servers.map(({ port }) => new Redis(port, "127.0.0.1"));
  try {
    for (const [index, client] of clients.entries()) {
      const first = Math.ceil((16_384 * index) / clients.length);
      const last = Math.ceil((16_384 * (index + 1)) / clients.length) - 1;
      await client.call("CLUSTER", "ADDSLOTSRANGE", first, last);
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
    }
    for (const other of clients.slice(1)) {
      const bus = /@(\d+)/.exec(String(await other.cluster("NODES")))?.[1] ?? "";
      await clients[0]?.call("CLUSTER", "MEET", "127.0.0.1", String(other.options.port), bus);
    }
    const isWhole = async (client: Redis): Promise<boolean> => {
      const info = String(await client.cluster("INFO"));
      return info.includes("cluster_state:ok") && info.includes("cluster_slots_ok:16384");
    };
    while (!(await Promise.all(clients.map(isWhole))).every(Boolean)) await delay(25);
  } finally {
    for (const client of clients) client.disconnect();
  }
  return servers;
}

export interface WatchedRedis {
  readonly master: PrivateServer;
  readonly replica: PrivateServer;
  readonly sentinels: readonly PrivateServer[];
  readonly masterName: string;
  stop(): Promise<void>;
}

/** A master with one replica and three Sentinels that take 500 ms of silence for death. */
export async function startWatchedRedis(): Promise<WatchedRedis> {
  const masterName = "mymaster";
  const master = await startRedis(["--repl-diskless-sync-delay", "0"]);
  const replica = await startRedis([
    ...["--replicaof", "127.0.0.1", String(master.port)],
    ...["--repl-diskless-sync-delay", "0"],
  ]);
  const sentinels = await Promise.all(
    Array.from({ length: 3 }, () => startSentinel(masterName, master.port)),
  );
  const knows = async ({ port }: PrivateServer): Promise<boolean> => {
    const sentinel = new Redis(port, "127.0.0.1");
    sentinel.on("error", () => undefined);
    try {
      const told = (await sentinel.call("SENTINEL", "MASTER", masterName)) as string[];
      const of = (name: string): string | undefined => told[told.indexOf(name) + 1];
      return of("num-slaves") === "1" && of("num-other-sentinels") === "2";
    } finally {
      sentinel.disconnect();
    }
  };
  while (!(await Promise.all(sentinels.map(knows))).every(Boolean)) await delay(50);
  return {
    master,
    replica,
    sentinels,
    masterName,
    stop: async () => {
      await Promise.all([...sentinels, master, replica].map((server) => server.stop()));
    },
  };
}

async function startSentinel(masterName: string, masterPort: number): Promise<PrivateServer> {
  const port = await freePort();
  const folder = serverFolder("sentinel");
  const file = join(folder, "sentinel.conf");
  writeFileSync(
    file,
    `port ${port}
bind 127.0.0.1
dir ${folder}
sentinel monitor ${masterName} 127.0.0.1 ${masterPort} 2
sentinel down-after-milliseconds ${masterName} 500
sentinel failover-timeout ${masterName} 5000
`,
  );
  return startServer({
    command: findProgram("redis-server") ?? "redis-server",
    args: [file, "--sentinel"],
    port,
    folder,
    isReady: async () => answersPing(port),
  });
}
