/** Where a database is: the text of `database.dsn`, in its several forms, to a checked address. */
import { isIP } from "node:net";
import { QuantmeshError } from "../domain/errors.ts";
import type { TlsMode } from "./dsn-options.ts";
import { readOptions } from "./dsn-options.ts";
import { Secret } from "../domain/secret.ts";

export const DATABASE_TYPES = ["sqlite", "postgres", "mysql"] as const;
export type DatabaseType = (typeof DATABASE_TYPES)[number];

export type DatabaseAddress = SqliteAddress | ServerAddress;

export interface SqliteAddress {
  readonly type: "sqlite";
  /** Path of the database file, or `:memory:`; missing parent folders are created. */
  readonly file: string;
}

export interface ServerAddress {
  readonly type: "postgres" | "mysql";
  /** Tried in turn until one answers and takes writes. */
  readonly hosts: readonly DatabaseHost[];
  readonly user: string;
  readonly password: Secret;
  readonly database: string;
  readonly tls: TlsMode;
  /** PostgreSQL: the schemas in which the tables are looked for; undefined as the server has it. */
  readonly searchPath: string | undefined;
}

export interface DatabaseHost {
  /** A name, an address, or the path of a socket (PostgreSQL: of its folder). */
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORTS = { postgres: 5432, mysql: 3306 } as const;
const SCHEMES: Readonly<Record<string, DatabaseType>> = {
  postgres: "postgres",
  postgresql: "postgres",
  mysql: "mysql",
  mariadb: "mysql",
  sqlite: "sqlite",
  file: "sqlite",
};

/**
 * Reads a URL, PostgreSQL's `host=… user=…`, Go's `user:password@tcp(host:port)/database?…` or a file path; `type`
 * is the kind that it must be. Throws CONFIG_INVALID, without the text itself: it may hold a password.
 */
export function parseDsn(dsn: string, type?: DatabaseType): DatabaseAddress {
  const found = typeOf(dsn);
  if (type !== undefined && type !== found) {
    const what = found === "sqlite" ? "a file path" : `an address of ${found}`;
    throw invalid(`this is ${what}, and database.type is ${type}: write ${EXAMPLES[type]}`);
  }
  switch (found) {
    case "sqlite":
      return parseFile(dsn);
    case "postgres":
      return dsn.includes("://") ? parseUrl(dsn, "postgres") : parsePairs(dsn);
    case "mysql":
      return dsn.includes("://") ? parseUrl(dsn, "mysql") : parseGo(dsn);
  }
}

/** Names the database for people: never with its password. */
export function describeAddress(address: DatabaseAddress): string {
  if (address.type === "sqlite") return address.file;
  return `${address.type} database "${address.database}" on ${address.hosts.map(describeHost).join(", ")}`;
}

export function describeHost({ host, port }: DatabaseHost): string {
  return host.startsWith("/") ? host : `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

const EXAMPLES = {
  sqlite: "the path of a file",
  postgres: "postgres://user:password@host:5432/database",
  mysql: "mysql://user:password@host:3306/database or user:password@tcp(host:3306)/database",
} as const;

const ENCODE_HINT = "in a password write @ as %40, : as %3A and / as %2F";

const URL_FORM = /^([a-z]+):\/\/(?:([^@/]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?(.*))?$/i;
const GO_FORM = /^(?:(.*)@)?(tcp|unix)\(([^)]*)\)\/([^?]*)(?:\?(.*))?$/;
const PAIR = /^\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S*))/;

function typeOf(dsn: string): DatabaseType {
  const scheme = /^([a-z]+):/i.exec(dsn)?.[1]?.toLowerCase() ?? "";
  const known = SCHEMES[scheme];
  if (known !== undefined) return known;
  if (/^[a-z]+:\/\//i.test(dsn)) {
    throw invalid(`"${scheme}://" is no known kind of database: use postgres://, mysql:// or a file path`);
  }
  if (GO_FORM.test(dsn)) return "mysql";
  return /^\s*(host|hostaddr|user|dbname|port|password|sslmode)\s*=/i.test(dsn) ? "postgres" : "sqlite";
}

function parseFile(dsn: string): SqliteAddress {
  const uri = /^(?:file|sqlite):(?:\/\/)?(.*)$/i.exec(dsn);
  if (!uri) return { type: "sqlite", file: dsn };
  const [file = "", options] = (uri[1] ?? "").split("?");
  if (options !== undefined) {
    throw invalid(`options after "?" have no effect on SQLite: write the path alone`);
  }
  if (file === "") throw invalid("the path of the database file is missing");
  return { type: "sqlite", file };
}

function parseUrl(dsn: string, type: "postgres" | "mysql"): ServerAddress {
  const match = URL_FORM.exec(dsn);
  if (!match) throw invalid(`this is not of the form ${EXAMPLES[type]}; ${ENCODE_HINT}`);
  const [, , login = "", hosts = "", database = "", query = ""] = match;
  // An @ anywhere else is of a password that was not encoded: its rest would be taken for a host, and shown.
  if (`${hosts}/${database}`.includes("@")) throw invalid(ENCODE_HINT);
  const [user = "", ...password] = login.split(":");
  return server(type, {
    hosts,
    user: decoded(user),
    password: decoded(password.join(":")),
    database: decoded(database),
    options: Object.fromEntries(new URLSearchParams(query)),
  });
}

/** `user:password@tcp(host:port)/database?…`: nothing in it is percent-encoded but the options. */
function parseGo(dsn: string): ServerAddress {
  const match = GO_FORM.exec(dsn);
  if (!match) throw invalid(`this is not of the form ${EXAMPLES.mysql}`);
  const [, login = "", , hosts = "", database = "", query = ""] = match;
  const [user = "", ...password] = login.split(":");
  const options = Object.fromEntries(new URLSearchParams(query));
  return server("mysql", { hosts, user, password: password.join(":"), database, options });
}

/** `host=… port=… user=… password=… dbname=…`, values in single quotes where they have spaces. */
function parsePairs(dsn: string): ServerAddress {
  const pairs = new Map<string, string>();
  for (let rest = dsn; rest.trim() !== ""; ) {
    const match = PAIR.exec(rest);
    if (!match) throw invalid(`this is not of the form host=… user=… password=… dbname=…`);
    const value = match[2] === undefined ? (match[3] ?? "") : match[2].replace(/\\(.)/g, "$1");
    pairs.set(match[1] ?? "", value);
    rest = rest.slice(match[0].length);
  }
  const take = (name: string): string => {
    const value = pairs.get(name) ?? "";
    pairs.delete(name);
    return value;
  };
  const ports = take("port").split(",");
  const names = (take("host") || take("hostaddr")).split(",");
  const hosts = names.map((name, index) => withPort(name, ports[index] ?? ports[0] ?? "")).join(",");
  const [user, password, database] = [take("user"), take("password"), take("dbname")];
  return server("postgres", { hosts, user, password, database, options: Object.fromEntries(pairs) });
}

function withPort(name: string, port: string): string {
  if (port === "") return name;
  return name.includes(":") && !name.startsWith("[") ? `[${name}]:${port}` : `${name}:${port}`;
}

interface ServerParts {
  readonly hosts: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly options: Readonly<Record<string, string>>;
}

function server(type: "postgres" | "mysql", parts: ServerParts): ServerAddress {
  const { tls, searchPath } = readOptions(type, parts.options);
  if (parts.user === "") throw invalid("the user is missing");
  if (parts.database === "") throw invalid("the name of the database is missing");
  const hosts = parts.hosts.split(",").map((text) => parseHost(text.trim(), DEFAULT_PORTS[type]));
  // mysql2 would compare the certificate of an address with "localhost".
  if (type === "mysql" && tls.verify === "full" && hosts.some(({ host }) => isIP(host) !== 0)) {
    throw invalid(
      "tls=true needs the host's name, as its certificate has it, not its address; or use tls=verify-ca",
    );
  }
  return {
    type,
    hosts,
    user: parts.user,
    password: new Secret(parts.password),
    database: parts.database,
    tls,
    searchPath,
  };
}

function parseHost(text: string, defaultPort: number): DatabaseHost {
  const match = /^(\/[^:]*|\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(decoded(text));
  if (!match) throw invalid(`a host is a name or an address, and its port a number, like db:${defaultPort}`);
  const host = (match[1] ?? "").replace(/^\[|\]$/g, "");
  const port = match[2] === undefined ? defaultPort : Number(match[2]);
  if (port < 1 || port > 65_535) throw invalid(`${port} is not a port`);
  return { host: host || "localhost", port };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function invalid(reason: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", `database.dsn: ${reason}`);
}
