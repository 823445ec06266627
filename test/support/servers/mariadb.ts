/** A private MariaDB server of a test's own. */
import { execFile } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import mysql from "mysql2/promise";
import type { DatabaseServer, DatabaseServerOptions } from "./database-server.ts";
import { databaseServer } from "./database-server.ts";
import { findProgram, freePort, runAs, serverFolder, startServer } from "./private-server.ts";
import { dataTemplate } from "./template.ts";

const OWNER = "mysql";
const ADMIN = { user: "admin", password: "admin-secret" } as const;

/** Starts MariaDB on the loopback interface; each database that it makes belongs to the test that asked for it. */
export async function startMariadb(options: DatabaseServerOptions = {}): Promise<DatabaseServer> {
  const prepared = await template();
  const folder = serverFolder("mariadb", OWNER);
  const data = join(folder, "data");
  cpSync(prepared, data, { recursive: true, preserveTimestamps: true });
  const init = join(folder, "init.sql");
  writeFileSync(
    init,
    `create user if not exists '${ADMIN.user}'@'%' identified by '${ADMIN.password}';\n` +
      `grant all on *.* to '${ADMIN.user}'@'%' with grant option;\n`,
  );
  if (process.getuid?.() === 0) await promisify(execFile)("chown", ["-R", OWNER, folder]);
  const port = await freePort();
  const settings = {
    "bind-address": "127.0.0.1",
    "innodb-flush-log-at-trx-commit": options.isDurable ? "1" : "2",
    ...(options.isDurable ? {} : { "innodb-flush-method": "nosync", "sync-frm": "0" }),
    "innodb-buffer-pool-size": "64M",
    "innodb-log-file-size": "32M",
    "performance-schema": "off",
    "skip-name-resolve": "on",
    ...options.settings,
  };
  const server = await startServer({
    command: findProgram("mariadbd") ?? "mariadbd",
    args: [
      // A server that starts removes the temporary tables that it finds: those of others must lie elsewhere.
      [
        "--no-defaults",
        `--datadir=${data}`,
        `--tmpdir=${folder}`,
        `--port=${port}`,
        `--socket=${join(folder, "socket")}`,
      ],
      [`--pid-file=${join(folder, "pid")}`, `--init-file=${init}`],
      Object.entries(settings).map(([key, value]) => `--${key}=${value}`),
    ].flat(),
    port,
    folder,
    user: OWNER,
    isReady: async () => {
      await admin(port, ["select 1"]);
      return true;
    },
  });
  return databaseServer(server, "mysql", ADMIN, {
    create: (name) => admin(port, [`create database ${name}`]),
    drop: (name) => admin(port, [`drop database if exists ${name}`]),
    run: (statements, database) => admin(port, statements, database),
    beforeCrash: () => untilOld(port),
  });
}

async function admin(port: number, statements: readonly string[], database?: string): Promise<void> {
  const connection = await mysql.createConnection({
    host: "127.0.0.1",
    port,
    ...ADMIN,
    connectTimeout: 2_000,
    ...(database === undefined ? {} : { database }),
  });
  connection.on("error", () => undefined);
  try {
    for (const statement of statements) await connection.query(statement);
  } finally {
    await connection.end();
  }
}

const IS_YOUNG =
  "select variable_value < 2 as young from information_schema.global_status where variable_name = 'UPTIME'";

/** The server tells its start to the second: one that is killed within its first seconds comes back as the same. */
async function untilOld(port: number): Promise<void> {
  for (;;) {
    try {
      await admin(port, [`begin not atomic if (${IS_YOUNG}) then signal sqlstate '45000'; end if; end`]);
      return;
    } catch (error) {
      const isYoung = error instanceof Error && "sqlState" in error && error.sqlState === "45000";
      if (!isYoung) return;
    }
  }
}

/** To make one takes a second or more, to copy it a tenth of that. */
const template = dataTemplate("mariadb-template", OWNER, makeTemplate);

async function makeTemplate(folder: string): Promise<string> {
  const data = join(folder, "data");
  await promisify(execFile)(
    "mariadb-install-db",
    [
      "--no-defaults",
      `--datadir=${data}`,
      `--tmpdir=${folder}`,
      "--auth-root-authentication-method=normal",
      "--skip-test-db",
    ],
    { cwd: folder, ...runAs(OWNER) },
  );
  return data;
}
