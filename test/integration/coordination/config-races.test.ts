/** The fleet's config in a real etcd: several who write or decide at once, and one that dies while it decides. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { CentreState } from "../../../src/coordination/config-centre.ts";
import { ConfigCentre, inForce } from "../../../src/coordination/config-centre.ts";
import { openEtcdStore } from "../../../src/coordination/etcd-store.ts";
import type { KeyEvent, KeyStore } from "../../../src/coordination/key-store.ts";
import type { CanaryReport, RollOutPlan } from "../../../src/coordination/roll-out.ts";
import { RollOutGuard } from "../../../src/coordination/roll-out-guard.ts";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import { realClock } from "../../../src/exchange/sim/real-clock.ts";
import { logInto } from "../../support/kept-log.ts";
import { startEtcd } from "../../support/servers/etcd.ts";
import type { PrivateServer } from "../../support/servers/private-server.ts";
import { describeWithServers } from "../../support/servers/private-server.ts";
import { until } from "./fleet-lab.ts";

const BY = { at: 1, by: "ann" };

describeWithServers(["etcd"], "the config of a fleet in etcd", () => {
  let etcd: readonly PrivateServer[];
  let stores: KeyStore[];
  let fleet = 0;

  const openStore = (): KeyStore => {
    const store = openEtcdStore({ hosts: etcd.map(({ port }) => `http://127.0.0.1:${port}`), limitMs: 5000 });
    stores.push(store);
    return store;
  };
  const openCentre = (): ConfigCentre => new ConfigCentre(openStore(), `fleet-${fleet}`);
  const CANARY: RollOutPlan = {
    percent: 10,
    windowMs: 100,
    maxErrors: 0,
    maxHalted: 0,
    isAutomatic: true,
    stoppedBefore: [],
    by: "ann",
    at: 1,
  };
  const shared = (value: number) => ({ trading: { reconcile_interval: String(value) } });
  /** A fleet on version 1 whose version 2 is tried by some. */
  const startCanary = async (centre: ConfigCentre): Promise<CentreState> => {
    await centre.write(await centre.state(), { ...BY, shared: shared(1) });
    const state = await centre.state();
    await centre.write(state, { ...BY, shared: shared(2) }, CANARY);
    return centre.state();
  };
  const guardOf = (centre: Pick<ConfigCentre, "promote" | "rollBack">, reports: readonly CanaryReport[]) => {
    const counts: string[] = [];
    const guard = new RollOutGuard({
      centre,
      clock: realClock,
      log: logInto([]),
      metrics: {
        count: (name) => counts.push(name),
        gauge: () => undefined,
        observe: () => undefined,
      },
      by: "guard",
      reports: () => reports,
    });
    return { guard, counts };
  };
  const halted: CanaryReport = {
    kind: "running",
    version: 2,
    trading: [],
    stopped: [{ symbol: "A", why: "halted" }],
    errors: 0,
  };

  beforeAll(async () => {
    etcd = await startEtcd();
  }, 60_000);
  afterAll(async () => {
    await Promise.all(etcd.map((server) => server.stop()));
  }, 60_000);
  beforeEach(() => {
    fleet += 1;
    stores = [];
  });
  afterEach(() => {
    for (const store of stores) store.close();
  });

  it("takes one of two versions that operators make from the same one, and nothing of the other", async () => {
    const [one, two] = [openCentre(), openCentre()];
    await one.write(await one.state(), { ...BY, shared: shared(1) });
    const seen = await one.state();

    const written = await Promise.all([
      one.write(seen, { ...BY, shared: shared(10) }),
      two.write(seen, { ...BY, shared: shared(20) }, CANARY),
    ]);

    expect(written.filter(Boolean)).toHaveLength(1);
    const state = await one.state();
    expect(state.versions.map(({ version }) => version)).toEqual([1, 2]);
    expect(state.versions[1]?.shared).toEqual(shared(written[0] ? 10 : 20));
    expect(state.rollOut?.version).toBe(written[0] ? undefined : 2);
  });

  it("takes no version and no roll-back that was made without knowing of a canary's end", async () => {
    const centre = openCentre();
    const seen = await startCanary(centre);
    const [first] = seen.versions;
    if (!first) throw new Error("there is no first version");
    expect(await centre.promote(seen, "one")).toBe(true);

    expect(await centre.write(seen, { ...BY, shared: shared(9) })).toBe(false);
    expect(await centre.rollBack(seen, { to: first, by: "two", at: 1, reason: "late" })).toBe(false);
    expect(await centre.promote(seen, "late")).toBe(false);

    expect((await centre.state()).versions).toEqual(seen.versions);
  });

  it("ends a canary once where one promotes it while another rolls it back", async () => {
    const [one, two] = [openCentre(), openCentre()];
    const seen = await startCanary(one);
    const [first] = seen.versions;
    if (!first) throw new Error("there is no first version");

    const decided = await Promise.all([
      one.promote(seen, "one"),
      two.rollBack(seen, { to: first, by: "two", at: 1, reason: "asked for" }),
    ]);

    expect(decided.filter(Boolean)).toHaveLength(1);
    const state = await two.state();
    expect(state.rollOut?.state.kind).toBe(decided[0] ? "whole" : "rolledBack");
    expect(inForce(state)?.whole.shared).toEqual(shared(decided[0] ? 2 : 1));
    expect(inForce(state)?.canary).toBeUndefined();
    expect(await one.promote(state, "late")).toBe(false);
  });

  it("keeps what it rolls back, and says of the new version what it has from where and why", async () => {
    const centre = openCentre();
    const seen = await startCanary(centre);
    const [first] = seen.versions;
    if (!first) throw new Error("there is no first version");

    await centre.rollBack(seen, { to: first, by: "bob", at: 5, reason: "it halts" });

    const state = await centre.state();
    expect(state.versions).toEqual([
      ...seen.versions,
      { version: 3, at: 5, by: "bob", shared: shared(1), rollBack: { to: 1, reason: "it halts" } },
    ]);
    expect(state.rollOut?.state).toEqual({ kind: "rolledBack", as: 3, by: "bob", reason: "it halts" });
  });

  it("is rolled back once by five instances that see it fail at the same moment", async () => {
    const seen = await startCanary(openCentre());
    const guards = Array.from({ length: 5 }, () => guardOf(openCentre(), [halted]));
    for (const { guard } of guards) guard.follow(seen, ["A"]);

    await Promise.all(guards.map(({ guard }) => guard.check()));

    const { versions } = await openCentre().state();
    expect(versions.map(({ version }) => version)).toEqual([1, 2, 3]);
    expect(guards.flatMap(({ counts }) => counts)).toEqual(["quantmesh_config_rollbacks_total"]);
  });

  it.each(["before", "after"])(
    "is rolled back once where the instance dies right %s it writes that",
    async (when) => {
      const seen = await startCanary(openCentre());
      const centre = openCentre();
      const dying = guardOf(
        {
          promote: async () => false,
          rollBack: async (state, back) => {
            if (when === "after") await centre.rollBack(state, back);
            throw new QuantmeshError("COORDINATION_UNAVAILABLE", "the process died here");
          },
        },
        [halted],
      );
      dying.guard.follow(seen, ["A"]);
      const other = guardOf(openCentre(), [halted]);
      other.guard.follow(seen, ["A"]);

      await dying.guard.check();
      await other.guard.check();
      // It has heard of nothing yet and tries once more.
      await other.guard.check();

      const state = await openCentre().state();
      expect(state.versions.map(({ version }) => version)).toEqual([1, 2, 3]);
      expect(state.rollOut?.state).toMatchObject({ kind: "rolledBack", as: 3 });
      expect(other.counts).toHaveLength(when === "before" ? 1 : 0);
    },
  );

  it("never shows a version without how it is rolled out", async () => {
    const centre = openCentre();
    await centre.write(await centre.state(), { ...BY, shared: shared(0) });
    const seen: string[] = [];
    const stopping = new AbortController();
    const following = openCentre().follow(async (state) => {
      const force = inForce(state);
      seen.push(`${force?.whole.version ?? 0}${force?.canary ? ` ${force.canary.version.version}` : ""}`);
    }, stopping.signal);
    for (let round = 0; round < 5; round += 1) {
      const before = await centre.state();
      await centre.write(before, { ...BY, shared: shared(round) }, CANARY);
      const during = await centre.state();
      const to = inForce(during)?.whole;
      if (!to) throw new Error("nothing is in force");
      await centre.rollBack(during, { to, by: "bob", at: 1, reason: "round" });
    }
    await until(() => seen.at(-1) === "11");
    stopping.abort();
    await following;

    // Odd versions are whole; even ones are tried on top of the one before.
    for (const shown of seen) expect(shown).toMatch(/^(\d*[13579]|1 2|3 4|5 6|7 8|9 10)$/);
  });

  it("is followed also where the watch has fallen silent, as one for revisions that a restore of etcd has taken away", async () => {
    const store = openStore();
    const silent: KeyStore = {
      list: (prefix) => store.list(prefix),
      write: (conditions, writes) => store.write(conditions, writes),
      watch: (prefix, revision, listen, signal) => store.watch(prefix, revision + 1_000_000, listen, signal),
      grantLease: (ttlMs) => store.grantLease(ttlMs),
      keepLease: (id) => store.keepLease(id),
      revokeLease: (id) => store.revokeLease(id),
      timeLeft: (key) => store.timeLeft(key),
      close: () => undefined,
    };
    const seen: number[] = [];
    const stopping = new AbortController();
    const following = new ConfigCentre(silent, `fleet-${fleet}`, 100).watch(
      0,
      async ({ version }) => void seen.push(version),
      stopping.signal,
    );
    const centre = openCentre();
    for (const version of [1, 2]) {
      await centre.write(await centre.state(), { ...BY, shared: shared(version) });
      await until(() => seen.at(-1) === version);
    }
    stopping.abort();
    await following;

    expect(seen).toEqual([1, 2]);
  });

  it("is watched with its deletions told as such", async () => {
    const store = openStore();
    const prefix = `/watched-${fleet}/`;
    const put = await store.write([], [{ kind: "put", key: `${prefix}a`, value: "1" }]);
    const events: KeyEvent[] = [];
    const stopping = new AbortController();
    const watching = store.watch(prefix, put ?? 0, (some) => events.push(...some), stopping.signal);
    const deleted = await store.write([], [{ kind: "delete", key: `${prefix}a` }]);
    await until(() => events.length === 2);
    stopping.abort();
    await watching;

    expect(events).toEqual([
      { kind: "put", entry: { key: `${prefix}a`, value: "1", revision: put } },
      { kind: "deleted", key: `${prefix}a`, revision: deleted },
    ]);
  });
});
