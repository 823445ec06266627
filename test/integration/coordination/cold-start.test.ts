/** 2,000 symbols over four instances from a cold start: how long until each is claimed, and what etcd writes. */
import { setMaxListeners } from "node:events";
import { Etcd3 } from "etcd3";
import { afterAll, beforeAll, expect, it } from "vitest";
import { holderName } from "../../../src/coordination/fleet-view.ts";
import { SeatClaims } from "../../../src/coordination/seat-claims.ts";
import { realClock } from "../../../src/exchange/sim/real-clock.ts";
import { createStorage } from "../../../src/storage/create-storage.ts";
import { parseDsn } from "../../../src/storage/dsn.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { startEtcd } from "../../support/servers/etcd.ts";
import { startPostgres } from "../../support/servers/postgres.ts";
import type { DatabaseServer } from "../../support/servers/database-server.ts";
import type { PrivateServer } from "../../support/servers/private-server.ts";
import { describeWithServers } from "../../support/servers/private-server.ts";
import { FleetLab, until } from "./fleet-lab.ts";

const SYMBOLS = Array.from({ length: 2000 }, (_, index) => `S${index}/USDT`);
const INSTANCES = ["a", "b", "c", "d"];

describeWithServers(["etcd", "postgres"], "2,000 symbols over four instances", () => {
  let nodes: readonly PrivateServer[];
  let database: DatabaseServer;
  let lab: FleetLab;
  let storages: readonly Storage[];

  beforeAll(async () => {
    [nodes, database] = await Promise.all([startEtcd(3), startPostgres()]);
    const address = parseDsn(await database.createDatabase(), "postgres");
    storages = await Promise.all(INSTANCES.map(async () => createStorage(address)));
    lab = new FleetLab({ etcdPorts: () => nodes.map(({ port }) => port), symbols: SYMBOLS });
  });
  afterAll(async () => {
    await lab.close();
    for (const storage of storages) await storage.close();
    await database.stop();
    await Promise.all(nodes.map((node) => node.stop()));
  });

  it("are assigned and claimed within 10 seconds, with a handful of writes to etcd", async () => {
    const etcd = new Etcd3({ hosts: nodes.map(({ port }) => `http://127.0.0.1:${port}`) });
    const revision = async (): Promise<number> =>
      Number((await etcd.kv.range({ key: Buffer.from("x") })).header.revision);
    const before = await revision();

    const started = performance.now();
    const instances = await Promise.all(INSTANCES.map((id) => lab.start(id)));
    await lab.untilShared(INSTANCES, 30_000);
    const assignedMs = performance.now() - started;
    const stopping = new AbortController();
    // Each symbol waits on it for its claim, and leaves it when it has one.
    setMaxListeners(SYMBOLS.length, stopping.signal);
    const claims = await Promise.all(
      instances.flatMap(({ coordinator, owned }, index) => {
        const storage = storages[index] as Storage;
        const desk = new SeatClaims(storage, holderName(coordinator.me), realClock, {
          permit: coordinator.permit,
          owns: (symbol) => coordinator.assigned.has(symbol),
          hasSeat: (holder) => coordinator.hasSeat(holder),
        });
        return [...owned].map(async (symbol) =>
          desk.take({ exchange: "binance", account: "main", symbol }, stopping.signal),
        );
      }),
    );
    const claimedMs = performance.now() - started;
    const writes = (await revision()) - before;
    etcd.close();

    console.log(
      `2,000 symbols: assigned after ${assignedMs.toFixed(0)} ms, claimed after ${claimedMs.toFixed(0)} ms; ` +
        `etcd: ${writes} writes, ${((1000 * writes) / claimedMs).toFixed(1)} per second`,
    );
    expect(new Set(claims.map(({ market }) => market.symbol)).size).toBe(SYMBOLS.length);
    expect(claims.every(({ epoch }) => epoch === 1)).toBe(true);
    expect(claimedMs).toBeLessThan(10_000);
    expect(writes).toBeLessThan(50);
    await until(() => instances.every(({ losses }) => losses.length === 0));
  });
});
