/** Opens a connection to the first of several hosts that answers and takes writes. */
import { readFileSync } from "node:fs";
import { QuantmeshError } from "../domain/errors.ts";
import { ConnectionFailure } from "./connection-failure.ts";
import type { DatabaseHost, ServerAddress } from "./dsn.ts";
import { describeHost } from "./dsn.ts";
import type { TlsMode } from "./dsn-options.ts";

/** Where to connect, as whom, and for how long to wait. */
export interface ConnectPlan {
  readonly address: ServerAddress;
  readonly host: DatabaseHost;
  readonly tls: TlsFiles | undefined;
  readonly limitMs: number;
}

/** What the encryption of a connection needs, its files read. */
export interface TlsFiles {
  readonly rejectUnauthorized: boolean;
  /** The certificate must also be the host's own. */
  readonly isNameChecked: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export type Connect<Connection> = (plan: ConnectPlan) => Promise<Connection>;

/** The server is up and obeys a primary elsewhere, or was told to change nothing. */
export class NoWritesError extends Error {
  constructor() {
    super("it takes no writes (a standby, or read-only)");
  }
}

/**
 * Tries the hosts in turn, beginning with the one that worked last. A server that answers with a refusal (wrong
 * password, no such database) is the answer; throws ConnectionFailure where none can be reached.
 */
export function connectToAny<Connection>(
  address: ServerAddress,
  connect: Connect<Connection>,
  isRefusal: (error: unknown) => boolean,
  limitMs: number,
): () => Promise<Connection> {
  const tls = readTls(address.tls);
  let hosts = address.hosts;
  return async () => {
    const failures: string[] = [];
    let cause: unknown;
    for (const host of hosts) {
      try {
        const connection = await connect({ address, host, tls, limitMs });
        hosts = [host, ...hosts.filter((other) => other !== host)];
        return connection;
      } catch (error) {
        if (isRefusal(error)) throw error;
        cause = error;
        failures.push(`${describeHost(host)}: ${describe(error)}`);
      }
    }
    throw new ConnectionFailure(`cannot connect to ${failures.join("; ")}`, false, { cause });
  };
}

/** Throws CONFIG_INVALID where a certificate's file cannot be read. */
function readTls({ verify, rootCertificate, certificate, key }: TlsMode): TlsFiles | undefined {
  if (verify === "off") return undefined;
  return {
    rejectUnauthorized: verify !== "unverified",
    isNameChecked: verify === "full",
    ...(rootCertificate === undefined ? {} : { ca: readPem(rootCertificate, "sslrootcert") }),
    ...(certificate === undefined ? {} : { cert: readPem(certificate, "sslcert") }),
    ...(key === undefined ? {} : { key: readPem(key, "sslkey") }),
  };
}

function readPem(file: string, option: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new QuantmeshError("CONFIG_INVALID", `database.dsn: ${option}: cannot read ${file}`, {
      cause: error,
    });
  }
}

/** Node tells of several attempts at one name by an error without a message. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(describe).join(", ");
  return error instanceof Error ? error.message : String(error);
}
