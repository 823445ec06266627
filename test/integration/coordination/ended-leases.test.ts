/**
 * Registrations that etcd ends although their leases were renewed, as a leader does that wakes from a freeze
 * (etcd-io/etcd#15247): who lives registers anew by itself, and nothing has two owners.
 */
import { rmSync } from "node:fs";
import { Etcd3 } from "etcd3";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { holderName } from "../../../src/coordination/fleet-view.ts";
import { SeatClaims } from "../../../src/coordination/seat-claims.ts";
import { realClock } from "../../../src/exchange/sim/real-clock.ts";
import { createStorage } from "../../../src/storage/create-storage.ts";
import { parseDsn } from "../../../src/storage/dsn.ts";
import { startEtcd } from "../../support/servers/etcd.ts";
import type { PrivateServer } from "../../support/servers/private-server.ts";
import { describeWithServers, serverFolder } from "../../support/servers/private-server.ts";
import { sampleBot } from "../../contract/storage-samples.ts";
import type { LabInstance } from "./fleet-lab.ts";
import { FleetLab, until } from "./fleet-lab.ts";

const SYMBOLS = ["BTC/USDT", ...Array.from({ length: 19 }, (_, index) => `S${index}/USDT`)];
const GENEROUS_MS = 15_000;
const TIMES = {
  // The next renewal is far away: what is noticed here, the watch has told.
  leaseTtlMs: 60_000,
  listIntervalMs: 60_000,
  // A busy machine may keep a living instance waiting; how long one may is not judged here.
  silenceMs: 3000,
  refuteMs: 2000,
};

describeWithServers(["etcd"], "an etcd that ends leases that were renewed", () => {
  let nodes: readonly PrivateServer[];
  let etcd: Etcd3;
  let lab: FleetLab;

  beforeAll(async () => {
    nodes = await startEtcd(3);
    etcd = new Etcd3({ hosts: nodes.map(({ port }) => `http://127.0.0.1:${port}`) });
  });
  afterAll(async () => {
    etcd.close();
    await Promise.all(nodes.map((node) => node.stop()));
  });
  beforeEach(() => {
    // Over one member, so that one link cuts an instance off.
    lab = new FleetLab({ etcdPorts: () => [nodes[0]?.port ?? 0], symbols: SYMBOLS, times: TIMES });
  });
  afterEach(async () => {
    await lab.close();
  });

  const registration = (id: string): string => `${lab.prefix}instances/${id}`;
  /** Ends the leases of these instances behind their backs, as the leader does. */
  const endLeases = async (...instances: readonly LabInstance[]): Promise<void> => {
    const leases = instances.map(async ({ id }) => {
      const { kvs } = await etcd.kv.range({ key: Buffer.from(registration(id)) });
      return kvs[0]?.lease ?? "0";
    });
    await Promise.all((await Promise.all(leases)).map((ID) => etcd.leaseClient.leaseRevoke({ ID })));
  };
  const untilRegistered = async (...instances: readonly LabInstance[]): Promise<void> =>
    until(
      () =>
        instances.every(
          ({ coordinator: { view, permit, me } }) => view.members.has(me.id) && permit.isValid(),
        ),
      GENEROUS_MS,
    );

  it("costs nobody a seat: all register anew, and go on with the symbols that they had", async () => {
    const [a, b] = await Promise.all([lab.start("a"), lab.start("b")]);
    const standby = await lab.start("s", { role: "standby" });
    await lab.untilShared(["a", "b"]);
    await lab.untilHeard();
    const before = lab.owners();
    const seats = a.coordinator.view.seats;

    await endLeases(a, b, standby);

    await until(() =>
      [a, b, standby].every(({ events }) => events().includes("coordination.registration_lost")),
    );
    await untilRegistered(a, b);
    await until(() => a.coordinator.view.members.size === 3);
    expect(a.coordinator.view.seats).toEqual(seats);
    expect(lab.owners()).toEqual(before);
    expect([...a.losses, ...b.losses]).toEqual([]);
  });

  it("costs the only instance nothing, also where its key goes and its lease stays", async () => {
    const a = await lab.start("a");
    await lab.untilShared(["a"]);

    await etcd.delete().key(registration("a"));
    await until(() => a.events().includes("coordination.registration_lost"));
    await untilRegistered(a);

    expect(a.owned.size).toBe(SYMBOLS.length);
    expect(await etcd.get(registration("a")).string()).toContain(a.coordinator.me.incarnation);
  });

  it("lets nobody act who is not registered", async () => {
    const a = await lab.start("a");
    await lab.untilShared(["a"]);
    const acting: boolean[] = [];
    const looking = setInterval(() => {
      if (!a.coordinator.view.members.has("a")) acting.push(a.coordinator.permit.isValid());
    }, 1);

    await endLeases(a);
    await until(() => a.events().includes("coordination.registration_lost"));
    await untilRegistered(a);
    clearInterval(looking);

    expect(acting).not.toContain(true);
  });

  it("does not leave a fleet without a seat where two who do not hear each other lose their leases", async () => {
    const beforeOpen = ({ link }: LabInstance): void => link.freeze();
    const [a, b] = await Promise.all([lab.start("a", { beforeOpen }), lab.start("b", { beforeOpen })]);
    await lab.untilShared(["a", "b"]);

    const losses = ({ events }: LabInstance): number =>
      events().filter((event) => event === "coordination.registration_lost").length;

    for (let round = 1; round <= 3; round += 1) {
      await endLeases(a, b);
      await until(() => [a, b].every((one) => losses(one) === round), GENEROUS_MS);
      await until(
        () => [a, b].every(({ coordinator: { view, me } }) => view.members.has(me.id)),
        GENEROUS_MS,
      );
      await until(() => a.owned.size + b.owned.size === SYMBOLS.length, GENEROUS_MS);
    }

    expect(new Set([...a.owned, ...b.owned]).size).toBe(SYMBOLS.length);
  });

  it("gives the only instance a seat again where its seat was deleted", async () => {
    const a = await lab.start("a");
    await lab.untilShared(["a"]);

    await etcd.delete().prefix(`${lab.prefix}seats/`);
    await until(() => a.losses.length === 1);

    await until(() => a.owned.size === SYMBOLS.length, GENEROUS_MS);
    expect(a.coordinator.role).toBe("active");
    expect(a.coordinator.permit.isValid()).toBe(true);
  });

  it("replaces one that cannot register again, whose writes are refused from then on though its permit lasts", async () => {
    const folder = serverFolder("claims");
    const storage = await createStorage(parseDsn(`${folder}/claims.db`, "sqlite"));
    const deskOf = ({ coordinator }: LabInstance): SeatClaims =>
      new SeatClaims(storage, holderName(coordinator.me), realClock, {
        permit: coordinator.permit,
        owns: (symbol) => coordinator.assigned.has(symbol),
        hasSeat: (holder) => coordinator.hasSeat(holder),
      });
    const { signal } = new AbortController();
    const bot = sampleBot();
    const a = await lab.start("a");
    const standby = await lab.start("s", { role: "standby" });
    await lab.untilShared(["a"]);
    await lab.untilHeard();
    const claim = await deskOf(a).take(bot.market, signal);

    a.etcdLink.freeze();
    await endLeases(a);
    await until(() => standby.owned.size === SYMBOLS.length, GENEROUS_MS);
    const next = await deskOf(standby).take(bot.market, signal);

    expect(a.coordinator.permit.isValid()).toBe(true);
    expect(await storage.createBot(claim, bot)).toBe("stale");
    expect(next).toMatchObject({ epoch: claim.epoch + 1, holder: holderName(standby.coordinator.me) });
    a.etcdLink.mend();
    await until(() => a.losses.length === 1, GENEROUS_MS);
    await lab.untilShared(["s"]);
    expect(a.coordinator.role).toBe("standby");
    await storage.close();
    rmSync(folder, { recursive: true });
  });
});
