/** What the private database servers have in common: databases of a test's own, and their addresses. */
import { childrenOf, signalTo } from "../processes.ts";
import type { PrivateServer } from "./private-server.ts";

export interface DatabaseServerOptions {
  /** Commits survive a power cut; without it they only survive the death of the process, and are faster. */
  readonly isDurable?: boolean;
  /** Further settings of the server's own, by name. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface DatabaseServer extends PrivateServer {
  /** The address of a database: as the administrator, or as whoever is named. */
  dsn(database: string, login?: Login): string;
  /** A new empty database; returns its address. */
  createDatabase(): Promise<string>;
  dropDatabase(dsn: string): Promise<void>;
  /** Runs statements as the administrator, in the database of `dsn` or in the server's own. */
  run(statements: readonly string[], dsn?: string): Promise<void>;
}

export interface Login {
  readonly user: string;
  readonly password: string;
}

interface Administration {
  readonly create: (name: string) => Promise<void>;
  readonly drop: (name: string) => Promise<void>;
  readonly run: (statements: readonly string[], database: string | undefined) => Promise<void>;
  readonly beforeCrash?: () => Promise<void>;
}

export function databaseServer(
  server: PrivateServer,
  scheme: "postgres" | "mysql",
  admin: Login,
  { create, drop, run, beforeCrash = () => Promise.resolve() }: Administration,
): DatabaseServer {
  let made = 0;
  // PostgreSQL has a process for each connection, which would go on without the first.
  const signalAll = (name: NodeJS.Signals): void => {
    // The parent first where it is to stop: it starts no child any more.
    if (name === "SIGSTOP") server.signal(name);
    for (const pid of childrenOf(server.pid)) signalTo(pid, name);
    if (name !== "SIGSTOP") server.signal(name);
  };
  const dsn = (database: string, { user, password }: Login = admin): string =>
    `${scheme}://${user}:${encodeURIComponent(password)}@127.0.0.1:${server.port}/${database}`;
  const nameOf = (address: string): string => new URL(address).pathname.slice(1);
  return {
    port: server.port,
    folder: server.folder,
    get pid() {
      return server.pid;
    },
    signal: (name) => signalAll(name),
    crash: async () => {
      await beforeCrash();
      signalAll("SIGKILL");
      await server.crash();
    },
    restart: async () => {
      await beforeCrash();
      signalAll("SIGKILL");
      await server.restart();
    },
    stop: () => server.stop(),
    dsn,
    createDatabase: async () => {
      made += 1;
      const name = `quantmesh_${made}`;
      await create(name);
      return dsn(name);
    },
    dropDatabase: async (address) => drop(nameOf(address)),
    run: (statements, address) => run(statements, address === undefined ? undefined : nameOf(address)),
  };
}
