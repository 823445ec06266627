/** A fleet's seats over a real etcd: shared, taken over, given back, and left alone where nothing has happened. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { formatSeat } from "../../../src/coordination/fleet-view.ts";
import type { PrivateServer } from "../../support/servers/private-server.ts";
import { describeWithServers } from "../../support/servers/private-server.ts";
import { startEtcd } from "../../support/servers/etcd.ts";
import { FleetLab, until } from "./fleet-lab.ts";

/** Who counts a seat as new gives it no symbol while the test lasts. */
const NEVER_SETTLES = { settleMs: 600_000 } as const;
const SYMBOLS = Array.from({ length: 60 }, (_, index) => `S${index}/USDT`);

describeWithServers(["etcd"], "a fleet over etcd", () => {
  let etcd: PrivateServer;
  let lab: FleetLab;

  beforeAll(async () => {
    [etcd] = (await startEtcd()) as [PrivateServer];
  });
  afterAll(async () => {
    await etcd.stop();
  });
  beforeEach(() => {
    lab = new FleetLab({ etcdPorts: () => [etcd.port], symbols: SYMBOLS });
  });
  afterEach(async () => {
    await lab.close();
  });

  it("shares the symbols among its active instances, and gives a standby nothing", async () => {
    await Promise.all([lab.start("a"), lab.start("b"), lab.start("c"), lab.start("s", { role: "standby" })]);

    await lab.untilShared(["a", "b", "c"]);
  });

  it("lets a standby take the seat of a crashed instance at once, and moves no other symbol", async () => {
    const [a, b] = await Promise.all([lab.start("a"), lab.start("b"), lab.start("c")]);
    const standby = await lab.start("s", { role: "standby" });
    await lab.untilShared(["a", "b", "c"]);
    const before = lab.owners();
    await lab.untilHeard();

    const crashed = performance.now();
    await b.crash();
    await lab.untilShared(["a", "c", "s"]);

    console.log(`taken over ${(performance.now() - crashed).toFixed(0)} ms after the crash`);
    expect(lab.owners()).toEqual({ a: before["a"], c: before["c"], s: before["b"] });
    expect(standby.coordinator.seat).toMatchObject({ how: "crashed", from: "b" });
    expect(a.losses).toEqual([]);
  });

  it("does not wait for the ring to settle where a seat only changes hands", async () => {
    const a = await lab.start("a");
    await lab.untilShared(["a"]);
    const standby = await lab.start("s", { role: "standby", times: NEVER_SETTLES });
    await until(() => standby.events().includes("mesh.heard"));

    await a.crash();
    await lab.untilShared(["s"]);

    expect(standby.coordinator.seat).toMatchObject({ from: "a" });
  });

  it("takes no seat for new that it only did not see yet when it was told to look at the symbols again", async () => {
    const a = await lab.start("a");
    await lab.untilShared(["a"]);
    const standby = await lab.start("s", {
      role: "standby",
      times: NEVER_SETTLES,
      beforeOpen: ({ coordinator }) => coordinator.reassign(),
    });
    await until(() => standby.events().includes("mesh.heard"));

    await a.crash();

    await lab.untilShared(["s"]);
  });

  it("gives a seat to exactly one of several standbys", async () => {
    const a = await lab.start("a");
    await lab.untilShared(["a"]);
    const standbys = await Promise.all(["s1", "s2", "s3"].map((id) => lab.start(id, { role: "standby" })));
    await lab.untilHeard();

    await a.crash();

    await until(() => standbys.some(({ owned }) => owned.size === SYMBOLS.length));
    await until(() => standbys.every(({ coordinator }) => coordinator.view.seats[0]?.from === "a"));
    expect(standbys.filter(({ owned }) => owned.size > 0)).toHaveLength(1);
    expect(standbys.filter(({ coordinator }) => coordinator.seat)).toHaveLength(1);
  });

  it("spreads the symbols of a crashed instance where no standby is", async () => {
    const [a] = await Promise.all([lab.start("a"), lab.start("b"), lab.start("c")]);
    await lab.untilShared(["a", "b", "c"]);
    await lab.untilHeard();

    await a.crash();

    await lab.untilShared(["b", "c"]);
  });

  it("moves nothing where only the link between two healthy instances is cut", async () => {
    const a = await lab.start("a");
    const standby = await lab.start("s", { role: "standby" });
    await lab.untilShared(["a"]);
    await lab.untilHeard();

    a.link.freeze();

    await until(() => standby.events().includes("suspicion.refuted"));
    expect(a.events()).toContain("suspicion.challenged");
    expect(a.coordinator.seat).toMatchObject({ how: "new" });
    expect(a.losses).toEqual([]);
    a.link.mend();
    await lab.untilShared(["a"]);
  });

  it("takes the seat of an instance that neither beats nor refutes; it comes back as a standby", async () => {
    const a = await lab.start("a");
    const standby = await lab.start("s", { role: "standby" });
    await lab.untilShared(["a"]);
    await lab.untilHeard();

    const frozen = performance.now();
    a.link.freeze();
    a.etcdLink.freeze();
    await until(() => standby.owned.size === SYMBOLS.length);
    console.log(`taken over ${(performance.now() - frozen).toFixed(0)} ms after the silence began`);
    a.link.mend();
    a.etcdLink.mend();

    await until(() => a.losses.length > 0, 15_000);
    expect(a.coordinator.role).toBe("standby");
    expect(a.coordinator.permit.isValid()).toBe(false);
    expect(standby.coordinator.seat).toMatchObject({ how: "suspected", from: "a" });
    await lab.untilShared(["s"]);
  });

  it("lets a restarted instance have its own seat again, and ends one whose id another has taken", async () => {
    const a = await lab.start("a");
    await lab.untilShared(["a"]);
    await a.crash();

    // It may look at what is assigned once more before the other has its seat.
    const again = await lab.start("a", { failed: ({ coordinator }) => coordinator.reassign() });
    await lab.untilShared(["a"]);
    expect(again.coordinator.seat).toMatchObject({ number: 1, how: "returned" });

    await lab.start("a");
    await until(() => again.failures.length > 0);
    expect(String(again.failures[0])).toContain('another process has registered as instance "a"');
    expect(again.owned.size).toBe(0);
  });

  it("drains an instance: the others get its symbols, its seat goes last", async () => {
    const a = await lab.start("a");
    await Promise.all([lab.start("b"), lab.start("c")]);
    await lab.untilShared(["a", "b", "c"]);

    await a.coordinator.drain();
    await lab.untilShared(["b", "c"]);
    expect(a.coordinator.seat).toMatchObject({ state: "leaving" });
    await a.coordinator.leave();

    expect(a.coordinator.view.seats).toHaveLength(2);
    expect(a.losses).toEqual([]);
  });

  it("lets exactly one standby step in when the last active instance drains, which stands by when it is back", async () => {
    const a = await lab.start("a");
    await lab.untilShared(["a"]);
    const standbys = await Promise.all(["s1", "s2"].map((id) => lab.start(id, { role: "standby" })));

    await a.coordinator.drain();
    await until(() => standbys.some(({ owned }) => owned.size === SYMBOLS.length));
    expect(a.coordinator.seat).toMatchObject({ state: "leaving" });
    await a.coordinator.leave();
    await a.close();
    const again = await lab.start("a");
    // It has looked at the seats by the time it hears others.
    await until(() => again.events().includes("mesh.heard"));

    expect(again.coordinator.view.seats).toMatchObject([{ state: "held", how: "drained", from: "a" }]);
    const owners = [again, ...standbys].filter(({ owned }) => owned.size > 0);
    expect(owners.map(({ coordinator }) => coordinator.seat?.from)).toEqual(["a"]);
  });

  it("tells an instance whose seat was taken over at the moment of its drain that it has lost everything", async () => {
    const a = await lab.start("a");
    await lab.untilShared(["a"]);
    const standby = await lab.start("s", { role: "standby" });
    const { coordinator } = standby;
    const key = coordinator.keys.seat(1);
    const value = formatSeat({ holder: coordinator.me, state: "held", how: "suspected", from: "a" });

    a.etcdLink.freeze();
    expect(await coordinator.write([], [{ kind: "put", key, value }])).toBe(true);
    // It may get no answer in time: what it sees of the seat later is the same.
    const draining = a.coordinator.drain().catch(() => undefined);
    a.etcdLink.mend();
    await draining;

    await until(() => a.losses.length > 0);
    await lab.untilShared(["s"]);
  });
});
