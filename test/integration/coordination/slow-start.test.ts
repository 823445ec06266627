/** An instance that is started while etcd does not answer: it waits for a while, and says at the end what is wrong. */
import { rmSync, writeFileSync } from "node:fs";
import { stringify } from "yaml";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { loadRunConfig } from "../../../src/cli/fleet-config.ts";
import type { KeptLine } from "../../support/kept-log.ts";
import { logInto } from "../../support/kept-log.ts";
import { startEtcd } from "../../support/servers/etcd.ts";
import { LinkProxy } from "../../support/servers/link-proxy.ts";
import type { PrivateServer } from "../../support/servers/private-server.ts";
import { describeWithServers, serverFolder } from "../../support/servers/private-server.ts";
import type { LabInstance } from "./fleet-lab.ts";
import { FleetLab, until } from "./fleet-lab.ts";

const SYMBOLS = ["BTC/USDT", "ETH/USDT"];
const GENEROUS_MS = 15_000;
const DELAYED = "coordination.start_delayed";

describeWithServers(["etcd"], "an instance that is started while etcd does not answer", () => {
  let etcd: PrivateServer;
  let lab: FleetLab;
  const open = (startLimitMs: number): FleetLab =>
    (lab = new FleetLab({ etcdPorts: () => [etcd.port], symbols: SYMBOLS, times: { startLimitMs } }));
  const freeze = ({ etcdLink }: LabInstance): void => etcdLink.freeze();

  beforeAll(async () => {
    [etcd] = (await startEtcd()) as [PrivateServer];
  });
  afterAll(async () => {
    await etcd.stop();
  });
  afterEach(async () => {
    await lab.close();
  });

  it("waits, and starts once etcd answers", async () => {
    const started = open(60_000).start("a", {
      beforeOpen: (instance) => {
        freeze(instance);
        void until(() => instance.events().includes(DELAYED), GENEROUS_MS).then(() =>
          instance.etcdLink.mend(),
        );
      },
    });

    const a = await started;
    await lab.untilShared(["a"], GENEROUS_MS);
    expect(a.events()).toContain(DELAYED);
  });

  it("gives up after its limit, and names the settings to look at", async () => {
    await expect(open(1000).start("a", { beforeOpen: freeze })).rejects.toMatchObject({
      code: "COORDINATION_UNAVAILABLE",
      message: expect.stringMatching(
        /etcd has not answered for 1 s \(coordination\.start_limit\): check coordination\.etcd\.hosts/,
      ) as string,
    });
  });

  it("waits no longer once it is to stop", async () => {
    const stopping = new AbortController();
    const beforeOpen = (instance: LabInstance): void => {
      freeze(instance);
      void until(() => instance.events().includes(DELAYED), GENEROUS_MS).then(() => stopping.abort());
    };

    await expect(open(600_000).start("a", { beforeOpen, signal: stopping.signal })).rejects.toMatchObject({
      code: "COORDINATION_UNAVAILABLE",
    });
  });
});

describeWithServers(["etcd"], "the fleet's config while etcd does not answer", () => {
  let etcd: PrivateServer;
  let link: LinkProxy;
  let folder: string;

  beforeEach(async () => {
    [etcd] = (await startEtcd()) as [PrivateServer];
    link = await LinkProxy.open(() => etcd.port);
    folder = serverFolder("config");
  });
  afterEach(async () => {
    await link.close();
    await etcd.stop();
    rmSync(folder, { recursive: true });
  });

  it("is waited for by an instance that starts", async () => {
    const file = `${folder}/config.yaml`;
    const grid = { lattice: "window", price_interval: 1, order_quantity: 40, buy_window_size: 3 };
    writeFileSync(
      file,
      stringify({
        app: { current_exchange: "binance" },
        exchanges: {
          sim: { balances: {}, symbols: {} },
          binance: { mode: "live", api_key: "k", secret_key: "s" },
        },
        trading: { symbols: SYMBOLS.map((symbol) => ({ symbol, ...grid })) },
        database: { type: "postgres", dsn: "postgres://127.0.0.1/none" },
        distributed_lock: { type: "redis", redis: { addr: "127.0.0.1:1" } },
        coordination: {
          mode: "dynamic",
          etcd: { hosts: [`http://127.0.0.1:${link.port}`], limit_ms: 300 },
          secret: "a secret of the whole fleet",
        },
        instance: { id: "a" },
      }),
      { mode: 0o600 },
    );
    const lines: KeptLine[] = [];
    link.freeze();
    const loading = loadRunConfig(file, {}, { publishes: true, logOf: () => logInto(lines) });
    await until(() => lines.some(({ event }) => event === DELAYED), GENEROUS_MS);
    link.mend();

    expect((await loading).version?.version).toBe(1);
  });
});
