/** The example of a fleet: its files load, fit together, and are what Prometheus scrapes. */
import { readFileSync } from "node:fs";
import { beforeAll, expect, it } from "vitest";
import { loadConfigWithWarnings } from "../../../src/config/load-config.ts";
import type { Config } from "../../../src/config/schema.ts";

const FILES = ["instance-1", "instance-2", "instance-3-standby"];
const ENV = {
  FLEET_DATABASE: "postgres://u:p@127.0.0.1:5432/quantmesh",
  FLEET_SECRET: "0123456789abcdef",
  VENUE_SECRET: "secret",
};
let configs: readonly Config[];

beforeAll(async () => {
  const loaded = FILES.map(async (file) => loadConfigWithWarnings(`config/fleet/${file}.yaml`, ENV));
  configs = (await Promise.all(loaded)).map(({ config, warnings }) => {
    expect(warnings).toEqual([]);
    return config;
  });
});

it("gives each instance ports and a name of its own, and all the same fleet and symbols", () => {
  const distinct = (values: readonly unknown[]): number =>
    new Set(values.map((value) => JSON.stringify(value))).size;

  expect(distinct(configs.map(({ web }) => web.port))).toBe(3);
  expect(distinct(configs.map(({ coordination }) => coordination.listen))).toBe(3);
  expect(distinct(configs.map(({ instance }) => instance.id))).toBe(3);
  expect(configs.map(({ instance }) => instance.role)).toEqual(["active", "active", "standby"]);
  expect(distinct(configs.map(({ coordination: { fleet, etcd, secret } }) => [fleet, etcd, secret]))).toBe(1);
  expect(distinct(configs.map(({ trading }) => trading))).toBe(1);
});

it("is scraped by config/prometheus.yml, instance by instance", () => {
  const targets = [...readFileSync("config/prometheus.yml", "utf8").matchAll(/- (127\.0\.0\.1:\d+)/g)];

  expect(targets.map(([, target]) => target)).toEqual(configs.map(({ web }) => `${web.host}:${web.port}`));
});
