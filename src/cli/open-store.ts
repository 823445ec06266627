/** Opens the etcd that a config names. */
import { readFile } from "node:fs/promises";
import type { Config } from "../config/schema.ts";
import type { EtcdOptions } from "../coordination/etcd-store.ts";
import { openEtcdStore } from "../coordination/etcd-store.ts";
import type { KeyStore } from "../coordination/key-store.ts";
import { QuantmeshError } from "../domain/errors.ts";

/** The etcd that the config names. Throws CONFIG_INVALID where it is to be encrypted and cannot be. */
export async function openStore(config: Config): Promise<KeyStore> {
  return openEtcdStore(await etcdOptions(config));
}

/** How that etcd is reached. Throws as `openStore`. */
export async function etcdOptions(config: Config): Promise<EtcdOptions> {
  const { hosts, username, password, ca, certificate, key, limit_ms: limitMs } = config.coordination.etcd;
  if (ca === undefined && (certificate ?? key) !== undefined) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      "coordination.etcd: certificate and key are used only with ca",
    );
  }
  if (ca !== undefined && hosts.some((host) => host.startsWith("http:"))) {
    throw new QuantmeshError("CONFIG_INVALID", "coordination.etcd.hosts: ca is set: write https://");
  }
  const tls = {
    ...(ca === undefined ? {} : { ca: await readPem(ca) }),
    ...(certificate === undefined ? {} : { certificate: await readPem(certificate) }),
    ...(key === undefined ? {} : { key: await readPem(key) }),
  };
  return {
    hosts,
    limitMs,
    tls,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}

/** A PEM file of the coordination section. Throws CONFIG_INVALID where it cannot be read, or is none. */
export async function readPem(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new QuantmeshError("CONFIG_INVALID", `coordination: cannot read the PEM file ${file}`, { cause });
  }
  if (text.includes("-----BEGIN ")) return text;
  throw new QuantmeshError("CONFIG_INVALID", `coordination: ${file} is no PEM file`);
}
