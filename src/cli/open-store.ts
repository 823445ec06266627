/** Opens the etcd that a config names. */
import { readFile } from "node:fs/promises";
import type { Config } from "../config/schema.ts";
import { openEtcdStore } from "../coordination/etcd-store.ts";
import type { KeyStore } from "../coordination/key-store.ts";
import { QuantmeshError } from "../domain/errors.ts";

/** The etcd that the config names. Throws CONFIG_INVALID where a PEM file cannot be read. */
export async function openStore(config: Config): Promise<KeyStore> {
  const { hosts, username, password, ca, certificate, key, limit_ms: limitMs } = config.coordination.etcd;
  const tls = {
    ...(ca === undefined ? {} : { ca: await readPem(ca) }),
    ...(certificate === undefined ? {} : { certificate: await readPem(certificate) }),
    ...(key === undefined ? {} : { key: await readPem(key) }),
  };
  return openEtcdStore({
    hosts,
    limitMs,
    tls,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  });
}

/** A PEM file of the coordination section. Throws CONFIG_INVALID where it cannot be read. */
export async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new QuantmeshError("CONFIG_INVALID", `coordination: cannot read the PEM file ${file}`, { cause });
  }
}
