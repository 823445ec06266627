/** A private PostgreSQL server of a test's own. */
import { execFile } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import type { DatabaseServer, DatabaseServerOptions } from "./database-server.ts";
import { databaseServer } from "./database-server.ts";
import { findProgram, freePort, runAs, serverFolder, startServer } from "./private-server.ts";
import { dataTemplate } from "./template.ts";

const OWNER = "postgres";
const ADMIN = { user: "postgres", password: "admin-secret" } as const;

/** Starts PostgreSQL on the loopback interface; each database that it makes belongs to the test that asked for it. */
export async function startPostgres(options: DatabaseServerOptions = {}): Promise<DatabaseServer> {
  const command = findProgram("postgres") ?? "postgres";
  const prepared = await template();
  const folder = serverFolder("postgres", OWNER);
  const data = join(folder, "data");
  cpSync(prepared, data, { recursive: true, preserveTimestamps: true });
  await own(data);
  const port = await freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "60",
    fsync: options.isDurable ? "on" : "off",
    full_page_writes: options.isDurable ? "on" : "off",
    ...options.settings,
  };
  const server = await startServer({
    command,
    args: [
      ["-D", data, "-p", String(port)],
      ...Object.entries(settings).map(([key, value]) => ["-c", `${key}=${value}`]),
    ].flat(),
    port,
    folder,
    user: OWNER,
    isReady: async () => {
      await admin(port, ["select 1"]);
      return true;
    },
  });
  return databaseServer(server, "postgres", ADMIN, {
    create: (name) => admin(port, [`create database ${name}`]),
    drop: (name) => admin(port, [`drop database if exists ${name} with (force)`]),
    run: (statements, database) => admin(port, statements, database),
  });
}

async function admin(port: number, statements: readonly string[], database = "postgres"): Promise<void> {
  const client = new pg.Client({
    host: "127.0.0.1",
    port,
    ...ADMIN,
    database,
    connectionTimeoutMillis: 2_000,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** To make one takes a second or more, to copy it a tenth of that. */
const template = dataTemplate("postgres-template", OWNER, makeTemplate);

async function makeTemplate(folder: string): Promise<string> {
  const secret = join(folder, "password");
  writeFileSync(secret, ADMIN.password);
  const data = join(folder, "data");
  await promisify(execFile)(
    join(dirname(findProgram("postgres") ?? ""), "initdb"),
    [
      "-D",
      data,
      "-U",
      ADMIN.user,
      "--auth=scram-sha-256",
      `--pwfile=${secret}`,
      "--no-sync",
      "--encoding=UTF8",
      "--locale=C.UTF-8",
    ],
    { cwd: folder, ...runAs(OWNER) },
  );
  return data;
}

/** What root copied belongs to root; PostgreSQL insists on its own. */
async function own(data: string): Promise<void> {
  if (process.getuid?.() === 0) await promisify(execFile)("chown", ["-R", OWNER, data]);
}
