/** The options of a database address: encryption, and those that other drivers know and this one has no use for. */
import { QuantmeshError } from "../domain/errors.ts";

/** `off`: in clear. `unverified`: encrypted, to whoever answers. `authority`, `full`: as their certificate says. */
export interface TlsMode {
  readonly verify: "off" | "unverified" | "authority" | "full";
  /** Paths of PEM files. */
  readonly rootCertificate: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
}

export interface DsnOptions {
  readonly tls: TlsMode;
  readonly searchPath: string | undefined;
}

const MODES: Readonly<Record<string, TlsMode["verify"]>> = {
  disable: "off",
  false: "off",
  require: "unverified",
  "skip-verify": "unverified",
  "verify-ca": "authority",
  "verify-full": "full",
  true: "full",
};
const MODE_OPTIONS = { postgres: "sslmode", mysql: "tls" } as const;
const MODE_WORDS = {
  postgres: "disable, require, verify-ca or verify-full",
  mysql: "false, skip-verify, verify-ca or true",
} as const;
const CERTIFICATE_OPTIONS = ["sslrootcert", "sslcert", "sslkey"];
/** What they ask for is so anyway: UTF-8, times as numbers, one statement at a time, a server that takes writes. */
const WITHOUT_EFFECT = {
  postgres: ["TimeZone", "client_encoding", "application_name", "connect_timeout", "target_session_attrs"],
  mysql: [
    "charset",
    "collation",
    "parseTime",
    "loc",
    "timeout",
    "readTimeout",
    "writeTimeout",
    "interpolateParams",
  ],
} as const;

/** Throws CONFIG_INVALID on an option that it does not know: it might have asked for more safety than there is. */
export function readOptions(
  type: "postgres" | "mysql",
  options: Readonly<Record<string, string>>,
): DsnOptions {
  const modeOption = MODE_OPTIONS[type];
  const known = [modeOption, ...CERTIFICATE_OPTIONS, ...(type === "postgres" ? ["search_path"] : [])];
  for (const name of Object.keys(options)) {
    const isWithoutEffect = WITHOUT_EFFECT[type].some((ours) => ours === name);
    if (!known.includes(name) && !isWithoutEffect) {
      throw invalid(`"${name}" is not an option of ${type}; known: ${known.join(", ")}`);
    }
  }
  const { sslrootcert: rootCertificate, sslcert: certificate, sslkey: key } = options;
  const mode = options[modeOption] ?? (rootCertificate === undefined ? "false" : "true");
  const verify = MODES[mode];
  if (verify === undefined) {
    const reason = ["prefer", "allow", "preferred"].includes(mode)
      ? " (it may end up in clear unnoticed)"
      : "";
    throw invalid(`${modeOption} must be ${MODE_WORDS[type]}, not "${mode}"${reason}`);
  }
  return { tls: { verify, rootCertificate, certificate, key }, searchPath: options["search_path"] };
}

function invalid(reason: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", `database.dsn: ${reason}`);
}
