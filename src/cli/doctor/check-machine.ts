/** Looks at this process and its files: limits, and who else may read what is secret. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { formatPath, isMapping } from "../../config/path.ts";
import type { Path } from "../../config/path.ts";
import { isSecretPath } from "../../config/redact-config.ts";
import type { Config } from "../../config/schema.ts";
import type { Finding } from "../../domain/finding.ts";
import { fault, ok, warn } from "../../domain/finding.ts";

/** Databases, streams, peers and browsers have one each. */
const FEWEST_FILES = 1024;
/** Bits of a file's mode that let anybody but its owner in. */
const OTHERS = 0o077;

export function checkMachine(): readonly Finding[] {
  const files = openFileLimit();
  const says = `Node ${process.versions.node}, ${files === undefined ? "unknown" : files} open files allowed`;
  if (files === undefined || files >= FEWEST_FILES) return [ok("machine", says)];
  return [
    warn(
      "machine",
      `${says}: connections are refused beyond that`,
      `raise the limit to ${FEWEST_FILES} or more: ulimit -n, or LimitNOFILE= in the systemd unit`,
    ),
  ];
}

/** Of this process; undefined where the system does not tell. */
function openFileLimit(): number | undefined {
  try {
    const found = /^Max open files +(\S+)/m.exec(readFileSync(join("/proc", "self", "limits"), "utf8"))?.[1];
    if (found === "unlimited") return Number.POSITIVE_INFINITY;
    return found === undefined ? undefined : Number(found);
  } catch {
    // Not Linux.
    return undefined;
  }
}

/** `values`: of the config file as they stand there, with `${NAME}` unreplaced. The exchange's key file is read by its own check. */
export function checkSecrets(file: string, values: unknown, config: Config): readonly Finding[] {
  const { etcd, tls } = config.coordination;
  const keys = [
    { key: "coordination.etcd.key", path: etcd.key },
    { key: "coordination.tls.key", path: tls?.key },
  ].flatMap(({ key, path }) => (path === undefined ? [] : [checkKey(key, path)]));
  const inline = inlineSecrets(values);
  if (inline.length === 0) return [...keys, ok("secrets", `${file} holds none itself`)];
  const mode = statSync(file).mode;
  if ((mode & OTHERS) === 0)
    return [...keys, ok("secrets", `${file} holds ${inline.join(", ")}, for its owner only`)];
  return [
    ...keys,
    warn(
      "secrets",
      `${file} holds ${inline.join(", ")}, and others on this computer may read it (mode ${modeText(mode)})`,
      `chmod 600 ${file}, or write \${NAME} and set the value in the environment`,
    ),
  ];
}

function checkKey(key: string, path: string): Finding {
  try {
    const { mode } = statSync(path);
    if ((mode & OTHERS) === 0) return ok("secrets", `${key}: ${path} is its owner's only`);
    return fault("secrets", `${key}: others may read ${path} (mode ${modeText(mode)})`, `chmod 600 ${path}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fault("secrets", `${key}: ${reason}`, `set ${key} to the file of the private key`);
  }
}

/** The keys whose secrets stand in the file, not in the environment. */
function inlineSecrets(node: unknown, path: Path = []): readonly string[] {
  if (isMapping(node))
    return Object.entries(node).flatMap(([key, child]) => inlineSecrets(child, [...path, key]));
  if (Array.isArray(node))
    return node.flatMap((child: unknown, index) => inlineSecrets(child, [...path, index]));
  if (typeof node !== "string" || !isSecretPath(path) || node === "" || node.includes("${")) return [];
  // An address is a secret only where it has a password.
  const isAddress = path.at(-1) === "dsn";
  return isAddress && !/:[^/@]+@|passw(or)?d=/i.test(node) ? [] : [formatPath(path)];
}

function modeText(mode: number): string {
  return `0${(mode & 0o777).toString(8)}`;
}
