/** A fleet whose etcd fails: nobody acts past its permit, and all recover by themselves. */
import { cpSync, rmSync } from "node:fs";
import { Etcd3 } from "etcd3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Mirror } from "../../../src/coordination/mirror.ts";
import { openEtcdStore } from "../../../src/coordination/etcd-store.ts";
import { realClock } from "../../../src/exchange/sim/real-clock.ts";
import type { KeptLine } from "../../support/kept-log.ts";
import { logInto } from "../../support/kept-log.ts";
import { startEtcd } from "../../support/servers/etcd.ts";
import { LinkProxy } from "../../support/servers/link-proxy.ts";
import type { PrivateServer } from "../../support/servers/private-server.ts";
import { describeWithServers } from "../../support/servers/private-server.ts";
import { FleetLab, until } from "./fleet-lab.ts";

const SYMBOLS = Array.from({ length: 20 }, (_, index) => `S${index}/USDT`);
const LEASE_MS = 3000;

describeWithServers(["etcd"], "a fleet whose etcd fails", () => {
  let nodes: readonly PrivateServer[];
  let lab: FleetLab;

  const open = async (size: 1 | 3): Promise<void> => {
    nodes = await startEtcd(size);
    const symbols = SYMBOLS;
    lab = new FleetLab({
      etcdPorts: () => nodes.map(({ port }) => port),
      symbols,
      times: { leaseTtlMs: LEASE_MS },
    });
  };
  afterEach(async () => {
    await lab.close();
    await Promise.all(nodes.map((node) => node.stop()));
  });

  it("goes on over the death of each member in turn: no seat is lost, and a new instance still gets one", async () => {
    await open(3);
    const [a, b] = await Promise.all([lab.start("a"), lab.start("b")]);
    await lab.untilShared(["a", "b"]);

    for (const node of nodes) {
      await node.crash();
      await a.coordinator.refresh();
      await until(() => a.coordinator.permit.isValid() && b.coordinator.permit.isValid(), 15_000);
      await node.restart();
    }

    await lab.start("c");
    await lab.untilShared(["a", "b", "c"], 15_000);
    expect([...a.losses, ...b.losses]).toEqual([]);
  });

  it("ends every permit before the lease while the whole cluster is down, and recovers without a second owner", async () => {
    await open(1);
    const [a, b] = await Promise.all([lab.start("a"), lab.start("b")]);
    await lab.untilShared(["a", "b"]);
    const before = lab.owners();

    const down = performance.now();
    await Promise.all(nodes.map((node) => node.crash()));
    let lastValid = down;
    await until(() => {
      const isValid = [a, b].some(({ coordinator }) => coordinator.permit.isValid());
      if (isValid) lastValid = performance.now();
      return !isValid;
    });
    expect(lastValid - down).toBeLessThan(LEASE_MS);
    await Promise.all(nodes.map((node) => node.restart()));

    await until(() => a.coordinator.permit.isValid() && b.coordinator.permit.isValid(), 15_000);
    await lab.untilShared(["a", "b"], 15_000);
    expect(lab.owners()).toEqual(before);
  });

  it("goes on where etcd was restored to a state of before its instances", async () => {
    await open(1);
    const [node] = nodes as [PrivateServer];
    const copy = await keepCopy(node);
    const [a, b] = await Promise.all([lab.start("a"), lab.start("b")]);
    await lab.untilShared(["a", "b"]);
    // What is written after the restore stays below: who looks late finds as well that revisions begin anew.
    await raiseRevision(node);
    await Promise.all([a, b].map(({ coordinator }) => coordinator.refresh()));

    await restore(node, copy);

    const mayAct = (one: typeof a): boolean =>
      one.events().includes("coordination.store_restored") && one.coordinator.permit.isValid();
    await until(() => mayAct(a) && mayAct(b), 15_000);
    await lab.untilShared(["a", "b"], 15_000);
  });

  it("registers anew where its lease has expired behind its back", async () => {
    await open(1);
    const a = await lab.start("a");
    await lab.untilShared(["a"]);

    a.etcdLink.freeze();
    await until(() => a.etcdEntries() === 0, 15_000);
    expect(a.coordinator.permit.isValid()).toBe(false);
    a.etcdLink.mend();

    await until(() => a.coordinator.permit.isValid(), 15_000);
    await lab.untilShared(["a"]);
    // By its next renewal or by the watch, whichever came first.
    expect(a.events().join()).toMatch(/coordination\.(lease_expired|registration_lost)/);
  });
});

describeWithServers(["etcd"], "the copy of etcd's keys", () => {
  let node: PrivateServer;
  let link: LinkProxy;
  let etcd: Etcd3;

  beforeEach(async () => {
    [node] = (await startEtcd()) as [PrivateServer];
    link = await LinkProxy.open(() => node.port);
    etcd = new Etcd3({ hosts: `http://127.0.0.1:${node.port}` });
  });
  afterEach(async () => {
    etcd.close();
    await link.close();
    await node.stop();
  });

  const mirrorOf = async (work: (mirror: Mirror) => Promise<void>): Promise<void> => {
    const store = openEtcdStore({ hosts: [`http://127.0.0.1:${link.port}`], limitMs: 500 });
    const lines: KeptLine[] = [];
    const mirror = new Mirror({
      store,
      prefix: "/m/",
      clock: realClock,
      log: logInto(lines),
      // Far away: what is found here was found by the watch, or by the listing after its end.
      listIntervalMs: 3_600_000,
      changed: () => undefined,
    });
    await mirror.open();
    try {
      await work(mirror);
    } finally {
      await mirror.close();
      store.close();
    }
  };
  const valueOf = (mirror: Mirror, key: string): string | undefined => mirror.entries.get(key)?.value;

  describe("follows every change", () => {
    it("over a connection that drops twice in a row while keys are written", async () => {
      await mirrorOf(async (mirror) => {
        for (let round = 1; round <= 10; round += 1) {
          link.drop();
          await etcd.put("/m/a").value(`first ${round}`);
          link.drop();
          await etcd.put("/m/b").value(`second ${round}`);
          await until(() => valueOf(mirror, "/m/a") === `first ${round}`);
          await until(() => valueOf(mirror, "/m/b") === `second ${round}`);
        }
      });
    });

    it("over a compaction of what it has not seen", async () => {
      await etcd.put("/m/gone").value("soon");
      await mirrorOf(async (mirror) => {
        expect(valueOf(mirror, "/m/gone")).toBe("soon");
        link.freeze();
        await etcd.delete().key("/m/gone");
        for (let index = 0; index < 20; index += 1) await etcd.put("/m/a").value(String(index));
        const { header } = await etcd.kv.range({ key: Buffer.from("/m/a") });
        await etcd.kv.compact({ revision: header.revision, physical: true });
        link.mend();

        await until(() => valueOf(mirror, "/m/a") === "19", 20_000);
        expect(valueOf(mirror, "/m/gone")).toBeUndefined();
      });
    });

    it("over a restart of the server", async () => {
      await mirrorOf(async (mirror) => {
        await node.restart();
        await etcd.put("/m/a").value("after");

        await until(() => valueOf(mirror, "/m/a") === "after", 15_000);
      });
    });

    it("over a restore of an older state, whose revisions begin again below those that were seen", async () => {
      await etcd.put("/m/a").value("old");
      await etcd.put("/m/deleted later").value("there");
      const copy = await keepCopy(node);
      await mirrorOf(async (mirror) => {
        for (let index = 0; index < 20; index += 1) await etcd.put("/m/a").value(String(index));
        await etcd.put("/m/b").value("forgotten");
        await etcd.delete().key("/m/deleted later");
        await until(() => valueOf(mirror, "/m/b") === "forgotten" && mirror.entries.size === 2);

        await restore(node, copy);

        await until(() => valueOf(mirror, "/m/a") === "old", 15_000);
        expect([valueOf(mirror, "/m/b"), valueOf(mirror, "/m/deleted later")]).toEqual([undefined, "there"]);
        await etcd.put("/m/a").value("after");
        await until(() => valueOf(mirror, "/m/a") === "after", 15_000);
      });
    });
  });
});

/** Keeps what the node has stored by now. */
async function keepCopy(node: PrivateServer): Promise<string> {
  const copy = `${node.folder}/copy`;
  await node.crash();
  cpSync(`${node.folder}/data`, copy, { recursive: true });
  await node.restart();
  return copy;
}

/** Writes more often than the instances do in a test. */
async function raiseRevision({ port }: PrivateServer): Promise<void> {
  const etcd = new Etcd3({ hosts: `http://127.0.0.1:${port}` });
  for (let times = 0; times < 200; times += 1) await etcd.put("noise").value(times);
  etcd.close();
}

/** Brings back what was kept, as an operator does from a backup: revisions begin again where they were then. */
async function restore(node: PrivateServer, copy: string): Promise<void> {
  const data = `${node.folder}/data`;
  await node.crash();
  rmSync(data, { recursive: true });
  cpSync(copy, data, { recursive: true });
  await node.restart();
}
