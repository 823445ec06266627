/** Whom an instance believes: heartbeats need the fleet's secret and, encrypted, its authority; so does etcd. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openStore, readPem } from "../../../src/cli/open-store.ts";
import { loadConfig } from "../../../src/config/load-config.ts";
import { openEtcdStore } from "../../../src/coordination/etcd-store.ts";
import type { Identity } from "../../support/certificates.ts";
import { CertificateAuthority } from "../../support/certificates.ts";
import type { PrivateServer } from "../../support/servers/private-server.ts";
import { describeWithServers } from "../../support/servers/private-server.ts";
import { startEtcd } from "../../support/servers/etcd.ts";
import type { LabInstance } from "./fleet-lab.ts";
import { FleetLab, until } from "./fleet-lab.ts";

const SYMBOLS = ["BTC/USDT", "ETH/USDT"];
const GENEROUS_MS = 15_000;

describeWithServers(["etcd"], "a fleet over an etcd that asks for certificates", () => {
  let [ours, theirs]: CertificateAuthority[] = [];
  let identity: Identity;
  let foreign: Identity;
  let etcd: PrivateServer;
  let lab: FleetLab;

  beforeAll(async () => {
    ours = new CertificateAuthority();
    theirs = new CertificateAuthority();
    identity = ours.issue("instance");
    foreign = theirs.issue("stranger");
    [etcd] = (await startEtcd(1, { tls: ours.issue("etcd") })) as [PrivateServer];
  });
  afterAll(async () => {
    await etcd.stop();
    ours?.remove();
    theirs?.remove();
  });
  beforeEach(() => {
    const etcdTls = identity;
    lab = new FleetLab({ etcdPorts: () => [etcd.port], symbols: SYMBOLS, etcdTls });
  });
  afterEach(async () => {
    await lab.close();
  });

  const says = (instance: LabInstance, event: string, what: RegExp): boolean =>
    instance.lines().some((line) => line.event === event && what.test(JSON.stringify(line.fields)));

  /** Whoever is not heard cannot be found dead: only its lease, which is long, could cost it its seat. */
  const expectUnheard = async (a: LabInstance, stranger: LabInstance): Promise<void> => {
    await until(() => stranger.link.connections > 2, GENEROUS_MS);
    await a.crash();
    await until(() => says(stranger, "mesh.not_heard", /ECONNREFUSED|ended|CONNRESET|hang up/), GENEROUS_MS);
    expect(stranger.events()).not.toContain("peer.dead");
    expect(stranger.coordinator.seat).toBeUndefined();
  };

  it("takes a seat over by encrypted heartbeats, where every instance shows a certificate of one authority", async () => {
    const a = await lab.start("a", { tls: identity });
    const standby = await lab.start("s", { role: "standby", tls: identity });
    await lab.untilShared(["a"]);
    await until(() => standby.events().includes("mesh.heard"));

    await a.crash();

    await lab.untilShared(["s"], GENEROUS_MS);
    expect(standby.coordinator.seat).toMatchObject({ how: "crashed", from: "a" });
  });

  describe("believes nothing that it hears, and says why, of an instance", () => {
    it("whose certificate another authority has signed", async () => {
      const a = await lab.start("a", { tls: identity });
      await lab.untilShared(["a"]);

      const stranger = await lab.start("s", { role: "standby", tls: foreign });

      await until(() => says(stranger, "mesh.not_heard", /certificate/), GENEROUS_MS);
      await until(() => says(a, "mesh.not_heard", /certificate/), GENEROUS_MS);
      await expectUnheard(a, stranger);
    });

    it("that does not encrypt", async () => {
      const a = await lab.start("a", { tls: identity });
      await lab.untilShared(["a"]);

      const stranger = await lab.start("s", { role: "standby" });

      await until(() => says(a, "mesh.stranger_refused", /./), GENEROUS_MS);
      await expectUnheard(a, stranger);
    });

    for (const tls of [true, false]) {
      it(`that does not know the fleet's secret, ${tls ? "whatever its certificate" : "without encryption"}`, async () => {
        const start = tls ? { tls: identity } : {};
        const a = await lab.start("a", start);
        await lab.untilShared(["a"]);

        const stranger = await lab.start("s", { ...start, role: "standby", secret: "a guess" });

        await until(() => says(a, "mesh.stranger_refused", /does not know the fleet's secret/), GENEROUS_MS);
        await until(() => says(stranger, "mesh.stranger_refused", /secret/), GENEROUS_MS);
        await expectUnheard(a, stranger);
      });
    }
  });

  it("starts nowhere with a key that is not its certificate's", async () => {
    const mixed = { ...identity, pem: { ...identity.pem, key: foreign.pem.key } };

    await expect(lab.start("a", { tls: mixed })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/^coordination\.tls: .*key/) as string,
    });
  });

  it("opens no etcd whose addresses and files say different things of encryption", async () => {
    const config = await loadConfig("config/quantmesh.yaml");
    const open = async (changes: Partial<typeof config.coordination.etcd>) => {
      const etcd = { ...config.coordination.etcd, ...changes };
      return openStore({ ...config, coordination: { ...config.coordination, etcd } });
    };
    const { ca, certificate } = identity.files;

    await expect(open({ hosts: ["http://127.0.0.1:1"], ca })).rejects.toThrow("ca is set: write https://");
    await expect(open({ hosts: ["https://127.0.0.1:1"], certificate })).rejects.toThrow("only with ca");
  });

  it("names the file that is no PEM file, or cannot be read", async () => {
    await expect(readPem("package.json")).rejects.toThrow("coordination: package.json is no PEM file");
    await expect(readPem("/nowhere.pem")).rejects.toThrow("cannot read the PEM file /nowhere.pem");
    await expect(readPem(identity.files.ca)).resolves.toBe(identity.pem.ca);
  });

  describe("etcd", () => {
    const list = async (tls: Parameters<typeof openEtcdStore>[0]["tls"]) => {
      const store = openEtcdStore({
        hosts: [`https://127.0.0.1:${etcd.port}`],
        limitMs: 3000,
        ...(tls === undefined ? {} : { tls }),
      });
      try {
        return await store.list("/nothing/");
      } finally {
        store.close();
      }
    };

    it("answers who shows a certificate of its authority", async () => {
      await expect(list(identity.pem)).resolves.toMatchObject({ entries: [] });
    });

    it("is not believed where another authority than the given one has signed its certificate", async () => {
      await expect(list({ ...identity.pem, ca: foreign.pem.ca })).rejects.toMatchObject({
        code: "COORDINATION_UNAVAILABLE",
        message: expect.stringMatching(/certificate/) as string,
      });
    });

    it("answers nobody whose certificate another authority has signed, or who shows none", async () => {
      const stranger = { ca: identity.pem.ca, certificate: foreign.pem.certificate, key: foreign.pem.key };
      for (const tls of [stranger, { ca: identity.pem.ca }]) {
        await expect(list(tls)).rejects.toMatchObject({ code: "COORDINATION_UNAVAILABLE" });
      }
    });
  });
});
